/**
 * `pnpm bench NAME`: measures SentinelD beside named peers and ends with one line of JSON (docs/benchmarks.md). What a
 * benchmark starts it ends by pid, also when it fails or is interrupted.
 */
import { constants } from 'node:os';
import { SentinelError } from '@sentineld/model/error';
import { readArguments, readWholeNumber, usageError, type ProgramSyntax } from '@sentineld/runtime/lifecycle/arguments';
import { describeFailure, exitStatusOf } from '@sentineld/runtime/lifecycle/fail';
import { benchEnumerate } from './bench/enumerate.ts';
import { benchEvents } from './bench/events.ts';
import { benchLedger } from './bench/ledger.ts';
import { benchMemory } from './bench/memory.ts';
import { describeFindings, isOk, jsonLine, type Findings } from './bench/report.ts';
import { benchRules } from './bench/rules.ts';
import { startRun, type Run } from './bench/run.ts';
import { recordResult } from './bench/results.ts';
import { benchSoak } from './bench/soak.ts';
import { benchStore } from './bench/store.ts';

type Options = { readonly minutes: number | null };

const BENCHES: Readonly<Record<string, (run: Run, options: Options) => Promise<Findings>>> = {
  enumerate: benchEnumerate,
  events: benchEvents,
  ledger: benchLedger,
  memory: benchMemory,
  rules: benchRules,
  soak: benchSoak,
  store: benchStore,
};

const USAGE = `usage: pnpm bench ${Object.keys(BENCHES).join('|')} [--quick] [--record] [--minutes N]

  --quick        a short form with few processes, which claims no targets
  --record       keeps the figures in scripts/bench/results/, from which pnpm docs makes the tables of docs/operator_guide.md
  --minutes N    memory: how long each size is watched (5); soak: how long it lasts (10)
  --help
`;

const OPTIONS = {
  quick: { value: null },
  record: { value: null },
  minutes: { value: 'N', only: ['memory', 'soak'] },
  help: { value: null, short: 'h' },
} as const;

const SYNTAX: ProgramSyntax<keyof typeof OPTIONS> = { program: 'pnpm bench', options: OPTIONS, words: Object.keys(BENCHES), mostWords: 1 };
const MOST_MINUTES = 1440;

async function main(): Promise<number> {
  const given = readArguments(SYNTAX, process.argv.slice(2));
  if (given.has('help')) {
    process.stdout.write(USAGE);
    return 0;
  }
  const [name = ''] = given.words;
  const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  if (bench === undefined) {
    const one = `it is one of ${Object.keys(BENCHES).join(', ')}`;
    throw usageError('pnpm bench needs the name of a benchmark', one, 'write for instance: pnpm bench enumerate --quick');
  }
  const asked = given.text('minutes');
  const minutes = asked === null || asked === undefined ? null : readWholeNumber('--minutes', asked, 1, MOST_MINUTES);
  const isQuick = given.has('quick');
  const run = startRun(isQuick);
  let interrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!interrupted) run.progress(`${signal}: ending what was started`);
      interrupted = true;
      void run.end().finally(() => process.exit(128 + constants.signals[signal]));
    });
  }
  try {
    const findings = await bench(run, { minutes });
    await run.end();
    for (const line of describeFindings(findings, isQuick)) run.print(line);
    if (given.has('record')) recordResult(name, findings, isQuick);
    run.print(jsonLine(name, findings, isQuick));
    return isOk(findings, isQuick) ? 0 : 1;
  } catch (cause) {
    await run.end();
    // What was taken from under it fails; the signal's own end follows.
    if (interrupted) await new Promise(() => undefined);
    throw cause;
  }
}

try {
  process.exitCode = await main();
} catch (cause) {
  if (!(cause instanceof SentinelError)) throw cause;
  process.stderr.write(describeFailure('pnpm bench', cause));
  process.exitCode = exitStatusOf(cause);
}
