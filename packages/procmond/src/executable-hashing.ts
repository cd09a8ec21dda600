/**
 * Gives running executables their SHA-256: what is pending goes to another thread, one file after the other, so that no
 * scan waits for it: to one of libuv's pool where the addon is, otherwise to a Worker, which lives while there is
 * something to hash and some seconds more.
 */
import type { ExecutableFile } from '@sentineld/model/process';
import type { ExecutableTable } from '@sentineld/store/events/executable-table';
import type { HashEngine, HashJob, StartHashEngine } from './hash-worker/hash-file.ts';
import { hashInPool, type HashCalls } from './hash-worker/pool.ts';
import { startHashWorker } from './hash-worker/thread.ts';

/** Longer than between two scans of a busy machine: starting a Worker costs more than keeping it for as long. */
const IDLE_MS = 5000;
/** How often the engine may die on one file before that is said to be unreadable. */
const MOST_DEATHS = 2;
/** A file that is not what was seen is tried again after 1, 2, 4, ... wakes, this many at most. */
const MOST_SKIPPED_WAKES = 64;

export type HashingOptions = {
  readonly executables: Pick<ExecutableTable, 'pending' | 'recordHash'>;
  /** A path that leads to the file, or null where nobody runs it any more. */
  readonly openPathOf: (file: ExecutableFile) => string | null;
  readonly fileLimitBytes: number;
  /** Bytes that are read in a second at most. */
  readonly bytesPerSecond: number;
  /** Told once of a failure, and again only after a file was hashed. */
  readonly onError: (cause: unknown) => void;
  readonly idleMs?: number;
  /** Null where there is no addon. */
  readonly native: HashCalls | null;
  /** Instead of the one that fits `native`. */
  readonly startEngine?: StartHashEngine;
};

export type ExecutableHashing = {
  /** Starts on what is pending, unless at work already. */
  readonly wake: () => void;
  /** Ends the engine and its memory, in the middle of a file too, which is begun anew when hashing goes on. */
  readonly pause: (paused: boolean) => void;
  readonly stop: () => void;
  /** Of files that were read to their end or to where they changed. */
  readonly bytesRead: () => number;
};

type State = {
  readonly options: HashingOptions;
  engine: HashEngine | null;
  idleTimer: NodeJS.Timeout | undefined;
  working: boolean;
  paused: boolean;
  stopped: boolean;
  /** That hashing fails was told. */
  told: boolean;
  bytesRead: number;
  wakes: number;
  readonly deaths: Map<number, number>;
  /** Files that were not what was seen: from which wake on they are tried again, and how many were skipped last. */
  readonly skipped: Map<number, { readonly untilWake: number; readonly wakes: number }>;
};

export function createExecutableHashing(options: HashingOptions): ExecutableHashing {
  const state: State = {
    options,
    engine: null,
    idleTimer: undefined,
    working: false,
    paused: false,
    stopped: false,
    told: false,
    bytesRead: 0,
    wakes: 0,
    deaths: new Map(),
    skipped: new Map(),
  };
  const wake = (): void => {
    state.wakes++;
    if (state.working || state.paused || state.stopped) return;
    state.working = true;
    clearTimeout(state.idleTimer);
    hashPending(state)
      .catch((cause: unknown) => fail(state, cause))
      .finally(() => rest(state));
  };
  return {
    wake,
    pause: (paused) => {
      if (paused === state.paused) return;
      state.paused = paused;
      if (paused) endEngine(state);
      else wake();
    },
    stop: () => {
      state.stopped = true;
      endEngine(state);
    },
    bytesRead: () => state.bytesRead,
  };
}

function endEngine(state: State): void {
  clearTimeout(state.idleTimer);
  state.engine?.close();
  state.engine = null;
}

/** Nothing to do for now: the engine is kept for a while, in case there is more. */
function rest(state: State): void {
  state.working = false;
  if (state.engine === null) return;
  state.idleTimer = setTimeout(() => endEngine(state), state.options.idleMs ?? IDLE_MS);
  state.idleTimer.unref();
}

function fail(state: State, cause: unknown): void {
  endEngine(state);
  if (state.told) return;
  state.told = true;
  state.options.onError(cause);
}

async function hashPending(state: State): Promise<void> {
  const pending = state.options.executables.pending();
  forgetOthers(state, new Set(pending.map(({ id }) => id)));
  for (const { id, file } of pending) {
    if (state.paused || state.stopped) return;
    if ((state.skipped.get(id)?.untilWake ?? 0) > state.wakes) continue;
    const path = state.options.openPathOf(file);
    // Nobody runs it any more: it stays pending and is tried when somebody does.
    if (path !== null) await hashOne(state, id, { path, file });
  }
}

async function hashOne(state: State, id: number, job: HashJob): Promise<void> {
  const { options } = state;
  const start = options.startEngine ?? (options.native === null ? startHashWorker : hashInPool(options.native));
  state.engine ??= start({ bytesPerSecond: options.bytesPerSecond, fileLimitBytes: options.fileLimitBytes });
  let answer;
  try {
    answer = await state.engine.hash(job);
  } catch (cause) {
    const deaths = (state.deaths.get(id) ?? 0) + 1;
    state.deaths.set(id, deaths);
    // Otherwise those that come after it would never be reached.
    if (deaths >= MOST_DEATHS) options.executables.recordHash(id, { error: 'the thread that hashes ended on it' });
    throw cause;
  }
  if (answer === null || state.stopped) return;
  state.bytesRead += answer.bytesRead;
  if (answer.result === null) skip(state, id);
  else options.executables.recordHash(id, answer.result);
  state.told = false;
}

function skip(state: State, id: number): void {
  const wakes = Math.min((state.skipped.get(id)?.wakes ?? 0) * 2 || 1, MOST_SKIPPED_WAKES);
  state.skipped.set(id, { untilWake: state.wakes + wakes + 1, wakes });
}

/** What is not pending any more need not be remembered. */
function forgetOthers(state: State, pending: ReadonlySet<number>): void {
  for (const id of state.skipped.keys()) if (!pending.has(id)) state.skipped.delete(id);
  for (const id of state.deaths.keys()) if (!pending.has(id)) state.deaths.delete(id);
}
