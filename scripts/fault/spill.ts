/**
 * `spill`: procmond is killed at random moments while events go to spill files, because nothing can be stored, and while
 * they are stored at last. Whatever a file held is stored once, in its order; what is damaged is counted and nothing else.
 */
import { readFileSync, readdirSync, statSync, truncateSync, existsSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { buildProgram } from './rig/compiled.ts';
import { eventually } from './rig/eventually.ts';
import { examine, withDatabase } from './rig/evidence.ts';
import { startHelper, type Helper } from './rig/helper.ts';
import { startBulk } from './rig/load.ts';
import { startLongReader } from './rig/long-reader.ts';
import { signalProcess } from './rig/processes.ts';
import { openSite, scansMore, settled, type Site } from './rig/site.ts';

const SETTINGS = ['storage.wal_limit=8MiB', 'collection.queue.limit=100', 'collection.queue.policy=spill-to-disk'];
/** Events pour in, and the machine is not busy with that alone. */
const RATE = 400;
/** Longer than a campaign takes; it ends with the campaign. */
const STORM_SECONDS = 36_000;
const PATIENCE_MS = 90_000;
/** Kills between two times that all is stored and looked at. */
const KILLS_A_TIME = 20;

type Spilled = { readonly sequence: number; readonly key: string };

export const spill = defineFault({
  name: 'spill',
  summary: 'SIGKILL to procmond while events go to spill files and come back',
  rounds: 200,
  quickRounds: 20,
  needs: ['root', 'gcc'],
  world: 'host pids',
  run: async (campaign) => {
    const program = buildProgram(campaign.cleanup, 'exec-storm');
    const site = openSite(campaign, { settings: SETTINGS });
    await settled(site);
    const acknowledged = new Map<number, string>();
    for (let done = 0; done < campaign.rounds; done += KILLS_A_TIME) {
      const kills = Math.min(KILLS_A_TIME, campaign.rounds - done);
      await killWhileSpilling(campaign, site, program, acknowledged, done, kills);
      await judgeStored(campaign, site, acknowledged);
    }
    campaign.count('events that spill files held', acknowledged.size);
    campaign.expect('campaign-broke', acknowledged.size < campaign.rounds ? `only ${acknowledged.size} events went to spill files` : null);
    await site.stop();
    await examine(campaign, site, []);
    campaign.expect('stack-trace', site.stackTrace());
  },
});

/** Some kills while nothing can be stored, and some while all that waits is being stored. */
async function killWhileSpilling(
  campaign: Campaign,
  site: Site,
  program: string,
  acknowledged: Map<number, string>,
  done: number,
  kills: number,
): Promise<void> {
  let reader: Helper | null = await startLongReader(campaign, site);
  await pauseStoring(campaign, site);
  const helper = startHelper(campaign, program, [String(STORM_SECONDS), String(RATE), '1']);
  await helper.answer('ready');
  helper.say('go');
  const letGoAt = Math.ceil(kills * 0.6);
  for (let kill = 1; kill <= kills; kill++) {
    campaign.begin(done + kill);
    if (kill > letGoAt && reader !== null) {
      await reader.end();
      reader = null;
    }
    await killOnce(campaign, site, acknowledged);
  }
  signalProcess(helper.process, 'SIGKILL');
  await helper.ended;
  await reader?.end();
}

async function pauseStoring(campaign: Campaign, site: Site): Promise<void> {
  const bulk = startBulk(campaign);
  const isPaused = await eventually(PATIENCE_MS, async () => (await site.procmond())?.collection.storage.paused?.kind === 'log_held');
  await bulk.stop();
  if (isPaused === null) throw new Error(`storing is never paused: ${site.lastWords('procmond')}`);
}

async function killOnce(campaign: Campaign, site: Site, acknowledged: Map<number, string>): Promise<void> {
  const { random } = campaign;
  const daemon = site.running('procmond') ?? site.start('procmond');
  // Some kills hit the start, most hit what comes after it.
  if (random.chance(0.8)) await eventually(PATIENCE_MS, () => site.procmond());
  await sleep(random.between(0, 1_200));
  signalProcess(daemon.process, 'SIGKILL');
  const { signal, status } = await daemon.ended;
  campaign.expect('ended-by-itself', signal === 'SIGKILL' ? null : `procmond: status ${status ?? 'none'}: ${site.lastWords('procmond')}`);
  campaign.count('kills');
  if (random.chance(0.2)) tearTail(campaign, site, acknowledged);
  for (const { sequence, key } of spilledIn(site)) {
    const known = acknowledged.get(sequence);
    campaign.expect('number-given-twice', known === undefined || known === key ? null : `${sequence}: ${known}, then ${key}`);
    acknowledged.set(sequence, key);
  }
  site.start('procmond');
}

/** As a disk leaves it that lost its newest bytes: what was torn is not acknowledged any more. */
function tearTail(campaign: Campaign, site: Site, acknowledged: Map<number, string>): void {
  const path = segmentsOf(site).at(-1);
  if (path === undefined || statSync(path).size < 100) return;
  const lines = readFileSync(path, 'latin1').split('\n');
  const last = lines.at(-2) ?? '';
  truncateSync(path, statSync(path).size - 1 - campaign.random.between(1, Math.max(1, last.length - 2)));
  acknowledged.delete(Number(last.split(' ')[1]));
  campaign.count('tails torn');
}

function segmentsOf(site: Site): readonly string[] {
  const directory = site.paths.spillDir;
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory).filter((name) => name !== 'cursor');
  return names.toSorted().map((name) => join(directory, name));
}

