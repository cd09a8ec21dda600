/**
 * Reads /proc/PID/stat, through a descriptor that is kept open or by path, into one object that is filled again and
 * again; and schedstat, whose newest line is kept for each process to tell whether it changed.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { errnoOf } from '@sentineld/model/error';

import { emptyProcStat, isText, parseProcStat, processName, type ProcStat } from './proc-stat.ts';
import { createStatLines } from './stat-lines.ts';

/** A stat line: 52 numbers and a name of at most 64 bytes. */
const STAT_BYTES = 2048;

export type StatOutcome = 'read' | 'gone' | 'error';

export type StatReader = {
  /** What was parsed last. */
  readonly stat: ProcStat;
  /** Reads `stat` and parses it; `descriptor` is NOT_HELD where none is held. */
  readonly read: (descriptor: number, pid: number) => StatOutcome;
  /** Reads the line of whichever file is held. */
  readonly readLine: (descriptor: number, pid: number) => StatOutcome;
  /** The name in the line that was parsed: the known text itself where it is still that, which is nearly always. */
  readonly name: (known: string) => string;
  /** Whether the line that was read is the one kept in this slot. */
  readonly isKept: (slot: number) => boolean;
  /** Keeps it there, and gives back where it is now. */
  readonly keep: (slot: number) => number;
  readonly release: (slot: number) => void;
};

export function createStatReader(): StatReader {
  const stat = emptyProcStat();
  const buffer = Buffer.allocUnsafeSlow(STAT_BYTES + 4);
  const lines = createStatLines(buffer);
  let length = 0;
  const readLine = (descriptor: number, pid: number): StatOutcome => {
    let opened = -1;
    try {
      if (descriptor < 0) opened = openStat(pid);
      length = readSync(descriptor < 0 ? opened : descriptor, buffer, 0, STAT_BYTES, 0);
      return length === 0 ? 'gone' : 'read';
    } catch (cause) {
      return isGone(cause) ? 'gone' : 'error';
    } finally {
      if (opened >= 0) closeSync(opened);
    }
  };
  return {
    stat,
    readLine,
    read: (descriptor, pid) => {
      const outcome = readLine(descriptor, pid);
      return outcome === 'read' && !parseProcStat(buffer, length, stat) ? 'error' : outcome;
    },
    name: (known) => {
      const { nameStart, nameEnd, flags } = stat;
      return isText(buffer, nameStart, nameEnd, known) ? known : processName(buffer, nameStart, nameEnd, flags);
    },
    isKept: (slot) => lines.isSame(slot, length),
    keep: (slot) => lines.keep(slot, length),
    release: lines.release,
  };
}

/** Throws what open(2) says. */
export function openStat(pid: number): number {
  return openSync(`/proc/${pid}/stat`, constants.O_RDONLY);
}

/** Whether an error says that the process has ended. */
export function isGone(cause: unknown): boolean {
  const errno = errnoOf(cause);
  return errno === 'ENOENT' || errno === 'ESRCH';
}
