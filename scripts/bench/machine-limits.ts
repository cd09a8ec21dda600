/**
 * Whether this machine lets so many more processes be: what the kernel, the limits of this user and the control groups
 * say, before a fork fails half way.
 */
import { readFileSync, readdirSync } from 'node:fs';

/** Processes that others may start meanwhile. */
const SPARE_PROCESSES = 500;
/** Of a sleeping process with a C library: kernel stack, page tables, a few pages of its own. */
const BYTES_PER_SLEEPER = 256 * 1024;

/** Null, or why `count` more processes cannot be. `read` gives the text of a file, null where there is none. */
export function whyTooMany(
  count: number,
  present: number = countProcesses(),
  read: (file: string) => string | null = readOrNull,
): string | null {
  const wanted = count + present + SPARE_PROCESSES;
  const limits: readonly (readonly [name: string, limit: number])[] = [
    ['kernel.pid_max', Number(read('/proc/sys/kernel/pid_max') ?? Infinity)],
    ['kernel.threads-max', Number(read('/proc/sys/kernel/threads-max') ?? Infinity)],
    ['the limit of processes (ulimit -u)', processLimit(read('/proc/self/limits') ?? '')],
    ...controlGroupLimits(read),
  ];
  for (const [name, limit] of limits) if (limit < wanted) return `${name} is ${limit}: ${count} more processes need ${wanted}`;
  const available = /^MemAvailable:\s+(\d+) kB$/m.exec(read('/proc/meminfo') ?? '')?.[1];
  const needed = count * BYTES_PER_SLEEPER;
  if (available !== undefined && Number(available) * 1024 < needed) {
    return `${Math.round(Number(available) / 1024)} MB of memory are free: ${count} processes need about ${Math.round(needed / 1024 ** 2)}`;
  }
  return null;
}

export function countProcesses(): number {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length;
}

function processLimit(limits: string): number {
  return readNumber(/^Max processes\s+(\S+)/m.exec(limits)?.[1]);
}

/** pids.max of this process's group and of every group above it (cgroup v2). */
function controlGroupLimits(read: (file: string) => string | null): [string, number][] {
  const group = /^0::(\/.*)$/m.exec(read('/proc/self/cgroup') ?? '')?.[1];
  if (group === undefined) return [];
  const parts = group.split('/').filter((part) => part !== '');
  return parts.map((_, i) => {
    const path = parts.slice(0, i + 1).join('/');
    return [`pids.max of the control group /${path}`, readNumber(read(`/sys/fs/cgroup/${path}/pids.max`)?.trim())];
  });
}

function readNumber(text: string | undefined): number {
  return text === undefined || !/^\d+$/.test(text) ? Infinity : Number(text);
}

function readOrNull(file: string): string | null {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return null;
  }
}
