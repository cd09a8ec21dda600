/**
 * Entries with their leaves, in order and without gaps, for what is made of the tree: proofs and exports. The tree that they
 * come to is held against a signed checkpoint by whoever asks.
 */
import type { AuditEntry } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import { readEntries } from '@sentineld/store/ledger/read';
import { canonicalEntry } from '@sentineld/ledger/canonical-entry';
import { leafHash, type CompactRange } from '@sentineld/ledger/merkle';
import { brokenError, startOf, type LedgerView } from './ledger-view.ts';

export type Leaf = { readonly entry: AuditEntry; readonly leaf: Uint8Array };

/** Entries `from` to `to`. @throws SentinelError ledger.broken where one is missing or is no entry. */
export function* leavesOf(ledger: LedgerView, from: number, to: number): Generator<Leaf, void, undefined> {
  let expected = from;
  for (const entry of readEntries(ledger.db, { fromSequence: from })) {
    if (expected > to) return;
    if (entry.sequence !== expected) break;
    yield { entry, leaf: leafOf(entry) };
    expected += 1;
  }
  if (expected <= to) throw brokenError(`Entry ${expected} is not in the ledger.`, 'it was removed, or archived just now: ask again');
}

/** The tree of the largest checkpoint that has at most so many entries, so that none before it need be read again. */
export function nearestRange(ledger: LedgerView, size: number): CompactRange {
  const { range } = startOf(ledger.seal());
  const checkpoint = ledger.newestWithin(size);
  return checkpoint !== null && checkpoint.range.size > range.size ? checkpoint.range : range;
}

/** What an entry cannot hold is refused before it is hashed. */
function leafOf(entry: AuditEntry): Uint8Array {
  try {
    return leafHash(canonicalEntry(entry));
  } catch (cause) {
    if (cause instanceof SentinelError) throw brokenError(`Entry ${entry.sequence} does not hold.`, cause.message);
    throw cause;
  }
}
