/**
 * `storm`: five thousand forks and execs a second, with the kernel's process events. procmond stays up, small and answers;
 * of each exec it has an event, or it says that some were lost; rules over that interval are incomplete, and then all is well.
 */
import { randomBytes } from 'node:crypto';
import { renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { askProcmond, problemsOf, type ProcmondHealth } from './rig/ask.ts';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { buildProgram } from './rig/compiled.ts';
import { eventually } from './rig/eventually.ts';
import { examine, expectLossInCoverage, withDatabase } from './rig/evidence.ts';
import { startHelper } from './rig/helper.ts';
import { residentBytes } from './rig/processes.ts';
import { openSite, scansMore, settled, type Site } from './rig/site.ts';

const RATE = 5_000;
const SECONDS = 20;
const QUICK_SECONDS = 4;
const WORKERS = 4;
const QUEUE_LIMIT = 10_000;
/** What may be drained before the queue says that it is full. */
const OVERHANG = 1_000;
const ANSWER_MS = 2_000;
/** The short form shares its machine with other tests. */
const QUICK_ANSWER_MS = 20_000;
const ANSWER_PATIENCE_MS = 30_000;
const MOST_BYTES = 160 * 1024 * 1024;
const OF_OTHERS = /to keep within|stood still|reduced visibility/;
const OF_OTHERS_TOO = /to keep within|stood still|reduced visibility|events? (of the last interval )?(was|were) (missed|lost|dropped)/;
const CALM_PATIENCE_MS = 60_000;
/** So small that the kernel's events do not fit into the queue and none may go to disk: loss is certain. */
const LOSSY = ['collection.queue.policy=drop-oldest', 'collection.queue.limit=100'];

export const storm = defineFault({
  name: 'storm',
  summary: 'five thousand forks and execs a second',
  rounds: 4,
  quickRounds: 2,
  needs: ['root', 'gcc'],
  world: 'host pids',
  run: async (campaign) => {
    const program = withOwnName(buildProgram(campaign.cleanup, 'exec-storm'));
    for (let round = 1; round <= campaign.rounds; round++) {
      campaign.begin(round);
      await blow(campaign, program, round % 2 === 0);
    }
  },
});

async function blow(campaign: Campaign, program: string, isLossy: boolean): Promise<void> {
  const site = openSite(campaign, { settings: ['collection.interval=2s', ...(isLossy ? LOSSY : [])] });
  await settled(site);
  const before = await site.procmond();
  if (before?.collection.events.tier !== 'kernel')
    throw new Error(`no events from the kernel: ${before?.collection.events.reasons.join('; ') ?? 'no answer'}`);
  const seconds = campaign.quick ? QUICK_SECONDS : SECONDS;
  const helper = startHelper(campaign, program, [String(seconds), String(RATE), String(WORKERS)]);
  await helper.answer('ready');
  const watch = watchService(campaign, site, isLossy ? 100 : QUEUE_LIMIT);
  helper.say('go');
  const made = Number((await helper.answer('made')).split(' ')[0]);
  campaign.count('execs made', made);
  await judgeAfter(campaign, site, before, isLossy);
  const { incompleteSeen } = await watch.stop();
  await judgeAccount(campaign, site, program, made, before, incompleteSeen);
  await site.stop();
  await examine(campaign, site, []);
  campaign.expect('stack-trace', site.stackTrace());
}

type Watched = { readonly incompleteSeen: boolean };

/** Asks all the time, as an operator would, and measures. */
function watchService(campaign: Campaign, site: Site, limit: number): { readonly stop: () => Promise<Watched> } {
  let stopped = false;
  let incompleteSeen = false;
  const pid = site.part('procmond')?.pid ?? 0;
  const watch = async (): Promise<void> => {
    while (!stopped) {
      const startedMs = performance.now();
      const health = await askProcmond(site.paths, ANSWER_PATIENCE_MS);
      const ms = Math.round(performance.now() - startedMs);
      campaign.most('ms until procmond answers', ms);
      campaign.expect(
        'slow',
        health === null || ms > (campaign.quick ? QUICK_ANSWER_MS : ANSWER_MS)
          ? `health ${health === null ? 'is not answered' : 'takes'} after ${ms} ms`
          : null,
      );
      const queued = (health?.collection.events.queued ?? 0) - (health?.collection.events.spilled ?? 0);
      campaign.most('events in the queue', Math.max(0, queued));
      campaign.expect('queue-unbounded', queued > limit + OVERHANG ? `${queued} events wait in memory, the limit is ${limit}` : null);
      const bytes = residentBytes(pid);
      campaign.most('MiB of procmond', Math.round(bytes / 1_048_576));
      campaign.expect('too-large', bytes > MOST_BYTES ? `procmond has ${Math.round(bytes / 1_048_576)} MiB` : null);
      const agent = await site.agent();
      if (agent?.incompleteRules.rules.some(({ reason }) => /lost|dropped/.test(reason)) === true) incompleteSeen = true;
      await sleep(200);
    }
  };
  const watching = watch().catch((cause: unknown) => campaign.find('campaign-broke', `watch: ${String(cause)}`));
  const stop = async (): Promise<Watched> => {
    stopped = true;
    await watching;
    return { incompleteSeen };
  };
  campaign.cleanup.defer('watch of the service', async () => void (await stop()));
  return { stop };
}

/** What was waiting is stored, and nothing is wrong any more. */
async function judgeAfter(campaign: Campaign, site: Site, before: ProcmondHealth, isLossy: boolean): Promise<void> {
  const startedMs = performance.now();
  const isDrained = await eventually(CALM_PATIENCE_MS, async () => (await site.procmond())?.collection.events.queued === 0);
  if (isDrained !== null) campaign.most('ms until all is stored', Math.round(performance.now() - startedMs));
  campaign.expect(
    'not-drained',
    isDrained === null ? `${(await site.procmond())?.collection.events.queued ?? 'no answer'} events wait` : null,
  );
  await scansMore(site, 3);
  // What it does to keep within its budget ends later; others on the host may be withheld, and fill a queue that is so small.
  const lasting = isLossy ? OF_OTHERS_TOO : OF_OTHERS;
  const isCalm = await eventually(CALM_PATIENCE_MS, async () => {
    const [procmond, agent] = [await site.procmond(), await site.agent()];
    return [...problemsOf(procmond), ...problemsOf(agent)].every((problem) => lasting.test(problem));
  });
  const left = [...problemsOf(await site.procmond()), ...problemsOf(await site.agent())].join('; ');
  campaign.expect('not-well-again', isCalm === null ? `${isLossy ? 'with losses' : 'without losses'}: ${left}` : null);
  campaign.expect('daemon-ended', (await site.procmond())?.pid === before.pid ? null : site.lastWords('procmond'));
}

/** Other campaigns storm at the same time: of an exec whose executable was not seen its name alone tells whose it is. */
function withOwnName(program: string): string {
  const own = join(dirname(program), `storm-${randomBytes(4).toString('hex')}`);
  renameSync(program, own);
  return own;
}

/** Every exec is there, or its loss is said, by numbers, by the ledger and by the rules. */
async function judgeAccount(
  campaign: Campaign,
  site: Site,
  program: string,
  made: number,
  before: ProcmondHealth,
  incompleteSeen: boolean,
): Promise<void> {
  const total = (await site.procmond())?.collection.events.total;
  if (total === undefined) return campaign.find('no-answer', site.lastWords('procmond'));
  const start = before.collection.events.total;
  const missed = total.lost + total.dropped - start.lost - start.dropped;
  // An exec that was over before it could be looked at has no name: it may be one of these.
  const [row] = withDatabase(site.paths.eventsDb, (all) =>
    all(
      `SELECT sum(exe_path = ?1 OR (exe_path IS NULL AND name = ?2)) AS known, sum(name IS NULL OR name = '') AS nameless
       FROM process_events WHERE event = 'exec'`,
      program,
      basename(program),
    ),
  );
  // One more is the storm itself, when it was started.
  const known = Number(row?.['known']) - 1;
  const stored = known + Number(row?.['nameless']);
  campaign.say(
    `${made} execs, ${known} stored with their name and ${stored - known} without, ${total.lost - start.lost} lost, ${total.dropped - start.dropped} dropped, ${total.overruns} overruns`,
  );
  campaign.count('execs stored', stored);
  campaign.count('events lost or dropped', missed);
  campaign.expect('more-than-there-were', known > made ? `${known} of ${made}` : null);
  campaign.expect(
    'loss-not-counted',
    stored + missed < made ? `${made} execs, ${stored} are stored, and only ${missed} events are said to be missed` : null,
  );
  if (missed === 0) return undefined;
  const actions = withDatabase(site.paths.ledgerDb, (all) => all("SELECT 1 FROM audit_ledger WHERE action = 'events_lost'"));
  campaign.expect('loss-not-in-ledger', actions.length === 0 ? `${missed} events were missed` : null);
  await expectLossInCoverage(campaign, site, total.lost + total.dropped);
  campaign.expect(
    'rules-not-incomplete',
    incompleteSeen ? null : `${missed} events were missed, and no rule over them was incomplete for it`,
  );
  return undefined;
}
