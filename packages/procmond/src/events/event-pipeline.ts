/**
 * From what the kernel tells to what is stored: events are drained every quarter of a second and before each scan,
 * joined with who started them, freed of secrets, and written in batches. Whatever cannot be stored waits in the queue,
 * whose policy decides what becomes of more; every event that does not arrive is counted.
 */
import { NO_EVENTS, type Command, type EventCoverage, type ProcessEvent } from '@sentineld/model/process-event';
import type { Ancestry } from './ancestry.ts';
import type { EventQueue } from './event-queue.ts';
import type { ProcessEventSource, RawEvent } from './event-source.ts';

/** Whoever waits for an event finds it stored within this. */
const DRAIN_MS = 250;
const BATCH_EVENTS = 1000;
const DRAIN_EVENTS = 1000;

export type EventPipelineOptions = {
  readonly source: ProcessEventSource | null;
  readonly queue: EventQueue;
  readonly ancestry: Ancestry;
  readonly redact: (argv: readonly string[]) => { readonly argv: readonly string[]; readonly redacted: number };
  /** Stores a batch in one transaction, or throws and keeps nothing of it. */
  readonly store: (batch: readonly ProcessEvent[]) => void;
  /** False while storage is paused: then nothing is tried. */
  readonly mayStore: () => boolean;
  readonly onStoreFailed: (cause: unknown) => void;
  /** Called after some were stored. */
  readonly onStored: () => void;
  /** The source broke and tells nothing any more; called once. */
  readonly onSourceFailed: (cause: unknown) => void;
  /** Milliseconds of CLOCK_MONOTONIC, by which events are stamped. */
  readonly monotonicMs: () => number;
  readonly wallMs: () => number;
};

export type EventPipeline = {
  readonly start: () => void;
  /** Takes what waits in the source and stores what it can. */
  readonly flush: () => void;
  /** What happened in the interval that runs, up to now. */
  readonly interval: () => EventCoverage;
  /** The interval ended when it was last asked for: that is stored with a scan. */
  readonly endInterval: () => void;
  /** Since the start. The tier is 'off' once the source has failed. */
  readonly total: () => EventCoverage;
  /** Stores what it can and closes the source. */
  readonly stop: () => void;
};

type Sums = { execs: number; exits: number; stored: number; failed: boolean };

export function createEventPipeline(options: EventPipelineOptions): EventPipeline {
  const { source, queue } = options;
  const sums: Sums = { execs: 0, exits: 0, stored: 0, failed: false };
  let told = NO_EVENTS;
  let asked = NO_EVENTS;
  let timer: NodeJS.Timeout | undefined;

  const total = (): EventCoverage => coverageOf(source, queue, sums);
  const flush = (): void => {
    drain(options, sums);
    storeBatches(options, sums, 0);
  };
  return {
    start: () => {
      if (source !== null) timer = setInterval(flush, DRAIN_MS);
    },
    flush,
    total,
    interval: () => {
      asked = total();
      return difference(asked, told);
    },
    endInterval: () => {
      // What the source counted since belongs to the next one: it goes on while a scan is stored.
      told = asked;
      options.ancestry.follow();
    },
    stop: () => {
      clearInterval(timer);
      flush();
      source?.close();
    },
  };
}

/** Takes what waits in the source, as long as the queue takes it. */
function drain(options: EventPipelineOptions, sums: Sums): void {
  const { source, queue } = options;
  if (source === null || sums.failed) return;
  const wallOffsetMs = options.wallMs() - options.monotonicMs();
  while (!queue.isBlocked()) {
    let raw: readonly RawEvent[];
    try {
      raw = source.drain(DRAIN_EVENTS);
    } catch (cause) {
      sums.failed = true;
      options.onSourceFailed(cause);
      return;
    }
    for (const one of raw) {
      const event = understand(options, one, wallOffsetMs);
      if (event === null) continue;
      if (event.kind === 'exec') sums.execs++;
      else sums.exits++;
      queue.offer(event);
    }
    if (raw.length < DRAIN_EVENTS) return;
    storeBatches(options, sums, BATCH_EVENTS - 1);
  }
}

/** Stores batches while more than `leave` events wait. */
function storeBatches({ queue, store, mayStore, onStoreFailed, onStored }: EventPipelineOptions, sums: Sums, leave: number): void {
  const before = sums.stored;
  while (queue.length() > leave && mayStore()) {
    const batch = queue.takeBatch(BATCH_EVENTS);
    if (batch.length === 0) return;
    try {
      store(batch);
    } catch (cause) {
      queue.giveBack();
      onStoreFailed(cause);
      return;
    }
    queue.confirm();
    sums.stored += batch.length;
  }
  if (sums.stored > before) onStored();
}

/** The event that is stored, or null for a fork, which is only remembered. */
function understand({ ancestry, redact }: EventPipelineOptions, raw: RawEvent, wallOffsetMs: number): ProcessEvent | null {
  const { kind, pid } = raw;
  if (kind === 'fork') {
    ancestry.forked(pid, raw.ppid);
    return null;
  }
  const timestampMs = Math.round(raw.monotonicMs + wallOffsetMs);
  if (kind === 'exit') {
    const ended = ancestry.exited(pid);
    return {
      kind,
      timestampMs,
      pid,
      ppid: ended?.ppid ?? raw.ppid,
      startTicks: ended?.startTicks ?? raw.startTicks,
      userId: ended?.userId ?? raw.userId,
      groupId: ended?.groupId ?? raw.groupId,
      command: ended?.command ?? null,
      parent: ended?.parent ?? null,
      exitCode: raw.exitCode,
      exitSignal: raw.exitSignal,
    };
  }
  const { startTicks, userId, groupId, ppid } = raw;
  const self = ancestry.execed(pid, { startTicks, userId, groupId, ppid, command: commandOf(raw, redact) });
  const { command, parent } = self;
  return { kind, timestampMs, pid, ppid: self.ppid, startTicks, userId, groupId, command, parent, exitCode: null, exitSignal: null };
}

function commandOf(raw: RawEvent, redact: EventPipelineOptions['redact']): Command | null {
  if (raw.name === null && raw.exePath === null && raw.argv === null) return null;
  const { argv, redacted } = raw.argv === null ? { argv: null, redacted: 0 } : redact(raw.argv);
  return { name: raw.name ?? '', exePath: raw.exePath, argv, redacted };
}

function coverageOf(source: ProcessEventSource | null, queue: EventQueue, sums: Sums): EventCoverage {
  if (source === null) return NO_EVENTS;
  const { lost, overruns, argvMissed, dropped } = source.counts();
  const queued = queue.counts();
  const { execs, exits, stored, failed } = sums;
  return {
    tier: failed ? 'off' : source.tier,
    execs,
    exits,
    stored,
    lost,
    overruns,
    argvMissed,
    dropped: dropped + queued.dropped + queued.shed,
  };
}

function difference(now: EventCoverage, before: EventCoverage): EventCoverage {
  return {
    tier: now.tier,
    execs: now.execs - before.execs,
    exits: now.exits - before.exits,
    lost: now.lost - before.lost,
    overruns: now.overruns - before.overruns,
    argvMissed: now.argvMissed - before.argvMissed,
    dropped: now.dropped - before.dropped,
    stored: now.stored - before.stored,
  };
}
