/**
 * What happened to processes between scans, and how much of it was missed. Short lives are seen here or nowhere.
 */

/** What runs, as far as it could be read while it ran. */
export type Command = {
  /** comm, 15 bytes at most. */
  readonly name: string;
  readonly exePath: string | null;
  /** With secrets taken out; null where it could not be read in time. */
  readonly argv: readonly string[] | null;
  /** How many secrets were taken out of `argv`. */
  readonly redacted: number;
};

/** A process called exec, or ended. Forks are not kept: they tell who the parent is, and that is resolved at once. */
export type ProcessEvent = {
  readonly kind: 'exec' | 'exit';
  /** Milliseconds since 1970, by the clock at the time of reading and the kernel's own monotonic stamp. */
  readonly timestampMs: number;
  readonly pid: number;
  /** Null where the parent is not known. */
  readonly ppid: number | null;
  /** With the pid and the boot id the identity of the process; null where it ended before it could be read. */
  readonly startTicks: number | null;
  readonly userId: number | null;
  readonly groupId: number | null;
  /** What runs; of an exit what ran. Null where nothing is known of it. */
  readonly command: Command | null;
  /** The parent as it was at the time of the event. */
  readonly parent: Command | null;
  /** Of an exit: its status, or null where a signal ended it. */
  readonly exitCode: number | null;
  readonly exitSignal: number | null;
};

/** How events are had: from the kernel's process connector, from a trace instance, or not at all. */
export const EVENT_TIERS = ['kernel', 'trace', 'off'] as const;
export type EventTier = (typeof EVENT_TIERS)[number];

/** What became of the events of one interval, that is since the scan before. */
export type EventCoverage = {
  readonly tier: EventTier;
  /** Exec events that were received. */
  readonly execs: number;
  readonly exits: number;
  /** Events of any kind that the kernel made and that were not received: gaps in its sequence, LOST lines. */
  readonly lost: number;
  /** Times that the kernel said that its buffer was full (ENOBUFS). */
  readonly overruns: number;
  /** Execs whose arguments were gone before they could be read. */
  readonly argvMissed: number;
  /** Events that were received and then dropped: no room in the queue, or no way to store them. */
  readonly dropped: number;
  /** Rows of events stored in this interval. */
  readonly stored: number;
};

export const NO_EVENTS: EventCoverage = { tier: 'off', execs: 0, exits: 0, lost: 0, overruns: 0, argvMissed: 0, dropped: 0, stored: 0 };
