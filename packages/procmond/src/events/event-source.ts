/**
 * Where process events come from: the kernel's process connector, or a trace instance. Both give the same events; what
 * was gone before it could be read is null.
 */

export type RawEvent = {
  readonly kind: 'fork' | 'exec' | 'exit';
  /** CLOCK_MONOTONIC, milliseconds. */
  readonly monotonicMs: number;
  readonly pid: number;
  readonly ppid: number | null;
  readonly startTicks: number | null;
  readonly userId: number | null;
  readonly groupId: number | null;
  /** comm; null where it was gone. */
  readonly name: string | null;
  readonly exePath: string | null;
  /** As it was read, secrets included: whoever stores it redacts it first. */
  readonly argv: readonly string[] | null;
  readonly exitCode: number | null;
  readonly exitSignal: number | null;
};

/** Growing since the source was opened. */
export type EventCounts = {
  /** Events that the kernel made and that did not arrive. */
  readonly lost: number;
  /** Times that the kernel had no room, each for any number of events. */
  readonly overruns: number;
  /** Execs whose arguments were gone. */
  readonly argvMissed: number;
  /** Events that arrived and for which this program had no room. */
  readonly dropped: number;
};

export type ProcessEventSource = {
  readonly tier: 'kernel' | 'trace';
  /** What waits, oldest first, at most `limit` events; the rest is for the next call. */
  readonly drain: (limit: number) => readonly RawEvent[];
  readonly counts: () => EventCounts;
  readonly close: () => void;
};

/** What an event says that tells of nothing but itself. */
export const NOTHING_KNOWN: Pick<
  RawEvent,
  'ppid' | 'startTicks' | 'userId' | 'groupId' | 'name' | 'exePath' | 'argv' | 'exitCode' | 'exitSignal'
> = {
  ppid: null,
  startTicks: null,
  userId: null,
  groupId: null,
  name: null,
  exePath: null,
  argv: null,
  exitCode: null,
  exitSignal: null,
};

const DELETED_SUFFIX = ' (deleted)';

/** The path that a link of /proc/PID/exe names, without what the kernel says of a file that was deleted. */
export function withoutDeleted(path: string): string {
  return path.endsWith(DELETED_SUFFIX) ? path.slice(0, -DELETED_SUFFIX.length) : path;
}
