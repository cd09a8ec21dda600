/**
 * ledger.db as its writer has it: the statements, the check of the newest entries before anything is appended, and
 * the first entry of a new ledger.
 */
import { randomUUID } from 'node:crypto';
import type { AuditEntry } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import type Database from 'better-sqlite3';
import { readMetadata, writeMetadata } from '../migrations/system-metadata.ts';
import { type WriterDatabase, leaveOpen, openWriter, storeErrorFrom } from '../open.ts';
import { FORMAT_VERSION } from '@sentineld/ledger/canonical-entry';
import { CHAIN_START, type ChainPosition, type LedgerFailure, checkEntry, sameBytes, sealEntry } from '@sentineld/ledger/chain';
import { ENTRY_COLUMNS_SQL, type EntryRow, entryFromRow } from './entry-row.ts';
import { LEDGER_MIGRATIONS } from './migrations.ts';

export type LedgerFile = {
  readonly db: WriterDatabase;
  /** Position of the newest entry, as it was verified when the file was opened. */
  readonly start: ChainPosition;
  /** Inserts within a transaction that the caller has begun. */
  insert(entry: AuditEntry): void;
  /** Throws ledger.broken where the newest entry on disk is not this one. */
  requireNewest(position: ChainPosition): void;
  /** The last number that an origin sent; 0 for one not seen. */
  lastOf(originKey: string): number;
  recordOrigin(originKey: string, lastSequence: number, nowMs: number): void;
};

export type LedgerFileOptions = { readonly path: string; readonly hostId: string; readonly clock: () => number };

/** Entries that are verified at each opening; the whole chain is what `audit verify` is for. */
const VERIFIED_AT_OPEN = 64;

/** Origins that are remembered. The one least recently used goes; its client would have to repeat a send from before that. */
const MAX_ORIGINS = 4_096;

/** Little is ever read back here. */
const CACHE_KIB = 512;

/** @throws SentinelError ledger.broken naming the entry, or what openWriter throws. */
export function openLedgerFile(options: LedgerFileOptions): LedgerFile {
  const { path, clock } = options;
  const db = openWriter({ path, durability: 'full', cacheKiB: CACHE_KIB, migrations: LEDGER_MIGRATIONS, clock });
  try {
    const insert = insertStatement(db);
    if (readMetadata(db, 'ledger_id') === undefined) createLedger(db, insert, options);
    return { db, start: verifyTail(db), insert, requireNewest: newestCheck(db), ...originStatements(db) };
  } catch (thrown) {
    // Closing would remove the WAL, and with it the auditors' means to read what is broken.
    leaveOpen(db);
    throw storeErrorFrom(thrown, path);
  }
}

/** The first entry and the id are written in one transaction: an id without entries means that they were removed. */
function createLedger(db: WriterDatabase, insert: LedgerFile['insert'], { hostId, clock }: LedgerFileOptions): void {
  const nowMs = clock();
  const ledgerId = randomUUID();
  const eventData = JSON.stringify({ ledger_id: ledgerId, host_id: hostId, format: FORMAT_VERSION, hash: 'BLAKE3' });
  const create = db.transaction(() => {
    writeMetadata(db, 'ledger_id', ledgerId, nowMs);
    writeMetadata(db, 'host_id', hostId, nowMs);
    insert(sealEntry(CHAIN_START, { timestampMs: nowMs, actor: 'procmond', action: 'ledger_create', eventData }));
  });
  create.immediate();
}

function verifyTail(db: WriterDatabase): ChainPosition {
  const rows = db
    .prepare<[], EntryRow>(`SELECT ${ENTRY_COLUMNS_SQL} FROM audit_ledger ORDER BY sequence DESC LIMIT ${VERIFIED_AT_OPEN}`)
    .safeIntegers(true)
    .all()
    .toReversed();
  const entries = rows.map(entryFromRow);
  const [oldest] = entries;
  if (oldest === undefined) throw brokenError(db.name, { sequence: 1, what: 'empty', why: 'every entry is gone' });
  // The link of the oldest to the one before it is not checked here, unless it is the first.
  let position = oldest.sequence <= 1 ? CHAIN_START : { sequence: oldest.sequence - 1, entryHash: oldest.prevHash };
  for (const entry of entries) {
    const failure = checkEntry(position, entry);
    if (failure !== null) throw brokenError(db.name, failure);
    position = { sequence: entry.sequence, entryHash: entry.entryHash };
  }
  return position;
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

function brokenError(path: string, failure: LedgerFailure): SentinelError {
  return new SentinelError('ledger.broken', {
    message: `Entry ${failure.sequence} of ${path}: ${failure.why}.`,
    hint: 'Keep the file as evidence: run `sentinelcli audit verify`, then move it with its -wal and -shm away to start a new ledger.',
    context: { path, ...failure },
  });
}

function insertStatement(db: WriterDatabase): LedgerFile['insert'] {
  const statement: Database.Statement<[Record<string, unknown>]> = db.prepare(
    `INSERT INTO audit_ledger (sequence, timestamp, actor, action, payload_hash, prev_hash, entry_hash, signature, event_data, format_version, epoch, key_id)
     VALUES (:sequence, :timestampMs, :actor, :action, :payloadHash, :prevHash, :entryHash, :signature, :eventData, :formatVersion, :epoch, :keyId)`,
  );
  return (entry) => void statement.run(entry);
}

function originStatements(db: WriterDatabase): Pick<LedgerFile, 'lastOf' | 'recordOrigin'> {
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
    recordOrigin: (origin, lastSequence, nowMs) => {
      upsert.run(origin, lastSequence, nowMs);
      forget.run();
    },
  };
}
