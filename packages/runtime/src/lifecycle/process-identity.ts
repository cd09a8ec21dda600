/**
 * Who a process is beyond its number: pid and start time within one boot. Used to tell a live holder of a lock or a
 * parent from another process that got the same number later.
 */
import { readFileSync } from 'node:fs';

/** Start time of a process in clock ticks after boot (field 22 of /proc/PID/stat), or null where it is gone or a zombie. */
export function startTicksOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? null : Number(fields[19]);
  } catch {
    return null;
  }
}

/** Parent and arguments of a process, or null where it is gone. */
export function parentAndArgumentsOf(pid: number): { readonly ppid: number; readonly argv: readonly string[] } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
    return { ppid: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]), argv };
  } catch {
    return null;
  }
}

/** Id of this boot; empty where the system has none. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '';
  }
}
