/**
 * Gives rows to a walk in the order that it wants: each checkpoint directly after the entry with the number of its tree
 * size, those of empty epochs one after the other.
 */
import type { AuditEntry } from '@sentineld/model/audit';
import type { CheckpointRow } from './ledger-row.ts';
import type { LedgerWalk } from './walk.ts';
import type { LedgerFailure } from './walk-failure.ts';

/** Checkpoints in the order of their epochs, given when their turn comes. */
export type CheckpointFeed = {
  /** Tree size of the next one, or null. */
  readonly nextSize: () => number | null;
  /** Gives those that are due. */
  readonly give: (walk: LedgerWalk) => LedgerFailure | null;
  /** Gives all that are left, when no entry is left. */
  readonly giveRest: (walk: LedgerWalk) => LedgerFailure | null;
};

export function checkpointFeed(rows: Iterable<CheckpointRow>): CheckpointFeed {
  const iterator = rows[Symbol.iterator]();
  let next = iterator.next();
  const giveWhile = (walk: LedgerWalk, isDue: (row: CheckpointRow) => boolean): LedgerFailure | null => {
    while (next.done !== true && isDue(next.value)) {
      const failure = walk.checkpoint(next.value);
      if (failure !== null) return failure;
      next = iterator.next();
    }
    return null;
  };
  return {
    nextSize: () => (next.done === true ? null : next.value.treeSize),
    give: (walk) => giveWhile(walk, ({ treeSize }) => treeSize <= walk.position().sequence),
    // Without any entry that is what is wrong, whatever checkpoints there are.
    giveRest: (walk) => (walk.position().sequence === 0 ? null : giveWhile(walk, () => true)),
  };
}

/** All rows, one by one. `bodyOf` has the details of an entry that are kept beside it; null where there are none. */
export function feedRows(
  walk: LedgerWalk,
  entries: Iterable<AuditEntry>,
  checkpoints: CheckpointFeed,
  bodyOf: (entry: AuditEntry) => string | null = () => null,
): LedgerFailure | null {
  const failure = checkpoints.give(walk);
  if (failure !== null) return failure;
  for (const entry of entries) {
    const found = walk.entry(entry, bodyOf(entry)) ?? checkpoints.give(walk);
    if (found !== null) return found;
  }
  return checkpoints.giveRest(walk);
}
