/**
 * From which process event on a rule looks at a past scan: as the agent has it, over the events that were stored then.
 */
import type { PastScan, UnsureReason } from './past-scans.ts';

/** A rule that saw nothing before looks at so many events, as the agent has it. */
const FIRST_EVENTS = 10_000;
/** One that is behind looks at so many, as the agent has it. */
export const MOST_EVENTS = 100_000;

export type EventStart = {
  /** The rule looks at events with larger numbers. */
  readonly sinceSeq: number;
  /** What it does not see of those that it has not seen before. */
  readonly unseen: readonly UnsureReason[];
};

/** `seenSeq` is the newest event that the rule saw before, null where it saw none; `oldest` the oldest that is kept now. */
export function eventStart(seenSeq: number | null, { eventsUntil }: PastScan, oldest: number | null): EventStart {
  const isNew = seenSeq === null || seenSeq > eventsUntil;
  const sinceSeq = isNew ? Math.max(0, eventsUntil - FIRST_EVENTS) : Math.max(seenSeq, eventsUntil - MOST_EVENTS);
  const isPassedOver = !isNew && sinceSeq > seenSeq;
  // What retention has deleted since then a live rule would have seen.
  const isDeleted = eventsUntil > sinceSeq && sinceSeq < (oldest ?? Infinity) - 1;
  return { sinceSeq, unseen: [...(isPassedOver ? (['passed_over'] as const) : []), ...(isDeleted ? (['deleted'] as const) : [])] };
}
