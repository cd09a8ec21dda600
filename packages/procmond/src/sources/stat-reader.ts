/**
 * Reads /proc/PID/stat, through a descriptor that is kept open or by path, and schedstat, through one that is, into two
 * objects that are filled again and again.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { errnoOf } from '@sentineld/model/error';
import { emptyProcStat, isText, parseProcStat, parseRunTime, processName, type ProcStat, type RunTime } from './proc-stat.ts';

/** A stat line: 52 numbers and a name of at most 64 bytes. */
const STAT_BYTES = 2048;

export type StatOutcome = 'read' | 'gone' | 'error';

export type StatReader = {
  /** What was read last. */
  readonly stat: ProcStat;
  readonly runTime: RunTime;
  /** Fills `stat`; `descriptor` is NOT_HELD where none is held. */
  readonly read: (descriptor: number, pid: number) => StatOutcome;
  /** Fills `runTime` from a held `schedstat`. False where the process is gone. */
  readonly readRunTime: (descriptor: number) => boolean;
  /** The name in `stat`: the known text itself where it is still that, which is nearly always. */
  readonly name: (known: string) => string;
};

export function createStatReader(): StatReader {
  const stat = emptyProcStat();
  const runTime: RunTime = { ranNs: 0, timesRun: 0 };
  const buffer = Buffer.allocUnsafeSlow(STAT_BYTES);
  return {
    stat,
    runTime,
    read: (descriptor, pid) => {
      let opened = -1;
      try {
        if (descriptor < 0) opened = openStat(pid);
        const length = readSync(descriptor < 0 ? opened : descriptor, buffer, 0, STAT_BYTES, 0);
        if (length === 0) return 'gone';
        return parseProcStat(buffer, length, stat) ? 'read' : 'error';
      } catch (cause) {
        return isGone(cause) ? 'gone' : 'error';
      } finally {
        if (opened >= 0) closeSync(opened);
      }
    },
    readRunTime: (descriptor) => {
      try {
        return parseRunTime(buffer, readSync(descriptor, buffer, 0, STAT_BYTES, 0), runTime);
      } catch {
        return false;
      }
    },
    name: (known) => {
      const { nameStart, nameEnd, flags } = stat;
      return isText(buffer, nameStart, nameEnd, known) ? known : processName(buffer, nameStart, nameEnd, flags);
    },
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
