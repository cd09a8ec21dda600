/**
 * What /proc still tells of a process whose exec was heard of a while ago, through plain reads.
 */
import { closeSync, constants, openSync, readSync, readlinkSync, statSync } from 'node:fs';
import { decodeHostLatin1 } from '@sentineld/model/host-text';
import { splitArguments } from '../sources/process-details.ts';
import { emptyProcStat, parseProcStat, processName } from '../sources/proc-stat.ts';
import { withoutDeleted, type RawEvent } from './event-source.ts';

export type Glance = Pick<RawEvent, 'ppid' | 'startTicks' | 'userId' | 'groupId' | 'exePath' | 'argv'> & {
  readonly startTicks: number;
  readonly name: string;
};

/** A stat line has 52 numbers and a name of at most 64 bytes. */
const STAT_BYTES = 2048;

/** A reader; null where the process is gone. Arguments are null where its memory is gone, or nobody may read them. */
export function createGlance(argvLimitBytes: number): (pid: number) => Glance | null {
  const stat = emptyProcStat();
  const argvBuffer = Buffer.allocUnsafeSlow(argvLimitBytes);
  const statBuffer = Buffer.allocUnsafeSlow(STAT_BYTES);
  return (pid) => {
    const base = `/proc/${pid}`;
    try {
      // The arguments go first, stat stays longest: who has it was there when the rest was read.
      const argvLength = readInto(`${base}/cmdline`, argvBuffer);
      const exePath = readExe(base);
      const { uid, gid } = statSync(base);
      if (!parseProcStat(statBuffer, readInto(`${base}/stat`, statBuffer), stat)) return null;
      return {
        ppid: stat.ppid === 0 ? null : stat.ppid,
        startTicks: stat.startTicks,
        name: processName(statBuffer, stat.nameStart, stat.nameEnd, stat.flags),
        userId: uid,
        groupId: gid,
        exePath,
        argv: argvLength === 0 ? null : splitArguments(argvBuffer.subarray(0, argvLength)),
      };
    } catch {
      return null;
    }
  };
}

/** How many bytes were read: 0 where there are none, or none to be had. */
function readInto(path: string, buffer: Buffer): number {
  let descriptor = -1;
  try {
    descriptor = openSync(path, constants.O_RDONLY);
    return readSync(descriptor, buffer, 0, buffer.length, 0);
  } catch {
    return 0;
  } finally {
    if (descriptor >= 0) closeSync(descriptor);
  }
}

function readExe(base: string): string | null {
  try {
    return withoutDeleted(decodeHostLatin1(readlinkSync(`${base}/exe`, 'latin1')));
  } catch {
    return null;
  }
}
