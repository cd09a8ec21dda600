/**
 * `bench enumerate`: what one look at every process costs in CPU time, our source beside a C program that reads the files
 * which hold the same, and beside ps, psutil and ps-list, in one interleaved run over real sleeping processes.
 */
import { countProcesses } from './machine-limits.ts';
import { findReaders, READER_NAMES, type Reader, type ReaderName, type Toolbox } from './proc-readers.ts';
import { atMost, type Figures, type Findings } from './report.ts';
import { loadFigures, type Run } from './run.ts';
import { startSleepers } from './sleepers.ts';
import { median, rounded } from './statistics.ts';
import type { Measured } from './line-child.ts';

type Size = { readonly name: 'small' | 'large'; readonly sleepers: number; readonly rounds: number };

const FULL: readonly Size[] = [
  { name: 'small', sleepers: 1000, rounds: 25 },
  { name: 'large', sleepers: 10_000, rounds: 17 },
];
const QUICK: readonly Size[] = [
  { name: 'small', sleepers: 100, rounds: 2 },
  { name: 'large', sleepers: 200, rounds: 2 },
];
const FEW_ROUNDS = 5;

/** One reader's medians at one size. */
type Cost = { readonly cpuMs: number; readonly wallMs: number; readonly count: number };
type Costs = ReadonlyMap<ReaderName, Cost>;

export async function benchEnumerate(run: Run): Promise<Findings> {
  const toolbox = await findReaders(run);
  const missing = [...toolbox.missing];
  const ps = toolbox.starters.get('ps');
  const few = ps === undefined ? null : (await measureRounds(run, [ps(0)], FEW_ROUNDS, 0)).get('ps');
  const bySize = new Map<string, Costs>();
  for (const size of run.quick ? QUICK : FULL) {
    const costs = await measureSize(run, toolbox, size);
    if (typeof costs === 'string') missing.push(costs);
    else bySize.set(size.name, costs);
  }
  const costsOf = (name: string): Costs => bySize.get(name) ?? new Map<ReaderName, Cost>();
  const sizes = { small: ratiosOf(costsOf('small')), large: ratiosOf(costsOf('large')) };
  const linear = growthOf(costsOf('small'), costsOf('large'));
  for (const line of table(costsOf('large'))) run.print(line);
  return {
    ratios: { ...sizes, largeOverSmall: linear },
    figures: {
      loadAverage: loadFigures(),
      few: { processes: few?.count ?? null, psCpuMs: few?.cpuMs ?? null },
      small: figuresOf(costsOf('small'), few?.cpuMs ?? null),
      large: figuresOf(costsOf('large'), few?.cpuMs ?? null),
    },
    targets: [
      ...Object.entries(sizes).flatMap(([size, ratio]) => [
        atMost(`${size}.coldOverC`, ratio.coldOverC, 1),
        atMost(`${size}.steadyOverC`, ratio.steadyOverC, 0.28),
        atMost(`${size}.steadyOverPs`, ratio.steadyOverPs, rounded(1 / 7)),
        atMost(`${size}.steadyOverPsutil`, ratio.steadyOverPsutil, rounded(1 / 10)),
      ]),
      atMost('largeOverSmall.cold', linear.cold, 1.15),
      atMost('largeOverSmall.steady', linear.steady, 1.15),
    ],
    missing,
  };
}

async function measureSize(run: Run, toolbox: Toolbox, size: Size): Promise<Costs | string> {
  const sleepers = await startSleepers(run, size.sleepers);
  if (typeof sleepers === 'string') return sleepers;
  const readers = [...toolbox.starters.values()].map((start) => start(size.sleepers));
  const costs = await measureRounds(run, readers, size.rounds, size.sleepers);
  await sleepers.stop();
  run.progress(`they are ended: ${countProcesses()} processes are left`);
  return costs;
}

