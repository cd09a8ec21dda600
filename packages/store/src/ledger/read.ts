/**
 * Reads a ledger through node:sqlite, for readers only: a process that loads this module must not load better-sqlite3
 * (docs/adr/0002-storage.md). Pages are short statements, so that reading a long ledger does not hold back the WAL.
 */
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { AuditEntry } from '@sentineld/model/audit';
import { SentinelError, messageOf } from '@sentineld/model/error';
import { isLogAlone } from '../missing-pages.ts';
import { logAloneError } from '../reader-errors.ts';
import { ENTRY_COLUMNS_SQL, entryFromRow } from './entry-row.ts';

export type ReadOptions = {
  /** Schema that the ledger is attached as; 'main' where it is the database itself. */
  readonly schema?: 'main' | 'ledger';
  /** First sequence to read; everything there is where it is not given, even what has no business being there. */
  readonly fromSequence?: number;
  readonly pageRows?: number;
};

/**
 * Opens ledger.db read-only.
 * @throws SentinelError store.missing, store.unreadable, store.corrupt
 */
export function openLedger(path: string): DatabaseSync {
  if (!existsSync(path)) {
    throw new SentinelError('store.missing', {
      message: `There is no ledger at ${path}, or its directory may not be entered.`,
      hint: "procmond makes it at its first start; reading it needs the auditors' group.",
    });
  }
  if (isLogAlone(path)) throw logAloneError(path);
  try {
    const db = new DatabaseSync(path, { readOnly: true, timeout: 2_000 });
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
    return db;
  } catch (thrown) {
    throw new SentinelError('store.unreadable', {
      message: `${path} cannot be read: ${messageOf(thrown)}.`,
      hint: "Reading needs the auditors' group; of a copy, also the -wal file.",
      cause: thrown,
    });
  }
}

/**
 * The entries in the order of their sequence, up to the newest there was when the reading began.
 * @throws SentinelError ledger.broken for a row that is no entry; store.corrupt where SQLite cannot read the file.
 */
export function* readEntries(db: DatabaseSync, options: ReadOptions = {}): Generator<AuditEntry, void, undefined> {
  const table = `${options.schema ?? 'main'}.audit_ledger`;
  const pageRows = options.pageRows ?? DEFAULT_PAGE_ROWS;
  const last = newestSequence(db, table);
  let next = options.fromSequence === undefined ? SMALLEST_INTEGER : BigInt(options.fromSequence);
  const sql = `SELECT ${ENTRY_COLUMNS_SQL} FROM ${table} WHERE sequence >= ? AND sequence <= ? ORDER BY sequence LIMIT ?`;
  while (last !== null && next <= last) {
    const rows = orCorrupt(() => {
      const page = db.prepare(sql);
      page.setReadBigInts(true);
      return page.all(next, last, pageRows);
    });
    for (const row of rows) yield entryFromRow(row);
    const end = rows.at(-1)?.['sequence'];
    if (typeof end !== 'bigint' || rows.length < pageRows) return;
    next = end + 1n;
  }
}

const SMALLEST_INTEGER = -(2n ** 63n);

/** Entries of a client have up to 64 KiB: a page is a few MiB at worst and 60 KiB as a rule. */
const DEFAULT_PAGE_ROWS = 200;

function newestSequence(db: DatabaseSync, table: string): bigint | null {
  const newest = orCorrupt(() => {
    const statement = db.prepare(`SELECT max(sequence) AS newest FROM ${table}`);
    statement.setReadBigInts(true);
    return statement.get()?.['newest'];
  });
  return typeof newest === 'bigint' ? newest : null;
}

function orCorrupt<Result>(read: () => Result): Result {
  try {
    return read();
  } catch (thrown) {
    throw new SentinelError('store.corrupt', {
      message: `The ledger cannot be read: ${messageOf(thrown)}.`,
      hint: 'Keep the file as it is and look at the disk; entries before the damage may be readable.',
      cause: thrown,
    });
  }
}
