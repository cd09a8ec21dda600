/**
 * How long a sink that refuses is left alone: a second, then twice as long each time, a minute at most. By a clock that
 * nobody sets, so a jump of the time of day neither shortens nor prolongs it; a new start tries at once.
 */
const FIRST_MS = 1_000;
const LONGEST_MS = 60_000;

export type RefusalState = {
  readonly error: string;
  /** For want of space. */
  readonly isFull: boolean;
  /** For so long it has refused, and each time for want of space or each time for something else, in milliseconds. */
  readonly forMs: number;
};

export type SinkPause = {
  readonly refused: (error: string, isFull: boolean) => void;
  readonly accepted: () => void;
  /** Until it may be tried again, in milliseconds; 0 where it may be now. */
  readonly leftMs: () => number;
  /** Null where it took what it was given last. */
  readonly state: () => RefusalState | null;
};

export function createSinkPause(nowMs: () => number): SinkPause {
  let refusal: { readonly error: string; readonly isFull: boolean; readonly sinceMs: number; readonly pauseMs: number } | null = null;
  let dueMs = -Infinity;
  return {
    refused: (error, isFull) => {
      const now = nowMs();
      const pauseMs = refusal === null ? FIRST_MS : Math.min(refusal.pauseMs * 2, LONGEST_MS);
      refusal = { error, isFull, pauseMs, sinceMs: refusal?.isFull === isFull ? refusal.sinceMs : now };
      dueMs = now + pauseMs;
    },
    accepted: () => {
      refusal = null;
      dueMs = -Infinity;
    },
    leftMs: () => Math.max(0, dueMs - nowMs()),
    state: () => (refusal === null ? null : { error: refusal.error, isFull: refusal.isFull, forMs: nowMs() - refusal.sinceMs }),
  };
}
