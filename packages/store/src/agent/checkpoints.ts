/**
 * Checkpoints of the ledger as procmond announced them: what the agent knows of the ledger, whatever becomes of its file.
 */
import type { CheckpointNotice } from '@sentineld/model/audit';
import type { WriterDatabase } from '../open.ts';

/** Checkpoints that are kept: those that were seen last. */
const MAX_CHECKPOINTS = 1_000;

/** `record` must run within a transaction. */
export function prepareCheckpoints(db: WriterDatabase): {
  record(notice: CheckpointNotice, nowMs: number): void;
  newest(limit: number): CheckpointNotice[];
} {
  const insert = db.prepare<[CheckpointNotice & { readonly seenMs: number }]>(
    `INSERT OR IGNORE INTO ledger_checkpoint_seen (epoch, tree_size, timestamp, note, seen_ms)
     VALUES (:epoch, :treeSize, :timestampMs, :note, :seenMs)`,
  );
  // The one of the highest epoch stays: of a ledger that was cut off and started over it is the evidence.
  const prune = db.prepare(
    `DELETE FROM ledger_checkpoint_seen WHERE epoch < (SELECT max(epoch) FROM ledger_checkpoint_seen) AND rowid IN (
       SELECT rowid FROM ledger_checkpoint_seen ORDER BY rowid DESC LIMIT -1 OFFSET ${MAX_CHECKPOINTS})`,
  );
  const newest = db.prepare<[number], CheckpointNotice>(
    `SELECT epoch, tree_size AS treeSize, timestamp AS timestampMs, note FROM ledger_checkpoint_seen
     ORDER BY epoch DESC, rowid DESC LIMIT ?`,
  );
  return {
    record: (notice, seenMs) => {
      insert.run({ ...notice, seenMs });
      prune.run();
    },
    newest: (limit) => newest.all(limit),
  };
}
