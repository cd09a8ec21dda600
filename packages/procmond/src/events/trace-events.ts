/**
 * Events of a trace instance. The kernel tells of an exec only which file was asked for; who ran it and with which
 * arguments is read from /proc when the event is, so that of short lives they are gone.
 */
import { closeSync, readSync, readdirSync, writeSync } from 'node:fs';
import { uptime } from 'node:os';
import { basename } from 'node:path';
import { errnoOf } from '@sentineld/model/error';
import { decodeHostLatin1 } from '@sentineld/model/host-text';
import { readKernelConstants } from '../sources/kernel-constants.ts';
import { NOTHING_KNOWN, type ProcessEventSource, type RawEvent } from './event-source.ts';
import { createGlance } from './process-glance.ts';
import { readAll, type TraceCpu, type TraceInstance } from './trace-instance.ts';
import { missedEvents, readTraceFields, walkTracePage } from './trace-pages.ts';

/** The largest page there is (arm64 can have them of 64 KiB); a read gives one at most. */
const PAGE_BYTES = 65_536;
/** Of each CPU between two looks at the others, so that what waits here stays small. */
const PAGES_AT_ONCE = 16;
/** An event may be written a moment after its time was taken. */
const SETTLING_MS = 1;
const REMEMBERED_THREADS = 65_536;
/** TASK_COMM_LEN less the NUL. */
const NAME_BYTES = 15;
// linux/sched.h
const CLONE_PARENT = 0x8000;
const CLONE_THREAD = 0x1_0000;

/** What the trace tells; `thread` is the one that acted. */
type Traced = { readonly monotonicMs: number; readonly thread: number } & (
  | { readonly kind: 'fork'; readonly pid: number; readonly cloneFlags: number }
  | { readonly kind: 'exec'; readonly pid: number; readonly file: string }
  | { readonly kind: 'exit'; readonly groupDead: boolean | null }
);

type Details = Omit<RawEvent, 'kind' | 'monotonicMs' | 'pid' | 'exitCode' | 'exitSignal'>;

/** The source closes the descriptors of the instance, and stops it. */
export function createTraceEvents(instance: TraceInstance, options: { readonly argvLimitBytes: number }): ProcessEventSource {
  const { cpus, tracingOn, descriptors } = instance;
  const threads = createThreads();
  const readDetails = createDetailsReader(options.argvLimitBytes);
  const page = Buffer.allocUnsafeSlow(PAGE_BYTES);
  const sums = { lost: 0, overruns: 0, argvMissed: 0, dropped: 0 };
  let waiting: Traced[] = [];
  let settledMs = 0;
  let isOpen = true;

  /** Reads of every CPU. What is older than `settledMs` is in its order then. False where nothing of that waits. */
  const refill = (): boolean => {
    settledMs = monotonicNowMs() - SETTLING_MS;
    for (const cpu of cpus) {
      const read = readCpu(cpu, page, (length) => {
        if (missedEvents(page)) sums.overruns++;
        collectPage(instance, page, length, waiting);
      });
      // Of a CPU that has more, what comes next is not older than what came last.
      if (read === 'more') settledMs = Math.min(settledMs, waiting.at(-1)?.monotonicMs ?? settledMs);
    }
    waiting = waiting.toSorted((a, b) => a.monotonicMs - b.monotonicMs);
    return isSettled(waiting[0], settledMs);
  };
  const drain = (limit: number): readonly RawEvent[] => {
    const events: RawEvent[] = [];
    let taken = 0;
    const sleptMs = uptime() * 1000 - monotonicNowMs();
    while (events.length < limit) {
      const next = waiting[taken];
      if (!isSettled(next, settledMs)) {
        waiting = waiting.slice(taken);
        taken = 0;
        if (isOpen && refill()) continue;
        break;
      }
      taken++;
      const event = understand(next, threads, (exec) => readDetails(exec, sleptMs));
      if (event === null) continue;
      if (event.kind === 'exec' && event.argv === null) sums.argvMissed++;
      events.push(event);
    }
    waiting = waiting.slice(taken);
    return events;
  };
  return {
    tier: 'trace',
    drain,
    counts: () => {
      if (isOpen) sums.lost = cpus.reduce((lost, { stats }) => lost + overwritten(readAll(stats)), 0);
      return { ...sums };
    },
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      writeSync(tracingOn, '0');
      for (const descriptor of descriptors) closeSync(descriptor);
    },
  };
}

function isSettled(traced: Traced | undefined, settledMs: number): traced is Traced {
  return traced !== undefined && traced.monotonicMs <= settledMs;
}

function monotonicNowMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** Reads pages until there are none, or enough. */
function readCpu({ pipe }: TraceCpu, page: Buffer, found: (length: number) => void): 'emptied' | 'more' {
  for (let pages = 0; pages < PAGES_AT_ONCE; pages++) {
    try {
      const length = readSync(pipe, page, 0, PAGE_BYTES, null);
      if (length === 0) return 'emptied';
      found(length);
    } catch (cause) {
      if (errnoOf(cause) === 'EAGAIN') return 'emptied';
      throw cause;
    }
  }
  return 'more';
}

/** What a CPU's `stats` says was overwritten, or refused for want of room, before it was read. */
function overwritten(stats: string): number {
  return ['overrun', 'dropped events'].reduce((sum, name) => sum + Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(stats)?.[1] ?? 0), 0);
}

function collectPage({ formats }: TraceInstance, page: Buffer, length: number, into: Traced[]): void {
  walkTracePage(page, length, (entry) => {
    if (entry.end - entry.start < 8) return;
    const type = page.readUInt16LE(entry.start);
    const format = Object.values(formats).find(({ id }) => id === type);
    if (format === undefined) return;
    const fields = readTraceFields(page, entry, format);
    const shared = { monotonicMs: entry.timeNs / 1e6, thread: fields.number(format === formats.exit ? 'pid' : 'common_pid') };
    if (format === formats.newTask)
      into.push({ ...shared, kind: 'fork', pid: fields.number('pid'), cloneFlags: fields.number('clone_flags') });
    else if (format === formats.exec) into.push({ ...shared, kind: 'exec', pid: fields.number('pid'), file: fields.text('filename') });
    else into.push({ ...shared, kind: 'exit', groupDead: fields.flag('group_dead') });
  });
}

/** The event, or null of what concerns a thread alone. */
function understand(traced: Traced, threads: Threads, detailsOf: (exec: Traced & { kind: 'exec' }) => Details): RawEvent | null {
  const { monotonicMs, thread } = traced;
  switch (traced.kind) {
    case 'fork': {
      const { pid, cloneFlags } = traced;
      const parent = threads.processOf(thread);
      if ((cloneFlags & CLONE_THREAD) !== 0) {
        threads.started(pid, parent);
        return null;
      }
      threads.ended(pid);
      // A sibling: its parent is the parent of who made it.
      const ppid = (cloneFlags & CLONE_PARENT) === 0 ? parent : null;
      return { ...NOTHING_KNOWN, kind: 'fork', monotonicMs, pid, ppid };
    }
    case 'exec':
      threads.ended(traced.pid);
      return { ...NOTHING_KNOWN, kind: 'exec', monotonicMs, pid: traced.pid, ...detailsOf(traced) };
    case 'exit': {
      const pid = threads.processOf(thread);
      threads.ended(thread);
      // Kernels that say whether it was the last of its group say so; before them a process ends with its first thread.
      return (traced.groupDead ?? pid === thread) ? { ...NOTHING_KNOWN, kind: 'exit', monotonicMs, pid } : null;
    }
  }
}

type Threads = {
  /** The process that a thread belongs to: itself where it is the first. */
  readonly processOf: (thread: number) => number;
  readonly started: (thread: number, pid: number) => void;
  readonly ended: (thread: number) => void;
};

/** Knows the threads there are by now; of more the trace tells. */
function createThreads(): Threads {
  const processes = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    for (const thread of threadsOf(name)) if (thread !== name) processes.set(Number(thread), Number(name));
  }
  return {
    processOf: (thread) => processes.get(thread) ?? thread,
    started: (thread, pid) => {
      if (processes.size >= REMEMBERED_THREADS) processes.delete(processes.keys().next().value ?? thread);
      processes.set(thread, pid);
    },
    ended: (thread) => void processes.delete(thread),
  };
}

function threadsOf(pid: string): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** `sleptMs` is how much longer ago the host booted than CLOCK_MONOTONIC says. */
function createDetailsReader(argvLimitBytes: number): (exec: Traced & { kind: 'exec' }, sleptMs: number) => Details {
  const glanceAt = createGlance(argvLimitBytes);
  const tickMs = 1000 / readKernelConstants().ticksPerSecond;
  return ({ pid, file, monotonicMs }, sleptMs) => {
    const seen = glanceAt(pid);
    // Who began after the event is another process, which was given the pid since.
    const isSame = seen !== null && seen.startTicks * tickMs <= monotonicMs + sleptMs + 2 * tickMs;
    const asked = fromFileName(file);
    return isSame ? { ...seen, exePath: seen.exePath ?? asked.exePath } : { ...NOTHING_KNOWN, ...asked };
  };
}

/** Of who is gone: the kernel names a process after the file that was asked for; of a script that is the script. */
function fromFileName(file: string): Pick<RawEvent, 'name' | 'exePath'> {
  return { name: decodeHostLatin1(basename(file).slice(0, NAME_BYTES)), exePath: file.startsWith('/') ? decodeHostLatin1(file) : null };
}
