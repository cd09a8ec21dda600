/**
 * Real sleeping processes to be found: made by a C program where there is a compiler, otherwise by Node from sleep(1).
 * They are ended by pid, also where the benchmark fails, is interrupted or is killed.
 */
import { join } from 'node:path';
import { compileProgram } from './build-programs.ts';
import { startLineChild, type LineChild } from './line-child.ts';
import { whyTooMany } from './machine-limits.ts';
import type { Run } from './run.ts';

/**
 * Starts `count` of them and waits until all sleep; `perSecond` of them end and are replaced each second. A string where
 * this machine does not allow so many, or cannot replace them.
 */
export async function startSleepers(run: Run, count: number, perSecond: number = 0): Promise<LineChild | string> {
  const reason = whyTooMany(count);
  if (reason !== null) return reason;
  const compiled = compileProgram(run, 'sleepers');
  if (compiled === null && perSecond > 0) return 'processes that come and go: they need gcc';
  const started = performance.now();
  const spawner =
    compiled === null
      ? startLineChild(run, 'sleepers', process.execPath, [join(import.meta.dirname, 'sleep-batches.ts'), String(count)])
      : startLineChild(run, 'sleepers', compiled, [String(count), String(perSecond)]);
  const answer = await spawner.next();
  if (answer !== `ready ${count}`) {
    await spawner.stop();
    return `${count} processes could not be started: ${answer}`;
  }
  const by = compiled === null ? 'sleep(1): there is no gcc' : 'a C program';
  run.progress(`${count} processes asleep after ${((performance.now() - started) / 1000).toFixed(1)} s (${by})`);
  return spawner;
}
