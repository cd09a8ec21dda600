/**
 * Entries of a ledger, page by page: short statements, so that reading a long ledger does not hold back the WAL.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { AuditEntry } from '@sentineld/model/audit';
import { ENTRY_COLUMNS_SQL, entryFromRow } from './entry-row.ts';
import { orCorrupt, type LedgerSchemaName } from './read-rows.ts';

export type ReadOptions = {
  readonly schema?: LedgerSchemaName;
  /** First sequence to read; everything there is where it is not given, even what has no business being there. */
  readonly fromSequence?: number;
  /** Last sequence to read; the newest there was when the reading began, where it is not given. */
  readonly throughSequence?: number;
  readonly pageRows?: number;
};

/**
 * The entries in the order of their sequence, up to the newest there was when the reading began.
 * @throws SentinelError ledger.broken for a row that is no entry; store.corrupt where SQLite cannot read the file.
 */
export function* readEntries(db: DatabaseSync, options: ReadOptions = {}): Generator<AuditEntry, void, undefined> {
  const table = `${options.schema ?? 'main'}.audit_ledger`;
  const pageRows = options.pageRows ?? DEFAULT_PAGE_ROWS;
  const last = options.throughSequence === undefined ? newestSequence(db, table) : BigInt(options.throughSequence);
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

/** An entry has up to 16 KiB, of earlier releases 256: a page is a few MiB as a worst case and 60 KiB as a rule. */
const DEFAULT_PAGE_ROWS = 200;

function newestSequence(db: DatabaseSync, table: string): bigint | null {
  const newest = orCorrupt(() => {
    const statement = db.prepare(`SELECT max(sequence) AS newest FROM ${table}`);
    statement.setReadBigInts(true);
    return statement.get()?.['newest'];
  });
  return typeof newest === 'bigint' ? newest : null;
}
