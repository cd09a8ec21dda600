/**
 * `pnpm bench NAME`: measures SentinelD beside named peers and ends with one line of JSON (docs/benchmarks.md). What a
 * benchmark starts it ends by pid, also when it fails or is interrupted.
 */
import { constants } from 'node:os';
import { parseArgs } from 'node:util';
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
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, minutes: { type: 'string', default: '5' } },
    allowPositionals: true,
  });
  const name = positionals[0] ?? '';
  const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  const minutes = Number(values.minutes);
  if (bench === undefined || positionals.length > 1 || !(minutes > 0)) {
    process.stderr.write(USAGE);
    return 2;
  }
  const run = startRun(values.quick);
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
    for (const line of describeFindings(findings, values.quick)) run.print(line);
    run.print(jsonLine(name, findings, values.quick));
    return isOk(findings, values.quick) ? 0 : 1;
  } catch (cause) {
    await run.end();
    // What was taken from under it fails; the signal's own end follows.
    if (interrupted) await new Promise(() => undefined);
    throw cause;
  }
}

process.exitCode = await main();
