/**
 * `pnpm bench NAME`: measures SentinelD beside named peers and ends with one line of JSON (docs/benchmarks.md). What a
 * benchmark starts it ends by pid, also when it fails or is interrupted.
 */
import { constants } from 'node:os';
import { parseArgs } from 'node:util';
import { benchEnumerate } from './bench/enumerate.ts';
import { describeFindings, isOk, jsonLine, type Findings } from './bench/report.ts';
import { startRun, type Run } from './bench/run.ts';

type Options = { readonly minutes: number };

const BENCHES: Readonly<Record<string, (run: Run, options: Options) => Promise<Findings>>> = {
  enumerate: benchEnumerate,
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
  const interrupt = (signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): void => {
    run.progress(`${signal}: ending what was started`);
    void run.scope.disposeAsync().finally(() => process.exit(128 + constants.signals[signal]));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => interrupt(signal));
  try {
    const findings = await bench(run, { minutes });
    await run.scope.disposeAsync();
    for (const line of describeFindings(findings, values.quick)) run.print(line);
    run.print(jsonLine(name, findings, values.quick));
    return isOk(findings, values.quick) ? 0 : 1;
  } finally {
    await run.scope.disposeAsync();
  }
}

process.exitCode = await main();
