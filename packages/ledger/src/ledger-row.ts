/**
 * What a ledger consists of beside its entries, as it is read from a file that nobody trusts yet.
 */
import type { CompactRange } from './merkle.ts';
import type { KeyPeriod } from './keys.ts';

/** A row of audit_checkpoint, or a checkpoint line of an export (which has no root, key id and range of its own: they are null). */
export type CheckpointRow = {
  readonly epoch: number;
  readonly treeSize: number;
  readonly timestampMs: number;
  readonly rootHash: Uint8Array | null;
  readonly keyId: string | null;
  readonly note: string;
};

/** From where a ledger, or a part of it, is verified. */
export type LedgerStart = {
  /** Number of the entry before the first; 0 at the beginning of a ledger. */
  readonly sequence: number;
  /** Of that entry; 32 zero bytes at the beginning. */
  readonly entryHash: Uint8Array;
  /** The tree of so many leaves. */
  readonly range: CompactRange;
  /** Epoch of the newest checkpoint before; 0 where there is none. The next one must have the number after it. */
  readonly epoch: number;
  /** Null at the beginning, where entry 1 tells it. */
  readonly ledgerId: string | null;
  /** Keys that sign from here on. Empty at the beginning, where entry 1 tells the first. */
  readonly keys: readonly KeyPeriod[];
  /** Whether entries of format version 2 came before; then none of version 1 may follow. */
  readonly isSigned: boolean;
};

/** The row of audit_seal. */
export type LedgerSeal = LedgerStart & { readonly hostId: string };
