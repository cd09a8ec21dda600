/**
 * `power-loss`: the power goes while the ledger is written, at random points, with a random part of what was not synced on
 * disk; now and then a second time while the first is mended. Writers run under record, and the record makes the disks; each
 * is opened by the writer and verified whole. Controls show that the simulator finds what is not synced.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineFault, type Campaign } from './rig/campaign.ts';
import { startLedgerChild } from './rig/ledger-child.ts';
import type { Problem } from './rig/ledger-history.ts';
import { judgeLedger } from './rig/ledger-judge.ts';
import type { Acknowledgement, LoadPlan } from './rig/ledger-load.ts';
import { createPromises, type Promises } from './rig/ledger-promises.ts';
import { controlDatabase } from './rig/power-control.ts';
import { diskOf, emptyDisk, replay, writeImage, type Disk, type Honoured } from './rig/power-image.ts';
import {
  buildPowerRecorder,
  failingSyncs,
  type FailingSyncs,
  type PowerLog,
  type PowerRecord,
  type PowerRecorder,
} from './rig/power-log.ts';
import { drawPoint, type PowerPoint } from './rig/power-points.ts';
import { temporaryDirectory } from './rig/programs.ts';
import { createRandom, type Random } from './rig/random.ts';

const CLIENTS = ['alpha', 'beta', 'gamma', 'delta'] as const;
/** Losses of power out of one log. */
const DISKS_OF_ONE = 34;
const DISKS_OF_ONE_QUICKLY = 14;
/** What the disk does while a log is made, one after the other: it works, fails now and then, or fails and the writer is killed. */
const SYNCS: readonly (FailingSyncs | null)[] = [null, { every: 40, isDeadly: false }, { every: 60, isDeadly: true }];
/** Runs of the writer in one log, each of which goes on where the one before ended. */
const RUNS = 3;
/** Requests to a writer that was opened on what is left. */
const STEPS_AFTERWARDS = 12;
const STEPS_UNDER_RECORD = 300;
const CONTROLS = 6;
const AT_ONCE = 2;
const AGAIN = 0.3;

export const powerLoss = defineFault({
  name: 'power-loss',
  summary: 'the power goes while the ledger is written (simulated from a record of writes and syncs)',
  rounds: 400,
  quickRounds: 40,
  needs: ['gcc'],
  run: async (campaign) => {
    const recorder = buildPowerRecorder(campaign.cleanup);
    await controlDatabase(campaign, recorder);
    for (let done = 0, log = 0; done < campaign.rounds; log++) {
      const disks = Math.min(campaign.quick ? DISKS_OF_ONE_QUICKLY : DISKS_OF_ONE, campaign.rounds - done);
      const recorded = await record(campaign, recorder, SYNCS[log % SYNCS.length] ?? null);
      await loseOften(campaign, recorder, recorded, done, disks);
      if (done === 0) await control(campaign, recorded);
      done += disks;
      campaign.say(`${done} of ${campaign.rounds} losses of power`);
    }
  },
});

type Recorded = { readonly root: string; readonly records: readonly PowerRecord[] };

/** Lets the writer work under record: it is killed, goes on, and ends by itself at last. */
async function record(campaign: Campaign, recorder: PowerRecorder, failing: FailingSyncs | null): Promise<Recorded> {
  const directory = temporaryDirectory(campaign.cleanup);
  const root = join(directory, 'ledger');
  mkdirSync(root, { mode: 0o750 });
  const log = recorder.begin(root, join(directory, 'power.log'));
  const promises = createPromises(CLIENTS);
  for (let run = 1; run <= RUNS; run++) await recordRun(campaign, log, { root, promises, isLast: run === RUNS, failing });
  const records = log.read();
  for (const { kind } of records) campaign.count(`recorded: ${kind}`);
  return { root, records };
}

type Run = { readonly root: string; readonly promises: Promises; readonly isLast: boolean; readonly failing: FailingSyncs | null };

async function recordRun(campaign: Campaign, log: PowerLog, { root, promises, isLast, failing }: Run): Promise<void> {
  const { random } = campaign;
  const isDeadly = failing?.isDeadly ?? false;
  const environment = failing === null || (isDeadly && isLast) ? log.environment : { ...log.environment, ...failingSyncs(failing) };
  const work = planOf(random, root, promises, STEPS_UNDER_RECORD);
  // Where syncs fail the writer is left as it is at the end: emptying the log of writes could fail too.
  const plan: LoadPlan = failing === null ? work : { ...work, isFailing: true, end: 'kill' };
  const child = startLedgerChild(campaign, 'ledger-load-main', [JSON.stringify(isLast ? plan : { ...plan, steps: null })], environment);
  if (!isLast && !isDeadly) {
    await child.told();
    await sleep(random.between(300, 1_200));
    log.stop(true);
  }
  const problem = problemOf(await child.ended, child.lines, promises);
  log.stop(false);
  // One that was killed has come to no end of its own.
  if (problem !== null && (isLast || problem.what === 'writer-failed')) campaign.find(`${problem.what}-under-record`, problem.detail);
}

