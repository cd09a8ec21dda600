/**
 * Watches one request from outside the process that runs it: a running SQLite step cannot be interrupted from within,
 * so what takes too long or grows too much is ended by SIGKILL. Time by a timer, memory by sampling /proc.
 */
import { readFileSync } from 'node:fs';

export type Breach = { readonly kind: 'timeout' | 'memory'; readonly message: string };

export type WatchOptions = {
  readonly pid: number;
  readonly deadlineMs: number;
  /** How much its own memory (RssAnon) may grow while it is watched. */
  readonly memoryBytes: number;
  readonly onBreach: (breach: Breach) => void;
};

const MAX_SAMPLE_MS = 50;
const MIN_SAMPLE_MS = 2;
/** Twice what a sort in memory was seen to grow: the nearer the limit, the sooner the next look. */
const MAX_GROWTH_BYTES_PER_MS = 2 * 1024 * 1024;
/** The part of the limit that is kept for the time until the signal arrives. */
const RESERVE = 1 / 16;

/** Starts to watch; returns what ends it. `onBreach` is called once at most. */
export function watchRequest(options: WatchOptions): () => void {
  const baseline = ownMemoryBytes(options.pid);
  let sampling: NodeJS.Timeout | undefined;
  const end = (): void => {
    clearTimeout(deadline);
    clearTimeout(sampling);
  };
  const breach = (kind: Breach['kind'], message: string): void => {
    end();
    options.onBreach({ kind, message });
  };
  const allowed = options.memoryBytes * (1 - RESERVE);
  const sampleLater = (room: number): void => {
    sampling = setTimeout(sample, Math.min(MAX_SAMPLE_MS, Math.max(MIN_SAMPLE_MS, room / MAX_GROWTH_BYTES_PER_MS)));
  };
  const sample = (): void => {
    const room = allowed - (ownMemoryBytes(options.pid) - baseline);
    if (room >= 0) return sampleLater(room);
    const most = Math.round(options.memoryBytes / 1024 / 1024);
    return breach('memory', `The statement needs more than the ${most} MB of memory that it may use`);
  };
  const deadline = setTimeout(() => breach('timeout', `The statement did not end within ${options.deadlineMs} ms`), options.deadlineMs);
  // It has not grown yet: most requests are over before the first look.
  sampleLater(allowed);
  return end;
}

/** RssAnon: heap and stacks, without the pages of the program that all processes share. 0 where the process is gone. */
export function ownMemoryBytes(pid: number): number {
  return 1024 * Number(/^RssAnon:\s*(\d+) kB$/m.exec(readProc(pid, 'status'))?.[1] ?? 0);
}

/** CPU time so far, in the kernel's ticks of 10 ms (USER_HZ). */
export function cpuMs(pid: number): number {
  const stat = readProc(pid, 'stat');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return 10 * (Number(fields[11] ?? 0) + Number(fields[12] ?? 0));
}

function readProc(pid: number, file: 'status' | 'stat'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}
