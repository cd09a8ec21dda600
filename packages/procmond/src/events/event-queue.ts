/**
 * Events that wait to be stored: a bounded queue in memory, and behind it spill files where the policy says so. What
 * is taken out stays in front until it is said to be stored, so a failed transaction loses nothing and changes no order.
 * At any time: offered + found = stored + dropped + shed + length.
 */
import { SentinelError } from '@sentineld/model/error';
import type { ProcessEvent } from '@sentineld/model/process-event';
import type { QueuePolicy } from '@sentineld/runtime/config/config';
import type { SpillFiles } from './spill.ts';
import { createThrottle } from './throttle.ts';

export type EventQueueOptions = {
  /** Events in memory at most. */
  readonly limit: number;
  /**
   * What becomes of an event that finds the queue full:
   * drop-oldest: the oldest goes instead. block-with-timeout: the caller is asked to stop draining its source; after
   * the timeout it is dropped. spill-to-disk: it goes to a file, and so do all after it until those are read back.
   * adaptive-throttling: see throttle.ts for what goes before the queue is full; then it is dropped.
   */
  readonly policy: QueuePolicy;
  /** How long a queue that stays full blocks, under block-with-timeout. */
  readonly timeoutMs: number;
  /** Used under spill-to-disk alone; null there: what finds no room is dropped. */
  readonly spill: SpillFiles | null;
  /** Milliseconds by a clock that nobody sets. */
  readonly nowMs: () => number;
};

export type QueueCounts = {
  readonly offered: number;
  /** Taken out and confirmed. */
  readonly stored: number;
  /** No room, or damaged on disk. */
  readonly dropped: number;
  /** Written to spill files. */
  readonly spilled: number;
  /** Read back from them. */
  readonly replayed: number;
  /** Let go to keep room for others. */
  readonly shed: number;
  /** Left in the spill files by the run before. */
  readonly found: number;
};

export type EventQueue = {
  /**
   * 'wait': it was taken beyond the limit because the caller had it already; no more should be drained until isBlocked()
   * is false. 'dropped': it was counted and is gone, or it was shed.
   */
  readonly offer: (event: ProcessEvent) => 'taken' | 'dropped' | 'wait';
  /** True while a caller should leave events where they are, in the kernel's buffer. */
  readonly isBlocked: () => boolean;
  /** The oldest, `max` of them at most. They stay in the queue until `confirm` or `giveBack`; one batch at a time. */
  readonly takeBatch: (max: number) => readonly ProcessEvent[];
  /** The newest spill number in the batch that was taken, for the store to keep with it; null where none of it was spilled. */
  readonly spillSequence: () => number | null;
  /** The batch was stored. */
  readonly confirm: () => void;
  /** The batch was not stored: it is in front again, in its order. */
  readonly giveBack: () => void;
  /** Events that wait, in memory and on disk, a batch that was taken included. */
  readonly length: () => number;
  readonly counts: () => QueueCounts;
};

/** What a caller may have drained before it learns that it should wait. */
export const OVERHANG = 1000;

type Waiting = { readonly event: ProcessEvent; readonly spillSequence: number | null };
type Sums = { offered: number; stored: number; dropped: number; replayed: number; shed: number };
type State = {
  readonly options: EventQueueOptions;
  readonly spill: SpillFiles | null;
  /** The queue is items[head] to the end. */
  items: (Waiting | undefined)[];
  head: number;
  /** How many in front are in the batch that was taken. */
  taken: number;
  fullSinceMs: number | null;
  readonly sums: Sums;
};

export function createEventQueue(options: EventQueueOptions): EventQueue {
  const spill = options.policy === 'spill-to-disk' ? options.spill : null;
  const found = spill?.waiting() ?? 0;
  const sums: Sums = { offered: 0, stored: 0, dropped: 0, replayed: 0, shed: 0 };
  const state: State = { options, spill, items: [], head: 0, taken: 0, fullSinceMs: null, sums };
  const place = placing(state);
  return {
    offer: (event) => {
      sums.offered++;
      return place(event);
    },
    isBlocked: () => isBlocked(state),
    takeBatch: (max) => takeBatch(state, max),
    spillSequence: () => newestSpilled(state),
    confirm: () => confirmBatch(state),
    giveBack: () => {
      state.taken = 0;
    },
    length: () => inMemory(state) + (spill?.waiting() ?? 0),
    counts: () => {
      const onDisk = spill?.counts();
      return { ...sums, dropped: sums.dropped + (onDisk?.damaged ?? 0), spilled: onDisk?.written ?? 0, found };
    },
  };
}