/** Each reader once per round, every round beginning with another one; one scan of each before, which is not counted. */
async function measureRounds(run: Run, readers: readonly Reader[], rounds: number, atLeast: number): Promise<Costs> {
  const taken = new Map<ReaderName, Measured[]>(readers.map(({ name }) => [name, []]));
  for (const reader of readers) await scanWith(reader, atLeast);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < readers.length; i++) {
      const reader = readers[(round + i) % readers.length];
      if (reader !== undefined) taken.get(reader.name)?.push(await scanWith(reader, atLeast));
    }
    if (atLeast > 0) run.progress(`${atLeast} processes: round ${round + 1} of ${rounds}`);
  }
  for (const reader of readers) await reader.stop();
  return new Map([...taken].map(([name, measured]) => [name, medians(measured)]));
}

async function scanWith(reader: Reader, atLeast: number): Promise<Measured> {
  const measured = await reader.scan();
  if (measured.count < atLeast) throw new Error(`${reader.name} found ${measured.count} processes, but ${atLeast} sleep`);
  return measured;
}

function medians(measured: readonly Measured[]): Cost {
  return {
    cpuMs: rounded(median(measured.map(({ cpuMs }) => cpuMs))),
    wallMs: rounded(median(measured.map(({ wallMs }) => wallMs))),
    count: median(measured.map(({ count }) => count)),
  };
}

function ratiosOf(costs: Costs) {
  const ratio = (ours: ReaderName, theirs: ReaderName): number | null => {
    const [a, b] = [costs.get(ours), costs.get(theirs)];
    return a === undefined || b === undefined ? null : rounded(a.cpuMs / b.cpuMs);
  };
  return {
    coldOverC: ratio('cold', 'c'),
    steadyOverC: ratio('steady', 'c'),
    steadyOverPs: ratio('steady', 'ps'),
    steadyOverPsutil: ratio('steady', 'psutil'),
    steadyOverPsList: ratio('steady', 'psList'),
    firstScanOverC: ratio('firstScan', 'c'),
    coldOverCSameReads: ratio('cold', 'cSameReads'),
    coldPlainOverC: ratio('coldPlain', 'c'),
    steadyHalfHeldOverC: ratio('steadyHalfHeld', 'c'),
    coldOverCFewest: ratio('cold', 'cFewest'),
    steadyOverCFewest: ratio('steady', 'cFewest'),
    steadyOverCHeld: ratio('steady', 'cHeld'),
  };
}

/** What one process costs among many, over what it costs among few: 1 where the work grows as the number does. */
function growthOf(small: Costs, large: Costs) {
  const perProcess = (costs: Costs, name: ReaderName): number | null => {
    const cost = costs.get(name);
    return cost === undefined ? null : cost.cpuMs / cost.count;
  };
  const growth = (name: ReaderName): number | null => {
    const [few, many] = [perProcess(small, name), perProcess(large, name)];
    return few === null || many === null ? null : rounded(many / few);
  };
  return { cold: growth('cold'), steady: growth('steady'), c: growth('c') };
}

function figuresOf(costs: Costs, psStartMs: number | null): Figures {
  const perThousand = (value: (cost: Cost) => number): Figures =>
    Object.fromEntries(
      READER_NAMES.map((name) => {
        const cost = costs.get(name);
        return [name, cost === undefined ? null : rounded((value(cost) * 1000) / cost.count)];
      }),
    );
  const ps = costs.get('ps')?.cpuMs;
  return {
    processes: costs.get('steady')?.count ?? null,
    cpuMsPer1000: perThousand(({ cpuMs }) => cpuMs),
    wallMsPer1000: perThousand(({ wallMs }) => wallMs),
    // Of what ps takes here, what it takes with few processes: mostly its start.
    psStartShare: ps === undefined || psStartMs === null ? null : rounded(psStartMs / ps),
  };
}

function table(costs: Costs): string[] {
  const line = (name: string, cpu: string, wall: string): string => `${name.padEnd(12)}${cpu.padStart(14)}${wall.padStart(14)}`;
  const ms = (value: number, count: number): string => ((value * 1000) / count).toFixed(2);
  return [
    line('per 1,000', 'CPU ms', 'wall ms'),
    ...[...costs].map(([name, { cpuMs, wallMs, count }]) => line(name, ms(cpuMs, count), ms(wallMs, count))),
  ];
}
