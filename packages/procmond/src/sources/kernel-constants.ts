/**
 * What a reader of /proc must know of this kernel: page size, clock ticks per second, when it booted.
 */
import { closeSync, openSync, readFileSync } from 'node:fs';

export type KernelConstants = {
  readonly pageBytes: number;
  /** Clock ticks per second in which /proc counts time (USER_HZ). */
  readonly ticksPerSecond: number;
  /** Milliseconds since 1970, whole seconds. */
  readonly bootTimeMs: number;
};

/** Keys of the auxiliary vector, getauxval(3). */
const AT_PAGESZ = 6n;
const AT_CLKTCK = 17n;

export function readKernelConstants(): KernelConstants {
  const vector = readFileSync('/proc/self/auxv');
  let pageBytes = 4096;
  let ticksPerSecond = 100;
  for (let at = 0; at + 16 <= vector.length; at += 16) {
    const key = vector.readBigUInt64LE(at);
    const value = Number(vector.readBigUInt64LE(at + 8));
    if (key === AT_PAGESZ) pageBytes = value;
    if (key === AT_CLKTCK) ticksPerSecond = value;
  }
  const bootSeconds = /^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1];
  return { pageBytes, ticksPerSecond, bootTimeMs: Number(bootSeconds ?? 0) * 1000 };
}

/** Whether /proc is mounted with hidepid, so that processes of other users do not show (proc(5)). */
export function hidesOtherUsers(mounts: string = readFileSync('/proc/self/mounts', 'utf8'), maySee: () => boolean = maySeeInit): boolean {
  return (
    !maySee() &&
    mounts.split('\n').some((line) => {
      const [, mountPoint, type, options] = line.split(' ');
      return mountPoint === '/proc' && type === 'proc' && /(^|,)hidepid=(1|2|4|noaccess|invisible|ptraceable)(,|$)/.test(options ?? '');
    })
  );
}

/** Whoever may look into process 1, which is root's, may look into every process: hidepid is for others. */
function maySeeInit(): boolean {
  try {
    closeSync(openSync('/proc/1/mountinfo', 'r'));
    return true;
  } catch {
    return false;
  }
}
