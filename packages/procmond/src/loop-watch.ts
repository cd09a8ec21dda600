/**
 * Watches what this process cannot see while it happens: a time in which it did not run, and a time of day that was set.
 * It also gives the time that may decide about deletion, which a time of day set forward does not move.
 */
import { uptime } from 'node:os';

export type LoopWatchOptions = {
  /** A turn that is late by more than this is a stall. */
  readonly limitMs?: number;
  readonly everyMs?: number;
  /**
   * Milliseconds by a clock that nobody sets. With `sinceBootMs` the time that the machine was suspended counts, so a
   * suspend is a stall; by CLOCK_MONOTONIC it does not, and a suspend is a jump of the time of day.
   */
  readonly nowMs?: () => number;
  /** Milliseconds since 1970. */
  readonly wallMs?: () => number;
  /** Time of the newest scan that is stored; null where there is none. */
  readonly lastSeenMs: number | null;
  /** How long it did not run, at least. */
  readonly onStall: (durationMs: number) => void;
  /** Negative where the time of day was set back. */
  readonly onTimeJump: (jumpMs: number) => void;
};

export type LoopWatch = {
  /**
   * Milliseconds since 1970 as far as they are believed. A time of day that is more than an hour ahead of what has
   * passed, or at the start more than 7 days ahead of the newest scan, is believed only once it went on for 24 hours
   * without another jump; until then time passes from where it was. One that was set back is taken as it is.
   */
  readonly trustedNow: () => number;
  /** What the timer does. */
  readonly tick: () => void;
  readonly stop: () => void;
};

const JUMP_MS = 30_000;
const BELIEVED_AHEAD_MS = 3_600_000;
const BELIEVED_AT_START_MS = 7 * 86_400_000;
const PROBATION_MS = 24 * 3_600_000;

/** Milliseconds since boot, the time that the machine was suspended included. */
export function sinceBootMs(): number {
  return uptime() * 1000;
}

export function watchLoop(options: LoopWatchOptions): LoopWatch {
  const { limitMs = 5000, everyMs = 1000, nowMs = sinceBootMs, wallMs = Date.now } = options;
  const offsetNow = (): number => wallMs() - nowMs();
  let lastMs = nowMs();
  /** How far the time of day is ahead of the other clock, as it was since `steadySinceMs`; it changes only when somebody sets it. */
  let steady = offsetNow();
  let steadySinceMs = lastMs;
  let trusted = trustedAtStart(steady, options.lastSeenMs, lastMs);

  const tick = (): void => {
    const now = nowMs();
    const late = now - lastMs - everyMs;
    lastMs = now;
    if (late > limitMs) options.onStall(late);
    const offset = offsetNow();
    const jumpMs = offset - steady;
    if (Math.abs(jumpMs) > JUMP_MS) {
      steady = offset;
      steadySinceMs = now;
      options.onTimeJump(jumpMs);
    }
    if (now - steadySinceMs >= PROBATION_MS) trusted = offset;
  };
  const timer = setInterval(tick, everyMs);
  timer.unref();
  return {
    tick,
    trustedNow: () => {
      const offset = offsetNow();
      if (offset < trusted) trusted = offset;
      return nowMs() + (offset - trusted > BELIEVED_AHEAD_MS ? trusted : offset);
    },
    stop: () => clearInterval(timer),
  };
}

function trustedAtStart(offset: number, lastSeenMs: number | null, nowMs: number): number {
  if (lastSeenMs === null) return offset;
  const seen = lastSeenMs - nowMs;
  return offset - seen > BELIEVED_AT_START_MS ? seen : offset;
}
