/**
 * `bench memory`: what the running daemons hold, watched for some minutes with few and with many processes on the
 * machine. They are started as `pnpm start` does, on a copy of Node that nothing else on the machine maps: PSS divides
 * shared pages among all that map them, this benchmark included.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { AgentReplySchema } from '@sentineld/model/reply';
import { askOnce } from '@sentineld/runtime/ipc/client';
import { build } from '../build.ts';
import { lastLines, type Child } from '../start/children.ts';
import { makeSite, startDaemon, startProcmond, whenReady } from './daemons.ts';
import { descendantsOf, memoryOf, programOf } from './process-memory.ts';
import { atMost, type Figures, type Findings } from './report.ts';
import { loadFigures, type Run } from './run.ts';
import { startSleepers } from './sleepers.ts';
import { growthOf, median, rounded } from './statistics.ts';

const FULL = { small: 200, large: 10_000 } as const;
const QUICK = { small: 50, large: 200 } as const;
const MINUTES = 5;
const QUICK_MINUTES = 0.1;
const SAMPLE_MS = 2000;
/** The interval of `pnpm start`; alerts stay out of the pipe that nobody reads here. */
const SETTINGS = ['collection.interval=2s', 'alerting.stdout.enabled=false'];

type Daemons = { readonly procmond: Child; readonly agent: Child; readonly stop: () => Promise<void> };
type Sample = {
  readonly atMs: number;
  readonly procmondRss: number;
  readonly pss: number;
  readonly processes: number;
  readonly byProgram: ReadonlyMap<string, number>;
};

export async function benchMemory(run: Run, { minutes }: { readonly minutes: number | null }): Promise<Findings> {
  const programs = await build();
  const sizes = run.quick ? QUICK : FULL;
  const watchedMs = (run.quick ? QUICK_MINUTES : (minutes ?? MINUTES)) * 60_000;
  const missing: string[] = [];
  const found = new Map<string, readonly Sample[]>();
  for (const [name, count] of Object.entries(sizes)) {
    const sleepers = await startSleepers(run, count);
    if (typeof sleepers === 'string') {
      missing.push(sleepers);
      continue;
    }
    const daemons = await startDaemons(run, programs);
    found.set(name, await watch(run, daemons, watchedMs));
    await daemons.stop();
    await sleepers.stop();
  }
  const [small, large] = [summary(found.get('small')), summary(found.get('large'))];
  return {
    ratios: {},
    figures: { loadAverage: loadFigures(), minutes: watchedMs / 60_000, small: small.figures, large: large.figures },
    targets: [
      atMost('small.procmondRss', small.procmondRss, 85, 'MiB'),
      atMost('large.procmondRss', large.procmondRss, 100, 'MiB'),
      atMost('small.pss', small.pss, 140, 'MiB'),
      ...(
        [
          ['small', small],
          ['large', large],
        ] as const
      ).flatMap(([name, { rssGrowth, pssGrowth }]) => [
        atMost(`${name}.procmondRssGrowth`, rssGrowth, 1, 'MiB'),
        atMost(`${name}.pssGrowth`, pssGrowth, 1, 'MiB'),
      ]),
    ],
    missing,
  };
}

async function startDaemons(run: Run, programs: string): Promise<Daemons> {
  const site = makeSite(run, SETTINGS);
  const procmond = await startProcmond(run, site, programs);
  const agent = startDaemon(run, site, programs, 'sentinelagent');
  await whenReady(agent, site.paths, async () => {
    const { rules } = AgentReplySchema.parse(await askOnce(site.paths.agentSocket, { request: 'health' }));
    return (rules['unverified'] ?? 0) === 0 && (rules['active'] ?? 0) > 0;
  });
  run.progress(`procmond ${procmond.pid} and the agent ${agent.pid} run`);
  return { procmond, agent, stop: site.stop };
}

async function watch(run: Run, { procmond, agent }: Daemons, watchedMs: number): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const started = performance.now();
  for (let dueMs = 0; dueMs <= watchedMs; dueMs += SAMPLE_MS) {
    await sleep(Math.max(0, started + dueMs - performance.now()));
    const ended = [procmond, agent].find((child) => child.hasEnded());
    if (ended !== undefined) throw new Error(`${ended.name} ended while it was watched:\n${lastLines(ended.logFile, 5)}`);
    const sample = takeSample(performance.now() - started, procmond.pid, agent.pid);
    samples.push(sample);
    if (dueMs % 30_000 === 0)
      run.progress(`after ${dueMs / 1000} s: procmond ${sample.procmondRss.toFixed(1)} MiB, all PSS ${sample.pss.toFixed(1)} MiB`);
  }
  return samples;
}

function takeSample(atMs: number, procmond: number, agent: number): Sample {
  const below = descendantsOf(agent);
  if (below.length === 0) throw new Error('the agent has no spawner: nothing below it was found');
  const byProgram = new Map<string, number>();
  let processes = 0;
  for (const pid of [procmond, agent, ...below]) {
    const memory = memoryOf(pid);
    const program = programOf(pid).replace(/\.js$/, '');
    if (memory === null) continue;
    byProgram.set(program, (byProgram.get(program) ?? 0) + memory.pssMiB);
    processes++;
  }
  const pss = [...byProgram.values()].reduce((sum, value) => sum + value, 0);
  return { atMs, procmondRss: memoryOf(procmond)?.rssMiB ?? 0, pss, processes, byProgram };
}

/** A limit is held against the highest value of the second half, when the start is over; growth is that of the second half too. */
function summary(samples: readonly Sample[] | undefined) {
  if (samples === undefined) return { procmondRss: null, pss: null, rssGrowth: null, pssGrowth: null, figures: {} };
  const lastHalf = samples.slice(samples.length >> 1);
  const highestOf = (some: readonly Sample[], value: (sample: Sample) => number): number => rounded(Math.max(...some.map(value)));
  const growth = (value: (sample: Sample) => number): number =>
    rounded(growthOf(lastHalf.map((sample) => ({ atMs: sample.atMs, value: value(sample) }))));
  const programs = [...new Set(samples.flatMap(({ byProgram }) => [...byProgram.keys()]))];
  const pssOf = (program: string): number => rounded(median(samples.flatMap(({ byProgram }) => byProgram.get(program) ?? [])));
  const found = {
    procmondRss: highestOf(lastHalf, (sample) => sample.procmondRss),
    pss: highestOf(lastHalf, (sample) => sample.pss),
    rssGrowth: growth((sample) => sample.procmondRss),
    pssGrowth: growth((sample) => sample.pss),
  };
  const figures: Figures = {
    samples: samples.length,
    processes: highestOf(samples, (sample) => sample.processes),
    procmondRssMiB: found.procmondRss,
    procmondRssPeakMiB: highestOf(samples, (sample) => sample.procmondRss),
    procmondRssMedianMiB: rounded(median(samples.map((sample) => sample.procmondRss))),
    procmondRssGrowthMiB: found.rssGrowth,
    pssMiB: found.pss,
    pssPeakMiB: highestOf(samples, (sample) => sample.pss),
    pssMedianMiB: rounded(median(samples.map((sample) => sample.pss))),
    pssGrowthMiB: found.pssGrowth,
    pssMedianMiBOf: Object.fromEntries(programs.toSorted().map((program) => [program, pssOf(program)])),
  };
  return { ...found, figures };
}
