/**
 * `clock`: the time of day jumps, years forth and hours back, while both daemons work. Scans and rules go on, what is
 * found is reported, no repeat stays suppressed for years, nothing is deleted, and the ledger verifies.
 */
import { chownSync, mkdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { buildShiftedClock, findFaketime, type ShiftedClock } from './rig/clock-shift.ts';
import { eventually } from './rig/eventually.ts';
import { examine, examineQuiet, withDatabase, type Holdings } from './rig/evidence.ts';
import { createHeads } from './rig/ledger-evidence.ts';
import { createBaits, startChurn, type Bait, type Baits } from './rig/load.ts';
import { temporaryDirectory } from './rig/programs.ts';
import { DAEMONS, openSite, settled, type Site } from './rig/site.ts';

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
const JUMPS: readonly number[] = [2 * YEAR_MS, -HOUR_MS, -2 * YEAR_MS, HOUR_MS, -10 * 60_000, 24 * HOUR_MS, -24 * HOUR_MS, 30_000, -30_000];
const WINDOW_MS = 3_000;
const FAKETIME_JUMPS = 4;
/** Smaller ones may be a clock that is set right. */
const LEAST_RECORDED_MS = 60_000;
const JUMP_SLACK_MS = 10_000;
/** It looks once a minute. */
const RETENTION_LOOKS_MS = 70_000;
const PATIENCE_MS = 20_000;
/** Longer than a scan and a cycle take. */
const CALM_MS = 3_000;
/** Somebody who may read the programs and has no rights: a preloaded library does not survive giving up root. */
const USER = { uid: 61_190, gid: 61_190 };

export const clock = defineFault({
  name: 'clock',
  summary: 'the time of day jumps by years and hours, forth and back',
  rounds: JUMPS.length * 2,
  quickRounds: 2,
  needs: ['gcc', 'shared programs'],
  run: async (campaign) => {
    await jumpAgainAndAgain(campaign, buildShiftedClock(campaign.cleanup), campaign.rounds, !campaign.quick);
    const faketime = findFaketime(campaign.cleanup);
    campaign.say(faketime === null ? 'libfaketime is not here: only with a clock of our own' : 'the same with libfaketime');
    if (faketime !== null) await jumpAgainAndAgain(campaign, faketime, Math.min(campaign.rounds, FAKETIME_JUMPS), false);
  },
});

async function jumpAgainAndAgain(campaign: Campaign, shifted: ShiftedClock, rounds: number, waitsForRetention: boolean): Promise<void> {
  const stateDir = join(temporaryDirectory(campaign.cleanup), 's');
  mkdirSync(stateDir, { mode: 0o700 });
  const isRoot = process.getuid?.() === 0;
  if (isRoot) chownSync(stateDir, USER.uid, USER.gid);
  const settings = [`alerting.dedup_window=${WINDOW_MS}ms`, 'storage.retention_age=1h'];
  const site = openSite(campaign, { stateDir, settings, environment: shifted.environment, ...(isRoot && { user: USER }) });
  await settled(site);
  const churn = startChurn(campaign, 10);
  const baits = createBaits(campaign, site);
  const heads = createHeads();
  const first = baits.plant();
  await reported(campaign, baits, first, 1, 'before any jump');
  let offsetMs = 0;
  let held: Holdings | null = null;
  for (let round = 1; round <= rounds; round++) {
    campaign.begin(round);
    const jumpMs = JUMPS[(round - 1) % JUMPS.length] ?? HOUR_MS;
    offsetMs += jumpMs;
    const told = await site.procmond();
    if (told !== null) heads.add(told.ledger, "procmond's health");
    await jump(campaign, site, shifted, jumpMs, offsetMs, baits);
    if (waitsForRetention && round === 1) await retained(campaign, site);
    const now = await examine(campaign, site, heads.all(), { dedupWindowMs: 0 });
    campaign.expect('data-deleted', held === null ? null : lossOf(held, now, jumpMs));
    held = now;
  }
  await churn.stop();
  await judgeEnd(campaign, site, heads.all());
}

async function judgeEnd(campaign: Campaign, site: Site, heads: Parameters<typeof examine>[2]): Promise<void> {
  judgeRows(campaign, site);
  await eventually(PATIENCE_MS, async () => (await site.agent())?.auditWaiting === 0);
  await site.stop();
  const { ledger } = await examine(campaign, site, heads, { dedupWindowMs: 0 });
  examineQuiet(campaign, site, ledger);
  campaign.expect(
    'no-note-of-the-clock',
    ledger.notes.some((note) => note.includes('set back')) ? null : 'the verification does not say that the clock went back',
  );
  campaign.expect('stack-trace', site.stackTrace());
}

async function jump(campaign: Campaign, site: Site, shifted: ShiftedClock, jumpMs: number, offsetMs: number, baits: Baits): Promise<void> {
  const what = `after a jump by ${describe(jumpMs)}`;
  campaign.say(what);
  const gone = baits.plant();
  await reported(campaign, baits, gone, 1, 'before a jump');
  const before = { procmond: await site.procmond(), agent: await site.agent() };
  shifted.shift(offsetMs);
  const jumpedMs = performance.now();
  campaign.count('jumps');
  const goesOn = await eventually(PATIENCE_MS, async () => {
    const [procmond, agent] = [await site.procmond(), await site.agent()];
    return (
      (procmond?.scans ?? 0) > (before.procmond?.scans ?? 0) + 1 &&
      (agent?.lastCycle?.scanId ?? 0) > (before.agent?.lastCycle?.scanId ?? 0) + 1
    );
  });
  if (goesOn !== null) campaign.most('ms until two scans after a jump', Math.round(performance.now() - jumpedMs));
  await judgeEntry(campaign, site, before.procmond?.ledger.sequence ?? 0, jumpMs, what);
  campaign.expect('does-not-go-on', goesOn === null ? `${what}: ${DAEMONS.map((name) => site.lastWords(name)).join(' / ')}` : null);
  await sleep(CALM_MS);
  const health = { procmond: await site.procmond(), agent: await site.agent() };
  const wrong = [health.procmond, health.agent]
    .filter((one) => one === null || one.state === 'failing')
    .map((one) => one?.problems.join('; ') ?? 'no answer');
  campaign.expect('health-wrong', wrong.length === 0 ? null : `${what}: ${wrong.join(' / ')}`);
  const seenMs = (health.procmond?.lastScan?.timestampMs ?? 0) - Date.now();
  campaign.expect(
    'campaign-broke',
    Math.abs(seenMs - offsetMs) < 60_000 ? null : `${what}: the daemon's clock is ${seenMs} ms ahead, not ${offsetMs}`,
  );
  await reported(campaign, baits, baits.plant(), 1, `${what}, a new process`);
  // The window is over by any clock but the one that jumped.
  baits.again(gone);
  await reported(campaign, baits, gone, 2, `${what}, what was reported before it`);
}

/** The ledger says that the time of day jumped, and by how much. */
async function judgeEntry(campaign: Campaign, site: Site, after: number, jumpMs: number, what: string): Promise<void> {
  if (Math.abs(jumpMs) < LEAST_RECORDED_MS) return;
  const jumps = (): readonly number[] =>
    withDatabase(site.paths.ledgerDb, (all) =>
      all("SELECT json_extract(event_data, '$.jump_ms') AS ms FROM audit_ledger WHERE action = 'time_jump' AND sequence > ?", after),
    ).map(({ ms }) => Number(ms));
  const isSaid = await eventually(PATIENCE_MS, () => jumps().some((ms) => Math.abs(ms - jumpMs) < JUMP_SLACK_MS));
  campaign.expect('jump-not-in-ledger', isSaid === null ? `${what}: the ledger has jumps by ${jumps().join(', ') || 'nothing'}` : null);
}

/** What is kept for an hour is kept, whatever the time of day says: also by a procmond that starts at such a time. */
async function retained(campaign: Campaign, site: Site): Promise<void> {
  campaign.say('until it has looked for what is too old, and a new procmond until it has');
  await sleep(RETENTION_LOOKS_MS);
  campaign.expect('data-deleted', deletionIn(site));
  await site.running('procmond')?.stop();
  site.start('procmond');
  await sleep(RETENTION_LOOKS_MS);
  campaign.expect('data-deleted-after-restart', deletionIn(site));
}

function deletionIn(site: Site): string | null {
  const [first] = withDatabase(site.paths.ledgerDb, (all) => all("SELECT event_data AS data FROM audit_ledger WHERE action = 'retention'"));
  return first === undefined ? null : `because of a time of day that was set: ${String(first['data'])}`;
}

async function reported(campaign: Campaign, baits: Baits, bait: Bait, times: number, what: string): Promise<void> {
  const startedMs = performance.now();
  const found = await eventually(PATIENCE_MS, () => baits.alertsOf(bait).length >= times);
  if (found !== null) campaign.most('ms until an alert', Math.round(performance.now() - startedMs));
  campaign.expect(
    times > 1 ? 'suppressed-for-ever' : 'alert-lost',
    found === null ? `${what}: ${baits.alertsOf(bait).length} alerts, not ${times}` : null,
  );
  baits.end(bait);
}

function lossOf(before: Holdings, after: Holdings, jumpMs: number): string | null {
  const lost = [
    ...(after.scans < before.scans ? [`${before.scans} scans, then ${after.scans}`] : []),
    ...(after.alerts < before.alerts ? [`${before.alerts} alerts, then ${after.alerts}`] : []),
    ...(after.ledger.entries < before.ledger.entries ? [`${before.ledger.entries} entries, then ${after.ledger.entries}`] : []),
  ];
  return lost.length === 0 ? null : `after a jump by ${describe(jumpMs)}: ${lost.join('; ')}`;
}

/** What was measured over time must not have been measured with the clock that jumped. */
function judgeRows(campaign: Campaign, site: Site): void {
  withDatabase(site.paths.eventsDb, (all) => {
    const intervals = all('SELECT scan_id, interval_ms FROM coverage WHERE interval_ms < 0 OR interval_ms > 60000');
    campaign.count('scans with a wrong interval', intervals.length);
    campaign.expect(
      'interval-wrong',
      intervals.length === 0
        ? null
        : `scan ${String(intervals[0]?.['scan_id'])} says that the one before was ${String(intervals[0]?.['interval_ms'])} ms ago`,
    );
    const most = 150 * cpus().length;
    const loads = all(`SELECT pid, scan_id, cpu_percent FROM process_snapshots WHERE cpu_percent < 0 OR cpu_percent > ${most} LIMIT 5`);
    campaign.expect(
      'cpu-wrong',
      loads.length === 0
        ? null
        : `pid ${String(loads[0]?.['pid'])} used ${String(loads[0]?.['cpu_percent'])} % of a core in scan ${String(loads[0]?.['scan_id'])}`,
    );
    const scans = all('SELECT id, duration_ms FROM scan_metadata WHERE duration_ms < 0 OR duration_ms > 60000');
    campaign.expect(
      'duration-wrong',
      scans.length === 0 ? null : `scan ${String(scans[0]?.['id'])} took ${String(scans[0]?.['duration_ms'])} ms`,
    );
  });
}

function describe(ms: number): string {
  const [amount, unit] =
    Math.abs(ms) >= YEAR_MS ? [ms / YEAR_MS, 'years'] : Math.abs(ms) >= HOUR_MS ? [ms / HOUR_MS, 'hours'] : [ms / 1_000, 'seconds'];
  return `${amount > 0 ? '+' : ''}${amount} ${unit}`;
}
