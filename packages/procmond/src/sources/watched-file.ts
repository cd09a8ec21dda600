/**
 * Which file of a process is kept open and read in every scan. `schedstat` says how long the main thread ran
 * (Documentation/scheduler/sched-stats.rst): while that stays the same, a process of one thread did nothing, and it costs
 * a third of `stat`. So it is for those that sleep, and `stat` for those that work or have more threads.
 */
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { NOT_HELD, type KnownProcess } from './known-process.ts';
import { openStat } from './stat-reader.ts';

/** So many scans in a row the other file would have been the better one before it is taken. */
const PATIENCE_SCANS = 3;

/** Whether this kernel counts what its threads run: one without says nought of everybody, or has no such file. */
export function countsRunTime(read: () => string = () => readFileSync('/proc/self/schedstat', 'latin1')): boolean {
  try {
    const [ranNs, , timesRun] = read().trim().split(' ').map(Number);
    return (ranNs ?? 0) > 0 && (timesRun ?? 0) > 0;
  } catch {
    return false;
  }
}

/** The descriptor through which `stat` is read, or NOT_HELD. */
export function heldStat({ watches, descriptor }: KnownProcess): number {
  return watches === 'stat' ? descriptor : NOT_HELD;
}

/** Opens the other file where it has fitted better for a while. `slept` is what this scan told. */
export function refitWatch(process: KnownProcess, slept: boolean): void {
  const isMisfit = (process.watches === 'stat') === (slept && process.threads === 1);
  process.misfits = isMisfit ? process.misfits + 1 : 0;
  if (process.misfits < PATIENCE_SCANS || process.descriptor < 0) return;
  process.misfits = 0;
  const other = process.watches === 'stat' ? 'schedstat' : 'stat';
  let opened: number;
  try {
    opened = other === 'stat' ? openStat(process.pid) : openSync(`/proc/${process.pid}/schedstat`, constants.O_RDONLY);
  } catch {
    // It has ended, or there is no descriptor left: what is open goes on telling.
    return;
  }
  closeSync(process.descriptor);
  process.descriptor = opened;
  process.watches = other;
  // What was told before it was opened says nothing of what happened since.
  process.ranNs = Number.NaN;
}

/** Opens `stat` of a process that is not held, now that there is room. False where it is held, or cannot be. */
export function holdAgain(process: KnownProcess): boolean {
  if (process.descriptor >= 0) return false;
  try {
    process.descriptor = openStat(process.pid);
  } catch {
    return false;
  }
  return true;
}

/**
 * Whether its parent must be another one by now, though it slept: a child does nothing when it is given to another
 * parent. The one that is known has ended, or is younger than its child, which is to say that its pid was used again.
 */
export function hasLostParent(process: KnownProcess, known: ReadonlyMap<number, KnownProcess>): boolean {
  if (process.ppid === 0) return false;
  const parent = known.get(process.ppid);
  return parent === undefined || parent.isZombie || parent.startTicks > process.startTicks;
}
