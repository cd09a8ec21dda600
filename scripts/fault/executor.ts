/**
 * `executor`: executors that crash, are stopped, run a rule that never ends or one that takes memory without bound. What
 * became of the rule is recorded, other rules' alerts arrive in the same cycle, and the next cycle is as if nothing was.
 */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { askRules, type RuleSummary } from './rig/ask.ts';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { eventually } from './rig/eventually.ts';
import { examine, examineQuiet, withDatabase } from './rig/evidence.ts';
import { createBaits, startChurn } from './rig/load.ts';
import { isAlive, residentBytes, signalProcess } from './rig/processes.ts';
import { temporaryDirectory } from './rig/programs.ts';
import { DAEMONS, openSite, type Site } from './rig/site.ts';

const KINDS = ['segfault', 'stop', 'endless rule', 'greedy rule', 'segfault in a row', 'cannot be started'] as const;
type Kind = (typeof KINDS)[number];
const DEADLINE_MS = 1_000;
const MEMORY_MIB = 64;
/** What Node itself takes, the limit, and what comes in between two looks. */
const MOST_EXECUTOR_BYTES = (110 + MEMORY_MIB + 64) * 1024 * 1024;
const PATIENCE_MS = 20_000;
/** What an executor has to get ready; one that was stopped before that is replaced then. */
const STARTUP_MS = 15_000;

/** Each is one SELECT within every bound of the language, and never done. */
const ENDLESS =
  'SELECT count(*) AS pid, 1 AS start_time FROM process_snapshots a JOIN process_snapshots b ON a.name <> b.name JOIN process_snapshots c ON b.name <> c.name JOIN process_snapshots d ON c.name <> d.name';
const GREEDY =
  "SELECT a.pid AS pid, a.start_time AS start_time FROM process_snapshots a, process_snapshots b ORDER BY a.platform_data || b.platform_data || coalesce(a.command_line, '') || b.id";

export const executor = defineFault({
  name: 'executor',
  summary: 'executors that crash, hang, or run rules that never end or take all memory',
  rounds: 18,
  quickRounds: 1,
  needs: [],
  run: async (campaign) => {
    for (let round = 1; round <= campaign.rounds; round++) {
      campaign.begin(round);
      const kind = campaign.quick ? campaign.random.pick(KINDS) : (KINDS[(round - 1) % KINDS.length] ?? 'segfault');
      campaign.say(kind);
      campaign.count(kind);
      await spoil(campaign, kind);
    }
  },
});

async function spoil(campaign: Campaign, kind: Kind): Promise<void> {
  const rules = join(temporaryDirectory(campaign.cleanup), 'rules');
  mkdirSync(rules);
  if (kind === 'endless rule') writeRule(rules, 'never-ends', ENDLESS);
  if (kind === 'greedy rule') writeRule(rules, 'takes-memory', GREEDY);
  const site = openSite(campaign, {
    settings: [
      `detection.rules_dirs=[${rules}]`,
      `detection.deadline=${kind === 'greedy rule' ? 10_000 : DEADLINE_MS}ms`,
      `detection.memory=${MEMORY_MIB}MiB`,
    ],
  });
  const churn = startChurn(campaign);
  const baits = createBaits(campaign, site);
  if ((await site.settle()) === null)
    throw new Error(`the daemons do not work: ${DAEMONS.map((name) => site.lastWords(name)).join(' / ')}`);
  const watch = watchSize(campaign, site);
  const bait = baits.plant();
  const plantedMs = performance.now();
  if (kind === 'endless rule' || kind === 'greedy rule') await judgeRule(campaign, site, kind);
  else if (kind === 'cannot be started') await takeAway(campaign, site);
  else await hurt(campaign, site, kind);
  const reported = await eventually(PATIENCE_MS, () => baits.alertsOf(bait).length > 0);
  if (reported !== null) campaign.most(`ms until another rule's alert, ${kind}`, Math.round(performance.now() - plantedMs));
  campaign.expect('alert-lost', reported === null ? `${kind}: a process that another rule reports was not` : null);
  await judgeAfter(campaign, site, kind);
  await watch.stop();
  await churn.stop();
  await site.stop();
  const { ledger } = await examine(campaign, site, []);
  examineQuiet(campaign, site, ledger);
  campaign.expect('stack-trace', site.stackTrace());
}

/** A rule that overruns is stopped, recorded with its reason, and set aside when it does so again. */
async function judgeRule(campaign: Campaign, site: Site, kind: 'endless rule' | 'greedy rule'): Promise<void> {
  const [id, outcome] = kind === 'endless rule' ? (['never-ends', 'timeout'] as const) : (['takes-memory', 'memory'] as const);
  const find = async (): Promise<RuleSummary | undefined> => (await askRules(site.paths)).find((rule) => rule.id === id);
  const overran = await eventually(PATIENCE_MS, async () => (await find())?.lastOutcome === outcome);
  campaign.expect('outcome-not-recorded', overran === null ? `${kind}: ${JSON.stringify(await find())}` : null);
  const aside = await eventually(PATIENCE_MS, async () => (await find())?.state === 'quarantined');
  campaign.expect('not-quarantined', aside === null ? `${kind}: ${JSON.stringify(await find())}` : null);
  const health = await site.agent();
  campaign.expect(
    'health-does-not-say',
    health?.state === 'degraded' && /set aside/.test(health.problems.join())
      ? null
      : `${kind}: ${health?.problems.join('; ') ?? 'no answer'}`,
  );
  const written = await eventually(PATIENCE_MS, () => rejectionsIn(site, id).length >= 2);
  campaign.expect(
    'rejection-not-in-ledger',
    written === null ? `${kind}: the ledger has ${rejectionsIn(site, id).join(', ') || 'nothing'} of ${id}` : null,
  );
}

