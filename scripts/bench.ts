/**
 * `pnpm bench NAME`: measures SentinelD beside named peers and ends with one line of JSON (docs/benchmarks.md). What a
 * benchmark starts it ends by pid, also when it fails or is interrupted.
 */
import { constants } from 'node:os';
import { SentinelError } from '@sentineld/model/error';
import { readArguments, readWholeNumber, usageError, type ProgramSyntax } from '@sentineld/runtime/lifecycle/arguments';
import { describeFailure, exitStatusOf } from '@sentineld/runtime/lifecycle/fail';
import { benchEnumerate } from './bench/enumerate.ts';
import { benchMemory } from './bench/memory.ts';
import { describeFindings, isOk, jsonLine, type Findings } from './bench/report.ts';
import { startRun, type Run } from './bench/run.ts';
import { benchStore } from './bench/store.ts';

type Options = { readonly minutes: number };

const BENCHES: Readonly<Record<string, (run: Run, options: Options) => Promise<Findings>>> = {
  enumerate: benchEnumerate,
  memory: benchMemory,
  store: benchStore,
};

const USAGE = `usage: pnpm bench ${Object.keys(BENCHES).join('|')} [--quick] [--minutes N]

  --quick        a short form with few processes, which claims no targets
  --minutes N    memory: how long each size is watched (5)
  --help
`;

const OPTIONS = {
  quick: { value: null },
  minutes: { value: 'N', only: 'memory' },
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
  const minutes = readWholeNumber('--minutes', given.text('minutes') ?? '5', 1, MOST_MINUTES);
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
