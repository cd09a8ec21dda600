/**
 * What a process listing of another system says of one process, whichever library made it, and how its words and numbers
 * are read. Nothing of it is trusted: numbers may be none, texts may be of any length.
 */
import type { ProcessStatus } from '@sentineld/model/process';

export type PortableRow = {
  readonly pid: number;
  readonly ppid: number;
  readonly name: string;
  /** The file that runs, or null where the listing does not tell. */
  readonly path: string | null;
  /** All arguments in one text; null where they may not be read. */
  readonly command: string | null;
  readonly user: string | null;
  readonly userId: number | null;
  /** Milliseconds since 1970. */
  readonly startedMs: number | null;
  /** Per cent of one core. */
  readonly cpuPercent: number | null;
  readonly memoryBytes: number | null;
  readonly state: ProcessStatus;
  /** True where it is a part of the kernel: it has neither a file nor arguments. */
  readonly isKernel: boolean;
};

/** A listing, and sentences on what all of it lacks. */
export type Listing = { readonly rows: readonly PortableRow[]; readonly lacks: readonly string[] };

const STATES: ReadonlyMap<unknown, ProcessStatus> = new Map<unknown, ProcessStatus>([
  ['running', 'running'],
  ['ready', 'running'],
  ['sleeping', 'sleeping'],
  ['blocked', 'disk_sleep'],
  ['suspended blocked', 'stopped'],
  ['suspended ready', 'stopped'],
  ['stopped', 'stopped'],
  ['zombie', 'zombie'],
  ['dead', 'dead'],
  ['terminated', 'dead'],
]);
/** Longer names and paths are cut: no system has any. */
const NAME_LIMIT = 1024;
const PATH_LIMIT = 32_768;

/** A word of systeminformation. */
export function statusOfWord(word: unknown): ProcessStatus {
  return STATES.get(word) ?? 'unknown';
}

/** A number that is finite and not negative, or null. */
export function numberOrNull(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}

/** A text that holds something, with no half of a character in it, or null. */
export function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value.trim() !== '' ? value.toWellFormed() : null;
}

export function nameOf(value: unknown): string {
  return (textOrNull(value) ?? '').slice(0, NAME_LIMIT).toWellFormed();
}

export function pathOf(value: unknown): string | null {
  const path = textOrNull(value);
  return path === null || path.length > PATH_LIMIT || path.includes('\0') ? null : path;
}
