/**
 * A ledger as its verifier is given it, wherever it is kept.
 */
import type { CheckpointRow, LedgerSeal, LedgerStart } from './ledger-row.ts';
import type { LedgerWalk } from './walk.ts';
import type { LedgerFailure } from './walk-failure.ts';

/** Where the rows come from. */
export type LedgerSource = {
  readonly start: LedgerStart;
  /** The checkpoint that the start is from; null at the beginning of a ledger, and where it is not there. */
  readonly anchor: CheckpointRow | null;
  /** Where older entries were archived: what `start` is from. */
  readonly seal: LedgerSeal | null;
  /** False where rows follow that are not read: then what only the end shows is not asked for. */
  readonly isToEnd: boolean;
  /** Gives all rows to the walk, up to the first failure. Throws ledger.broken with context.sequence for a row that is none. */
  readonly feed: (walk: LedgerWalk) => LedgerFailure | null;
};
