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
  readonly insertEntries: (entries: readonly AuditEntry[]) => void;
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
/** When an origin was used is known to the minute. */
const USE_MS = 60_000;

export function prepareLedgerFile(db: WriterDatabase): LedgerFile {
  // Made once: the library makes five functions of it.
  const transaction = db.transaction((work: () => void) => work());
  const { forgetRead, ...origins } = originStatements(db);
  const inTransaction = (work: () => void): void => {
    try {
      transaction.immediate(work);
    } catch (thrown) {
      forgetRead();
      throw thrown;
    }
  };
  return { db, inTransaction, ...rowStatements(db), requireNewest: newestCheck(db), ...origins };
}

/** That an entry, or a checkpoint of so many entries, is not what it must be. */
export function brokenError(path: string, failure: LedgerFailure): SentinelError {
  return new SentinelError('ledger.broken', {
    message: `Entry ${failure.sequence} of ${path}: ${failure.why}.`,
    hint: 'Keep the file as evidence: run `sentinelcli audit verify`, then move it with its -wal and -shm away to start a new ledger.',
    context: { path, ...failure },
  });
}

/** In one statement: half of what a row costs is the call. */
const ROWS_AT_ONCE = 8;

/** By place: looking twelve names up takes longer than the row. */
function insertSql(rows: number): string {
  const row = '(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)';
  return `INSERT INTO audit_ledger
    (sequence, timestamp, actor, action, payload_hash, prev_hash, entry_hash, signature, event_data, format_version, epoch, key_id)
    VALUES ${Array.from({ length: rows }, () => row).join(', ')}`;
}

function entryColumns(entry: AuditEntry): readonly unknown[] {
  const { sequence, timestampMs, actor, action, payloadHash, prevHash, entryHash } = entry;
  const { signature, eventData, formatVersion, epoch, keyId } = entry;
  return [sequence, timestampMs, actor, action, payloadHash, prevHash, entryHash, signature, eventData, formatVersion, epoch, keyId];
}

function rowStatements(db: WriterDatabase): Pick<LedgerFile, 'insertEntries' | 'insertCheckpoint' | 'insertBody'> {
  const one: Database.Statement = db.prepare(insertSql(1));
  const some: Database.Statement = db.prepare(insertSql(ROWS_AT_ONCE));
  const checkpoints: Database.Statement<[Record<string, unknown>]> = db.prepare(
    `INSERT INTO audit_checkpoint (epoch, tree_size, timestamp, root_hash, key_id, note, tree_range)
     VALUES (:epoch, :treeSize, :timestampMs, :rootHash, :keyId, :note, :range)`,
  );
  const bodies = db.prepare<[Uint8Array, string]>('INSERT OR IGNORE INTO audit_body (blake3, body) VALUES (?, ?)');
  return {
    insertEntries: (entries) => {
      const inSomes = entries.length - (entries.length % ROWS_AT_ONCE);
      for (let at = 0; at < inSomes; at += ROWS_AT_ONCE) some.run(...entries.slice(at, at + ROWS_AT_ONCE).flatMap(entryColumns));
      for (const entry of entries.slice(inSomes)) one.run(...entryColumns(entry));
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

type OriginStatements = Pick<LedgerFile, 'lastOf' | 'recordOrigin' | 'forgetOrigins'> & {
  /** After a transaction that failed: what it wrote did not happen. */
  readonly forgetRead: () => void;
};

/** What was read or written before is not asked for again: nobody else writes. */
function originStatements(db: WriterDatabase): OriginStatements {
  type Origin = { readonly rowid: number; readonly last_sequence: number; readonly updated_ms: number };
  const select = db.prepare<[string], Origin>('SELECT rowid, last_sequence, updated_ms FROM audit_origin WHERE origin = ?');
  const upsert = db.prepare(
    `INSERT INTO audit_origin (origin, last_sequence, updated_ms) VALUES (?, ?, ?)
     ON CONFLICT (origin) DO UPDATE SET last_sequence = excluded.last_sequence, updated_ms = excluded.updated_ms`,
  );
  // Leaves the indexes alone.
  const count = db.prepare('UPDATE audit_origin SET last_sequence = ? WHERE rowid = ?');
  const forget = db.prepare(
    `DELETE FROM audit_origin WHERE origin IN (SELECT origin FROM audit_origin ORDER BY updated_ms DESC LIMIT -1 OFFSET ${MAX_ORIGINS})`,
  );
  const read = new Map<string, Origin>();
  const originOf = (origin: string): Origin | undefined => {
    const known = read.get(origin) ?? select.get(origin);
    if (known !== undefined) read.set(origin, known);
    return known;
  };
  return {
    forgetRead: () => read.clear(),
    lastOf: (origin) => originOf(origin)?.last_sequence ?? 0,
    recordOrigin: (origin, lastSequence, nowMs) => {
      const known = originOf(origin);
      if (known !== undefined && nowMs >= known.updated_ms && nowMs - known.updated_ms < USE_MS) {
        count.run(lastSequence, known.rowid);
        read.set(origin, { ...known, last_sequence: lastSequence });
      } else {
        upsert.run(origin, lastSequence, nowMs);
        read.delete(origin);
      }
    },
    forgetOrigins: () => {
      if (forget.run().changes > 0) read.clear();
    },
  };
}
