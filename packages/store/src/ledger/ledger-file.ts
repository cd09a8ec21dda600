/**
 * ledger.db as its writer has it: the statements, for use within a transaction that the caller has begun.
 */
import type { AuditEntry } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import type { Checkpoint } from '@sentineld/ledger/checkpoint';
import { type ChainPosition, sameBytes } from '@sentineld/ledger/chain';
import { type CompactRange, encodeRange } from '@sentineld/ledger/merkle';
import type { LedgerFailure } from '@sentineld/ledger/verify';
import type Database from 'better-sqlite3';
import type { WriterDatabase } from '../open.ts';

export type LedgerFile = {
  readonly db: WriterDatabase;
  /** Does the work in one transaction that is on disk when it returns; all of it or nothing. */
  readonly inTransaction: (work: () => void) => void;
  readonly insertEntry: (entry: AuditEntry) => void;
  readonly insertCheckpoint: (checkpoint: Checkpoint, keyId: string, range: CompactRange) => void;
  /** Details that are there already are the same by their hash. */
  readonly insertBody: (hash: Uint8Array, body: string) => void;
  /** Throws ledger.broken where the newest entry on disk is not this one. */
  readonly requireNewest: (position: ChainPosition) => void;
  /** The last number that an origin sent; 0 for one not seen. */
  readonly lastOf: (originKey: string) => number;
  readonly recordOrigin: (originKey: string, lastSequence: number, nowMs: number) => void;
  /** Forgets the origins that are too many; to be done when one was added. */
  readonly forgetOrigins: () => void;
};

/** Origins that are remembered. The one least recently used goes; its client would have to repeat a send from before that. */
const MAX_ORIGINS = 4_096;

export function prepareLedgerFile(db: WriterDatabase): LedgerFile {
  // Made once: the library makes five functions of it.
  const transaction = db.transaction((work: () => void) => work());
  const inTransaction = (work: () => void): void => transaction.immediate(work);
  return { db, inTransaction, ...rowStatements(db), requireNewest: newestCheck(db), ...originStatements(db) };
}

/** That an entry, or a checkpoint of so many entries, is not what it must be. */
export function brokenError(path: string, failure: LedgerFailure): SentinelError {
  return new SentinelError('ledger.broken', {
    message: `Entry ${failure.sequence} of ${path}: ${failure.why}.`,
    hint: 'Keep the file as evidence: run `sentinelcli audit verify`, then move it with its -wal and -shm away to start a new ledger.',
    context: { path, ...failure },
  });
}

function rowStatements(db: WriterDatabase): Pick<LedgerFile, 'insertEntry' | 'insertCheckpoint' | 'insertBody'> {
  // By place: looking twelve names up takes longer than the row.
  const entries: Database.Statement = db.prepare(
    `INSERT INTO audit_ledger (sequence, timestamp, actor, action, payload_hash, prev_hash, entry_hash, signature, event_data, format_version, epoch, key_id)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const checkpoints: Database.Statement<[Record<string, unknown>]> = db.prepare(
    `INSERT INTO audit_checkpoint (epoch, tree_size, timestamp, root_hash, key_id, note, tree_range)
     VALUES (:epoch, :treeSize, :timestampMs, :rootHash, :keyId, :note, :range)`,
  );
  const bodies = db.prepare<[Uint8Array, string]>('INSERT OR IGNORE INTO audit_body (blake3, body) VALUES (?, ?)');
  return {
    insertEntry: (entry) => {
      const { sequence, timestampMs, actor, action, payloadHash, prevHash, entryHash, signature, eventData } = entry;
      const { formatVersion, epoch, keyId } = entry;
      entries.run(
        sequence,
        timestampMs,
        actor,
        action,
        payloadHash,
        prevHash,
        entryHash,
        signature,
        eventData,
        formatVersion,
        epoch,
        keyId,
      );
    },
    insertCheckpoint: ({ epoch, treeSize, timestampMs, rootHash, note }, keyId, range) =>
      void checkpoints.run({ epoch, treeSize, timestampMs, rootHash, keyId, note, range: encodeRange(range) }),
    insertBody: (hash, body) => void bodies.run(hash, body),
  };
}

function newestCheck(db: WriterDatabase): LedgerFile['requireNewest'] {
  const newest = db.prepare<[], { sequence: number; entry_hash: Uint8Array }>(
    'SELECT sequence, entry_hash FROM audit_ledger ORDER BY sequence DESC LIMIT 1',
  );
  return (position) => {
    const row = newest.get();
    if (row?.sequence === position.sequence && sameBytes(row.entry_hash, position.entryHash)) return;
    throw brokenError(db.name, {
      sequence: position.sequence,
      what: 'entry_hash',
      why: `it was the newest when this process wrote it, and now the newest is ${row?.sequence ?? 'none'} or another of that number`,
    });
  };
}

function originStatements(db: WriterDatabase): Pick<LedgerFile, 'lastOf' | 'recordOrigin' | 'forgetOrigins'> {
  const last = db.prepare<[string], { last_sequence: number }>('SELECT last_sequence FROM audit_origin WHERE origin = ?');
  const upsert = db.prepare(
    `INSERT INTO audit_origin (origin, last_sequence, updated_ms) VALUES (?, ?, ?)
     ON CONFLICT (origin) DO UPDATE SET last_sequence = excluded.last_sequence, updated_ms = excluded.updated_ms`,
  );
  const forget = db.prepare(
    `DELETE FROM audit_origin WHERE origin IN (SELECT origin FROM audit_origin ORDER BY updated_ms DESC LIMIT -1 OFFSET ${MAX_ORIGINS})`,
  );
  return {
    lastOf: (origin) => last.get(origin)?.last_sequence ?? 0,
    recordOrigin: (origin, lastSequence, nowMs) => void upsert.run(origin, lastSequence, nowMs),
    forgetOrigins: () => void forget.run(),
  };
}