/** Every whole line of every file: a check over the rest, a number, the event. */
function spilledIn(site: Site): readonly Spilled[] {
  return segmentsOf(site).flatMap((path) =>
    readFileSync(path, 'utf8')
      .split('\n')
      .slice(0, -1)
      .flatMap((line) => {
        const body = line.slice(17);
        if (line.slice(0, 16) !== createHash('sha256').update(body).digest('hex').slice(0, 16)) return [];
        const space = body.indexOf(' ');
        const event = JSON.parse(body.slice(space + 1)) as Readonly<Record<string, unknown>>;
        return [
          { sequence: Number(body.slice(0, space)), key: keyOf(event['kind'], event['pid'], event['startTicks'], event['timestampMs']) },
        ];
      }),
  );
}

function keyOf(...parts: readonly unknown[]): string {
  return parts.map(String).join(' ');
}

async function judgeStored(campaign: Campaign, site: Site, acknowledged: ReadonlyMap<number, string>): Promise<void> {
  await settled(site);
  const isDrained = await eventually(PATIENCE_MS, async () => {
    const health = await site.procmond();
    return (
      health !== null && health.collection.storage.paused === null && health.collection.events.queued === 0 && segmentsOf(site).length <= 1
    );
  });
  const left = await site.procmond();
  campaign.expect(
    'not-drained',
    isDrained === null ? `${left?.collection.events.queued ?? 'unknown'} events wait: ${left?.problems.join('; ') ?? 'no answer'}` : null,
  );
  await scansMore(site, 1);
  const rows = withDatabase(site.paths.eventsDb, (all) =>
    all('SELECT seq, event, pid, start_ticks AS start, timestamp_ms AS at FROM process_events ORDER BY seq'),
  );
  const places = Map.groupBy(rows, (row) => keyOf(row['event'], row['pid'], row['start'], row['at']));
  judgeEach(campaign, acknowledged, places);
  campaign.say(`${acknowledged.size} events that files held, ${rows.length} are stored`);
}

type Row = Readonly<Record<string, unknown>>;

function judgeEach(campaign: Campaign, acknowledged: ReadonlyMap<number, string>, places: ReadonlyMap<string, readonly Row[]>): void {
  const inOrder = [...acknowledged].toSorted(([a], [b]) => a - b);
  const times = Map.groupBy(inOrder, ([, key]) => key);
  const lost = inOrder.filter(([, key]) => !places.has(key));
  campaign.expect(
    'event-lost',
    lost.length === 0 ? null : `${lost.length} events, the first is number ${lost[0]?.[0] ?? 0}: ${lost[0]?.[1] ?? ''}`,
  );
  // A process may call exec twice within a millisecond: as often as files held it is right.
  const twice = [...times].filter(([key, spilled]) => (places.get(key)?.length ?? 0) > spilled.length);
  campaign.expect('event-twice', twice.length === 0 ? null : `${twice.length} events, the first is ${twice[0]?.[0] ?? ''}`);
  let before = 0;
  let wrong = 0;
  const met = new Map<string, number>();
  for (const [, key] of inOrder) {
    // The second of two that look alike is the second that is stored.
    const occurrence = met.get(key) ?? 0;
    met.set(key, occurrence + 1);
    const at = Number(places.get(key)?.[occurrence]?.['seq'] ?? before);
    if (at < before) wrong++;
    before = Math.max(before, at);
  }
  campaign.expect('order-changed', wrong === 0 ? null : `${wrong} events are stored after younger ones`);
}