function planOf(random: Random, directory: string, promises: Promises, steps: number): LoadPlan {
  const likelihoods = { checkpoints: 0.15, rotations: 0.06, archives: 0.06 };
  const times = { keptMs: 300, pauseMs: 1, checkpointEntries: 64 };
  const how = { seed: random.between(1, 1_000_000), signEntries: random.chance(0.25), end: 'stop', isFailing: false } as const;
  return { directory, clients: promises.clients(), ...likelihoods, ...times, ...how, steps };
}

/** Keeps what was told as promised; what is wrong with a run that should have come to its end. */
function problemOf(errors: string, lines: readonly string[], promises: Promises): Problem | null {
  const told = lines.map((line) => JSON.parse(line) as Acknowledgement);
  for (const acknowledgement of told) promises.add(acknowledgement);
  const failure = told.find((acknowledgement) => acknowledgement.told === 'failure');
  if (failure !== undefined) return { what: 'writer-failed', detail: `${failure.code}: ${failure.why}` };
  return told.at(-1)?.told === 'done' ? null : { what: 'writer-ended', detail: errors };
}

async function loseOften(campaign: Campaign, recorder: PowerRecorder, recorded: Recorded, before: number, disks: number): Promise<void> {
  let next = before;
  const lane = async (): Promise<void> => {
    const directory = temporaryDirectory(campaign.cleanup);
    while (next < before + disks) {
      const round = ++next;
      // Each disk has its own randomness, because which one is made first is not for the seed to say.
      const own = { ...campaign, random: createRandom(campaign.seed * 100_000 + round) };
      const { point, problems } = await losePower(own, recorded, 'all', directory, recorder);
      campaign.begin(round);
      for (const { what, detail } of problems)
        campaign.find(what, `${point.where}, after ${point.at} of ${recorded.records.length} records: ${detail}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

type Loss = { readonly point: PowerPoint; readonly problems: readonly Problem[] };

/** Makes one disk, lets the writer go on with it, and judges what is there then. */
async function losePower(
  campaign: Campaign,
  { root, records }: Recorded,
  honoured: Honoured,
  directory: string,
  recorder: PowerRecorder | null,
): Promise<Loss> {
  const { random } = campaign;
  const point = drawPoint(records, random);
  const promises = createPromises(CLIENTS);
  const disk = join(directory, 'disk');
  writeLost(campaign, emptyDisk(), { root, records: records.slice(0, point.at) }, promises, honoured, disk);
  campaign.count(`power lost ${point.where}`);
  if (recorder === null || !random.chance(AGAIN)) return { point, problems: await goOn(campaign, disk, promises) };
  const safe = diskOf(disk);
  const log = recorder.begin(disk, join(directory, 'power.log'));
  const words = [JSON.stringify(planOf(random, disk, promises, STEPS_AFTERWARDS))];
  const child = startLedgerChild(campaign, 'ledger-load-main', words, log.environment);
  const first = problemOf(await child.ended, child.lines, createPromises(CLIENTS));
  const again = log.read();
  const second = join(directory, 'second disk');
  writeLost(campaign, safe, { root: disk, records: again.slice(0, random.between(0, again.length)) }, promises, honoured, second);
  campaign.count('power lost again');
  return { point, problems: [...(first === null ? [] : [first]), ...(await goOn(campaign, second, promises))] };
}

/** One of the states that a disk may be in after these records; what was promised among them is kept. */
function writeLost(
  campaign: Campaign,
  disk: Disk,
  { root, records }: Recorded,
  promises: Promises,
  honoured: Honoured,
  target: string,
): void {
  for (const record of records) {
    replay(disk, record, campaign.random, honoured);
    if (record.kind === 'mark') promises.add(JSON.parse(record.text) as Acknowledgement);
  }
  const figures = writeImage(disk, root, target, campaign.random);
  for (const [what, count] of Object.entries(figures)) campaign.count(`changes without a sync ${what}`, count);
}

/** The writer opens what is left and works for a while; what it promises now counts too. */
async function goOn(campaign: Campaign, directory: string, promises: Promises): Promise<readonly Problem[]> {
  const held = promises.count();
  const plan = planOf(campaign.random, directory, promises, STEPS_AFTERWARDS);
  const child = startLedgerChild(campaign, 'ledger-load-main', [JSON.stringify(plan)]);
  const problem = problemOf(await child.ended, child.lines, promises);
  if (problem !== null) return [problem];
  campaign.count('promises held against disks', held);
  return judgeLedger(directory, promises).problems;
}

/** A simulator that finds nothing where nothing was synced would find nothing at all. */
async function control(campaign: Campaign, recorded: Recorded): Promise<void> {
  const directory = temporaryDirectory(campaign.cleanup);
  const silent = { ...campaign, count: () => undefined };
  for (const honoured of ['no files', 'no names'] as const) {
    let found = 0;
    for (let disk = 0; disk < CONTROLS; disk++)
      found += (await losePower(silent, recorded, honoured, directory, null)).problems.length > 0 ? 1 : 0;
    campaign.count(`control, ${honoured} synced: disks that lost something, of ${CONTROLS}`, found);
    campaign.expect('control-finds-nothing', found === 0 ? `${CONTROLS} disks of which ${honoured} were synced lost nothing` : null);
  }
}