function inMemory(state: State): number {
  return state.items.length - state.head;
}

function push(state: State, event: ProcessEvent, spillSequence: number | null = null): 'taken' {
  state.items.push({ event, spillSequence });
  return 'taken';
}

/** What the policy does with a new event. */
function placing(state: State): EventQueue['offer'] {
  const { limit, policy } = state.options;
  const drop = (): 'dropped' => {
    state.sums.dropped++;
    return 'dropped';
  };
  const placeWhenFull = (event: ProcessEvent): ReturnType<EventQueue['offer']> => {
    if (policy === 'drop-oldest' && dropOldest(state)) return push(state, event);
    if (policy !== 'block-with-timeout' || !isBlocked(state) || inMemory(state) >= limit + OVERHANG) return drop();
    push(state, event);
    return 'wait';
  };
  const throttle = createThrottle();
  const isShed = (event: ProcessEvent): boolean => policy === 'adaptive-throttling' && throttle.sheds(event, inMemory(state), limit);
  return (event) => {
    // Nothing overtakes what is on disk.
    if (state.spill !== null && (state.spill.waiting() > 0 || inMemory(state) >= limit)) {
      return state.spill.append(event) ? 'taken' : drop();
    }
    if (inMemory(state) >= limit) return placeWhenFull(event);
    if (!isShed(event)) return push(state, event);
    state.sums.shed++;
    return 'dropped';
  };
}

/** False where all that is in memory is being stored now. */
function dropOldest(state: State): boolean {
  if (inMemory(state) === state.taken) return false;
  if (state.taken === 0) dropFront(state, 1);
  else state.items.splice(state.head + state.taken, 1);
  state.sums.dropped++;
  return true;
}

function isBlocked(state: State): boolean {
  const { limit, policy, timeoutMs, nowMs } = state.options;
  if (policy !== 'block-with-timeout' || inMemory(state) < limit) {
    state.fullSinceMs = null;
    return false;
  }
  state.fullSinceMs ??= nowMs();
  return nowMs() - state.fullSinceMs < timeoutMs;
}

function takeBatch(state: State, max: number): readonly ProcessEvent[] {
  if (state.taken > 0) throw new SentinelError('internal.bug', { message: 'a batch of events was taken before the last was confirmed' });
  const wanted = Math.min(max, state.options.limit) - inMemory(state);
  if (wanted > 0 && state.spill !== null) {
    for (const { event, sequence } of state.spill.read(wanted)) {
      push(state, event, sequence);
      state.sums.replayed++;
    }
  }
  const batch = state.items.slice(state.head, state.head + max).filter((item) => item !== undefined);
  state.taken = batch.length;
  return batch.map(({ event }) => event);
}

function newestSpilled({ items, head, taken }: State): number | null {
  for (let at = head + taken - 1; at >= head; at--) {
    const sequence = items[at]?.spillSequence ?? null;
    if (sequence !== null) return sequence;
  }
  return null;
}

function confirmBatch(state: State): void {
  const lastSpilled = newestSpilled(state);
  dropFront(state, state.taken);
  state.sums.stored += state.taken;
  state.taken = 0;
  if (inMemory(state) < state.options.limit) state.fullSinceMs = null;
  if (lastSpilled !== null) state.spill?.confirm(lastSpilled);
}

/** Removes the oldest. The array is cut only now and then: each time would cost its length. */
function dropFront(state: State, count: number): void {
  state.items.fill(undefined, state.head, state.head + count);
  state.head += count;
  if (state.head < 1024 || state.head * 2 < state.items.length) return;
  state.items = state.items.slice(state.head);
  state.head = 0;
}
