/**
 * From which process event on a rule looks at a past scan: as the agent has it, over the events that were stored then.
 */
import { firstEvent } from '../rules/first-event.ts';
import type { PastScan, UnsureReason } from './past-scans.ts';

export type EventStart = {
  /** The rule looks at events with larger numbers. */
  readonly sinceSeq: number;
  /** What it does not see of those that it has not seen before. */
  readonly unseen: readonly UnsureReason[];
};

/** `seenSeq` is the newest event that the rule saw before, null where it saw none; `oldest` the oldest that is kept now. */
export function eventStart(seenSeq: number | null, { eventsUntil }: PastScan, oldest: number | null): EventStart {
  const { sinceSeq, passesOver } = firstEvent(seenSeq, eventsUntil);
  // What retention has deleted since then a live rule would have seen.
  const isDeleted = eventsUntil > sinceSeq && sinceSeq < (oldest ?? Infinity) - 1;
  return { sinceSeq, unseen: [...(passesOver ? (['passed_over'] as const) : []), ...(isDeleted ? (['deleted'] as const) : [])] };
}
