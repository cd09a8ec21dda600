/**
 * Processes as /proc shows them. One is known by pid and start time, so that nothing is ever sent to a stranger who
 * got the number of a process that is gone.
 */
import { readFileSync } from 'node:fs';
import { startTicksOf } from '@sentineld/runtime/lifecycle/process-identity';

export type KnownProcess = { readonly pid: number; readonly startTicks: number };

/** Null where there is no such process, or it is a zombie. */
export function knownProcess(pid: number): KnownProcess | null {
  const startTicks = startTicksOf(pid);
  return startTicks === null ? null : { pid, startTicks };
}

export function isAlive({ pid, startTicks }: KnownProcess): boolean {
  return startTicksOf(pid) === startTicks;
}

/** False where it is gone already. */
export function signalProcess(target: KnownProcess, signal: NodeJS.Signals): boolean {
  if (!isAlive(target)) return false;
  try {
    process.kill(target.pid, signal);
    return true;
  } catch {
    return false;
  }
}

export function childrenOf(pid: number): readonly KnownProcess[] {
  return readProc(pid, `task/${pid}/children`)
    .split(' ')
    .filter((word) => word !== '')
    .flatMap((word) => knownProcess(Number(word)) ?? []);
}

/** Children, their children, and so on. */
export function descendantsOf(pid: number): readonly KnownProcess[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child.pid)]);
}

/** Resident memory; 0 where it is gone. */
export function residentBytes(pid: number): number {
  return 1024 * Number(/^VmRSS:\s*(\d+) kB$/m.exec(readProc(pid, 'status'))?.[1] ?? 0);
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}
