/**
 * What processes hold of memory, from /proc/PID/smaps_rollup: the resident set, and the share of it that is theirs when
 * pages that several processes map are divided among them (PSS), which adds up over processes.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { basename } from 'node:path';

export type Memory = { readonly rssMiB: number; readonly pssMiB: number };

/** Null where the process is gone; throws where it may not be looked at. */
export function memoryOf(pid: number): Memory | null {
  const text = readOrNull(`/proc/${pid}/smaps_rollup`);
  return text === null ? null : parseRollup(text);
}

/** Null for a text without the two lines: a process that is ending has no memory any more. */
export function parseRollup(text: string): Memory | null {
  const kibibytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? Number.NaN);
  const memory = { rssMiB: kibibytes('Rss') / 1024, pssMiB: kibibytes('Pss') / 1024 };
  return Number.isNaN(memory.rssMiB) || Number.isNaN(memory.pssMiB) ? null : memory;
}

/** CPU time of the process and its threads so far (proc_pid_stat(5)). */
export function processCpuMs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Children, their children and so on, at this moment. */
export function descendantsOf(pid: number): readonly number[] {
  const children = tasksOf(pid).flatMap((task) => {
    const text = readOrNull(`/proc/${pid}/task/${task}/children`) ?? '';
    return text.split(' ').filter((word) => word !== '');
  });
  return children.map(Number).flatMap((child) => [child, ...descendantsOf(child)]);
}

/** The program that a Node process runs: 'executor.js', from its source 'executor-main.ts'. Empty where it is gone or runs none. */
export function programOf(pid: number): string {
  const argv = (readOrNull(`/proc/${pid}/cmdline`) ?? '').split('\0');
  return basename(argv.find((word) => /\.[jt]s$/.test(word)) ?? '');
}

function tasksOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function readOrNull(file: string): string | null {
  try {
    return readFileSync(file, 'latin1');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ESRCH')) return null;
    throw cause;
  }
}
