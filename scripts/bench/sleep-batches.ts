/**
 * `sleepers N` without a compiler: sleep(1) started in batches. Prints "ready N" when all of them run, and ends them by
 * pid when its standard input ends. Imports nothing of ours: it runs as it is.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

const BATCH = 100;
/** Should this program be killed, they end by themselves. */
const SECONDS = 3600;

const sleepers: ChildProcess[] = [];

async function startBatch(count: number): Promise<void> {
  const batch = Array.from({ length: count }, (_, i) => {
    const child = spawn('sleep', [String(SECONDS + sleepers.length + i)], { stdio: 'ignore' });
    return once(child, 'spawn').then(() => child);
  });
  sleepers.push(...(await Promise.all(batch)));
}

async function endAll(): Promise<void> {
  const alive = sleepers.filter((child) => child.exitCode === null && child.signalCode === null);
  const ended = alive.map((child) => once(child, 'exit'));
  for (const child of alive) child.kill('SIGKILL');
  await Promise.all(ended);
}

async function endAndLeave(status: number): Promise<void> {
  await endAll();
  process.exit(status);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void endAndLeave(1));
process.stdin.on('end', () => void endAndLeave(0)).resume();
const count = Number(process.argv[2]);
try {
  while (sleepers.length < count) await startBatch(Math.min(BATCH, count - sleepers.length));
  process.stdout.write(`ready ${sleepers.length}\n`);
} catch (cause) {
  process.stdout.write(`failed ${sleepers.length} ${cause instanceof Error ? cause.message : String(cause)}\n`);
  await endAndLeave(1);
}