function rejectionsIn(site: Site, id: string): readonly string[] {
  try {
    return withDatabase(site.paths.ledgerDb, (all) =>
      all(
        "SELECT json_extract(event_data, '$.what') AS what FROM audit_ledger WHERE action = 'rule_rejected' AND json_extract(event_data, '$.rule_id') = ?",
        id,
      ).map(({ what }) => String(what)),
    );
  } catch {
    return [];
  }
}

/** Signals to the executor, at moments when it has work and when it has none. */
async function hurt(campaign: Campaign, site: Site, kind: 'segfault' | 'stop' | 'segfault in a row'): Promise<void> {
  for (let times = kind === 'segfault in a row' ? 12 : 4; times > 0; times--) {
    await sleep(campaign.random.between(10, kind === 'segfault in a row' ? 150 : 900));
    const target = await eventually(PATIENCE_MS, () => site.part('executor'));
    if (target === null) return campaign.find('no-executor', `${kind}: there is none after ${PATIENCE_MS} ms`);
    signalProcess(target, kind === 'stop' ? 'SIGSTOP' : 'SIGSEGV');
    campaign.count(kind === 'stop' ? 'SIGSTOPs' : 'SIGSEGVs');
    if (kind === 'segfault in a row') continue;
    const replaced = await eventually(STARTUP_MS + PATIENCE_MS / 4, () => !isAlive(target) && site.part('executor') !== null);
    campaign.expect('executor-not-replaced', replaced === null ? `${kind}: pid ${target.pid} is still the executor` : null);
    // What hangs for ever is ended here, or everything after it would be judged by that.
    if (replaced === null) signalProcess(target, 'SIGKILL');
  }
  return undefined;
}

/** For some seconds there is no program to start: an upgrade, or a host that cannot start processes. */
async function takeAway(campaign: Campaign, site: Site): Promise<void> {
  const program = join(campaign.programs.directory, 'executor.js');
  renameSync(program, `${program}.away`);
  try {
    const target = site.part('executor');
    if (target !== null) signalProcess(target, 'SIGKILL');
    await sleep(campaign.random.between(4_000, 8_000));
  } finally {
    renameSync(`${program}.away`, program);
  }
}

/** Rules that were hurt by accident are not set aside for it, and a whole cycle works again. */
async function judgeAfter(campaign: Campaign, site: Site, kind: Kind): Promise<void> {
  const whole = await eventually(PATIENCE_MS, async () => {
    const cycle = (await site.agent())?.lastCycle;
    return cycle !== null && cycle !== undefined && cycle.failed === 0;
  });
  campaign.expect('next-cycle-failed', whole === null ? `${kind}: ${(await site.agent())?.problems.join('; ') ?? 'no answer'}` : null);
  const innocent = (await askRules(site.paths)).filter(
    ({ id, state }) => state === 'quarantined' && id !== 'never-ends' && id !== 'takes-memory',
  );
  campaign.expect(
    'innocent-rule-quarantined',
    innocent.length === 0 ? null : `${kind}: ${innocent.map(({ id, reason }) => `${id}: ${reason ?? ''}`).join('; ')}`,
  );
  const drained = await eventually(PATIENCE_MS, async () => (await site.agent())?.auditWaiting === 0);
  campaign.expect(
    'audit-not-forwarded',
    drained === null ? `${kind}: ${(await site.agent())?.auditWaiting ?? 'unknown'} entries wait` : null,
  );
}

/** How large any executor gets. */
function watchSize(campaign: Campaign, site: Site): { readonly stop: () => Promise<void> } {
  let stopped = false;
  const watch = async (): Promise<void> => {
    while (!stopped) {
      const part = site.part('executor');
      const bytes = part === null ? 0 : residentBytes(part.pid);
      campaign.most('MiB of an executor', Math.round(bytes / 1_048_576));
      campaign.expect('executor-too-large', bytes > MOST_EXECUTOR_BYTES ? `${Math.round(bytes / 1_048_576)} MiB` : null);
      await sleep(10);
    }
  };
  const watching = watch();
  const stop = async (): Promise<void> => {
    stopped = true;
    await watching;
  };
  campaign.cleanup.defer('watch of sizes', stop);
  return { stop };
}

function writeRule(directory: string, id: string, sql: string): void {
  const head = `id: ${id}\nname: Rule ${id}\ndescription: Made to overrun.\nseverity: low\ncategory: test\nversion: 1\n`;
  writeFileSync(join(directory, `${id}.yaml`), `${head}query: |\n  ${sql}\n`);
}
