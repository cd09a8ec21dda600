/**
 * Reads /proc/PID/stat, through a descriptor that is kept open or by path, and schedstat, through one that is, into two
 * objects that are filled again and again.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { errnoOf } from '@sentineld/model/error';
import { SECTION } from '@sentineld/native/process-files';
import { createByteCache } from './byte-cache.ts';
import { isNothing } from './proc-files.ts';
import {
  emptyProcStat,
  isKernelThread,
  isText,
  parseProcStat,
  parseRunTime,
  processName,
  type ProcStat,
  type RunTime,
} from './proc-stat.ts';

/** A stat line is 52 numbers and a name of at most 64 bytes. */
const STAT_BYTES = SECTION.status - SECTION.stat;

/** Bytes of names that are remembered. */
const REMEMBERED_BYTES = 1 << 18;

export type StatOutcome = 'read' | 'gone' | 'error';

export type StatReader = {
  /** What was read last. */
  readonly stat: ProcStat;
  readonly runTime: RunTime;
  /** Fills `stat`; `descriptor` is NOT_HELD where none is held. */
  readonly read: (descriptor: number, pid: number) => StatOutcome;
  /** Fills `stat` from so many bytes that are in the buffer already, or says what an errno below zero means. */
  readonly take: (length: number) => StatOutcome;
  /** Fills `runTime` from a held `schedstat`. False where the process is gone. */
  readonly readRunTime: (descriptor: number) => boolean;
  /** The name in `stat`: the known text itself where it is still that, which is nearly always. */
  readonly name: (known: string) => string;
};

/** `buffer` begins with room for a stat line, and is overwritten there. */
export function createStatReader(buffer: Buffer): StatReader {
  const stat = emptyProcStat();
  const runTime: RunTime = { ranNs: 0, timesRun: 0 };
  const names = createByteCache<string>(REMEMBERED_BYTES, (bytes) => processName(bytes, 0, bytes.length, 0));
  const take = (length: number): StatOutcome => {
    if (length <= 0) return length === 0 || isNothing(length) ? 'gone' : 'error';
    return parseProcStat(buffer, length, stat) ? 'read' : 'error';
  };
  return {
    stat,
    runTime,
    take,
    read: (descriptor, pid) => {
      let opened = -1;
      try {
        if (descriptor < 0) opened = openStat(pid);
        return take(readSync(descriptor < 0 ? opened : descriptor, buffer, 0, STAT_BYTES, 0));
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
      if (isText(buffer, nameStart, nameEnd, known)) return known;
      // Only a kernel thread's is not what its bytes say.
      return isKernelThread(stat) ? processName(buffer, nameStart, nameEnd, flags) : names(buffer, nameStart, nameEnd);
    },
  };
}

/** Throws what open(2) says. */
export function openStat(pid: number): number {
  return openSync(`/proc/${pid}/stat`, constants.O_RDONLY);
}

/** Whether an error says that the process has ended. */
function isGone(cause: unknown): boolean {
  const errno = errnoOf(cause);
  return errno === 'ENOENT' || errno === 'ESRCH';
}
