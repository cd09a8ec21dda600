/**
 * From which process event on a rule looks: from the first that it has not seen, or, where it is new or far behind, from
 * where its statement still ends in time. The agent and a backtest ask the same.
 */

/** A rule that saw nothing before looks at so many events: what is older is for queries. */
const FIRST_EVENTS = 10_000;
/** A rule with many patterns reads them in some tenths of a second, far below its deadline. */
export const MOST_EVENTS = 100_000;

export type FirstEvent = {
  /** The rule looks at events with larger numbers. */
  readonly sinceSeq: number;
  /** Whether it passes over some that it has not seen. */
  readonly passesOver: boolean;
};

/** `seenSeq` is the newest event that the rule saw, null where it saw none; a larger one than the newest means nothing. */
export function firstEvent(seenSeq: number | null, newest: number): FirstEvent {
  if (seenSeq === null || seenSeq > newest) return { sinceSeq: Math.max(0, newest - FIRST_EVENTS), passesOver: false };
  const sinceSeq = Math.max(seenSeq, newest - MOST_EVENTS);
  return { sinceSeq, passesOver: sinceSeq > seenSeq };
}
