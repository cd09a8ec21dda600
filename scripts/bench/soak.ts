/**
 * `bench soak`: procmond beside many processes of which some end and others start all the time, for ten minutes, with
 * process events: what it costs in CPU, memory and bytes on disk, and whether it sees those that come and go.
 */
import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { askOnce } from '@sentineld/runtime/ipc/client';
import { build } from '../build.ts';
import { lastLines, type Child } from '../start/children.ts';
import { makeSite, startProcmond, type Site } from './daemons.ts';
import { readCollection, type CollectionReply } from './collection-reply.ts';
import { memoryOf, processCpuMs } from './process-memory.ts';
import { atLeast, atMost, type Findings } from './report.ts';
import { loadFigures, type Run } from './run.ts';
import { startSleepers } from './sleepers.ts';
import { growthOf, rounded } from './statistics.ts';

const FULL = { processes: 10_000, minutes: 10 } as const;
const QUICK = { processes: 200, minutes: 0.2 } as const;
const INTERVAL_SECONDS = 5;
/** Of all processes, between two scans. */
const CHURN = 0.02;
const SAMPLE_MS = 5000;
const DAY_SECONDS = 86_400;
/** What the first scans cost is not what it costs in the long run. */
const SETTLE_MS = 15_000;

type Sample = {
  readonly atMs: number;
  readonly cpuMs: number;
  readonly rss: number;
  readonly bytes: number;
  readonly collection: CollectionReply;
};

export async function benchSoak(run: Run, { minutes }: { readonly minutes: number | null }): Promise<Findings> {
  const programs = await build();
  const { processes, minutes: usual } = run.quick ? QUICK : FULL;
  const watchedMs = (minutes ?? usual) * 60_000;
  const perSecond = (processes * CHURN) / INTERVAL_SECONDS;
  const sleepers = await startSleepers(run, processes, perSecond);
  if (typeof sleepers === 'string') return { ratios: {}, figures: {}, targets: targetsOf(null), missing: [sleepers] };
  const site = makeSite(run, [`collection.interval=${INTERVAL_SECONDS}s`, 'collection.events=auto']);
  const procmond = await startProcmond(run, site, programs);
  await sleep(run.quick ? 0 : SETTLE_MS);
  const samples = await watch(run, site, procmond, watchedMs);
  await site.stop();
  const { tier } = samples.at(-1)?.collection.events ?? { tier: 'off' };
  await sleepers.stop();
  const found = summary(samples);
  const missing = tier === 'kernel' ? [] : [`process events from the kernel (they are ${tier})`];
  return {
    ratios: {},
    figures: { loadAverage: loadFigures(), minutes: watchedMs / 60_000, processes, startedPerSecond: perSecond, ...found },
    targets: targetsOf(found),
    missing,
  };
}

function targetsOf(found: ReturnType<typeof summary> | null) {
  return [
    atMost('cpuPercent', found?.cpuPercent ?? null, 5, '%'),
    atMost('rssMiB', found?.rssMiB ?? null, 100, 'MiB'),
    atMost('rssGrowthMiB', found?.rssGrowthMiB ?? null, 1, 'MiB'),
    atLeast('execsSeenShare', found?.execsSeenShare ?? null, 0.999, ''),
  ];
}

async function watch(run: Run, site: Site, procmond: Child, watchedMs: number): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const started = performance.now();
  for (let dueMs = 0; dueMs <= watchedMs; dueMs += SAMPLE_MS) {
    await sleep(Math.max(0, started + dueMs - performance.now()));
    if (procmond.hasEnded()) throw new Error(`procmond ended while it was watched:\n${lastLines(procmond.logFile, 5)}`);
    const sample = {
      atMs: performance.now() - started,
      cpuMs: processCpuMs(procmond.pid),
      rss: memoryOf(procmond.pid)?.rssMiB ?? 0,
      bytes: bytesOf(site),
      collection: readCollection(await askOnce(site.paths.procmondSocket, { request: 'health' })),
    };
    samples.push(sample);
    if (samples.length % 12 === 1) run.progress(progressOf(samples[0] ?? sample, sample));
  }
  return samples;
}

function progressOf(first: Sample, { atMs, cpuMs, rss, bytes, collection }: Sample): string {
  const cpu = atMs - first.atMs > 0 ? (((cpuMs - first.cpuMs) / (atMs - first.atMs)) * 100).toFixed(2) : '-';
  const { execs, lost, dropped } = collection.events.total;
  const events = `${execs} execs, ${lost} lost, ${dropped} dropped`;
  return `after ${Math.round(atMs / 1000)} s: CPU ${cpu} %, ${rss.toFixed(1)} MiB, ${(bytes / 2 ** 20).toFixed(1)} MiB on disk, ${events}`;
}

/** The databases with their logs: what was written and is not moved yet is on disk too. */
function bytesOf({ paths }: Site): number {
  return [paths.eventsDb, `${paths.eventsDb}-wal`, paths.ledgerDb, `${paths.ledgerDb}-wal`]
    .map((file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0)
    .reduce((sum, size) => sum + size, 0);
}

function summary(samples: readonly Sample[]) {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined) throw new Error('no samples were taken');
  const lastHalf = samples.slice(samples.length >> 1);
  const seconds = (last.atMs - first.atMs) / 1000;
  const bytesPerSecond = growthOf(lastHalf.map(({ atMs, bytes }) => ({ atMs, value: bytes }))) / (seconds / 2);
  const [before, after] = [first.collection.events.total, last.collection.events.total];
  const execs = after.execs - before.execs;
  const missed = after.lost - before.lost + after.dropped - before.dropped;
  return {
    cpuPercent: rounded((last.cpuMs - first.cpuMs) / seconds / 10),
    rssMiB: rounded(Math.max(...lastHalf.map(({ rss }) => rss))),
    rssPeakMiB: rounded(Math.max(...samples.map(({ rss }) => rss))),
    rssGrowthMiB: rounded(growthOf(lastHalf.map(({ atMs, rss }) => ({ atMs, value: rss })))),
    mebibytesPerDay: rounded((bytesPerSecond * DAY_SECONDS) / 2 ** 20),
    execs,
    lost: missed,
    argvMissed: after.argvMissed - before.argvMissed,
    execsSeenShare: execs + missed === 0 ? 0 : rounded(execs / (execs + missed)),
    budgetLevel: Math.max(...samples.map(({ collection }) => collection.budget.level)),
  };
}
