/**
 * The newest row of audit_checkpoint, as the writer goes on from it: held against its own note, its key and its tree.
 */
import type { CheckpointNotice } from '@sentineld/model/audit';
import type { KeyPeriod } from '@sentineld/ledger/keys';
import type { LedgerStart } from '@sentineld/ledger/ledger-row';
import { type CompactRange, decodeRange } from '@sentineld/ledger/merkle';
import { anchorOfRow } from '@sentineld/ledger/walk-checkpoint';
import type { WriterDatabase } from '../open.ts';
import { brokenError } from './ledger-file.ts';

export type StoredCheckpoint = { readonly notice: CheckpointNotice; readonly range: CompactRange };

export type CheckpointContext = { readonly ledgerId: string; readonly keys: readonly KeyPeriod[]; readonly start: LedgerStart };

type CheckpointColumns = {
  readonly epoch: number;
  readonly tree_size: number;
  readonly timestamp: number;
  readonly root_hash: Uint8Array;
  readonly key_id: string;
  readonly note: string;
  readonly tree_range: Uint8Array;
  /** Of the entry with the number of the tree size; null where it is not there. */
  readonly entry_hash: Uint8Array | null;
};

const NEWEST_SQL = `SELECT c.epoch, c.tree_size, c.timestamp, c.root_hash, c.key_id, c.note, c.tree_range, e.entry_hash
  FROM audit_checkpoint c LEFT JOIN audit_ledger e ON e.sequence = c.tree_size ORDER BY c.epoch DESC LIMIT 1`;

/** Null where there is none yet. @throws SentinelError ledger.broken where it does not hold. */
export function readNewestCheckpoint(db: WriterDatabase, { ledgerId, keys, start }: CheckpointContext): StoredCheckpoint | null {
  const row = db.prepare<[], CheckpointColumns>(NEWEST_SQL).get();
  if (row === undefined) {
    if (start.sequence === 0) return null;
    throw brokenError(db.name, { sequence: start.sequence, what: 'checkpoint_missing', why: 'every checkpoint is gone' });
  }
  const { epoch, tree_size: treeSize, timestamp: timestampMs, root_hash: rootHash, key_id: keyId, note } = row;
  const entryHash = row.entry_hash ?? (treeSize === start.sequence ? start.entryHash : null);
  const range = decodeRange(treeSize, row.tree_range);
  if (entryHash === null || range === null) {
    const why = entryHash === null ? 'it is gone, and a checkpoint covers it' : 'the tree_range of its checkpoint is not of its size';
    throw brokenError(db.name, { sequence: treeSize, what: 'tree', why });
  }
  const position = { sequence: treeSize, entryHash };
  const read = anchorOfRow({ epoch, treeSize, timestampMs, rootHash, keyId, note }, { ledgerId, keys, epoch, treeSize, position, range });
  if ('failure' in read) throw brokenError(db.name, read.failure);
  return { notice: { epoch, treeSize, timestampMs, note }, range };
}
