/**
 * A new SQLite file with rows that were read from ours, for whoever wants to work with them elsewhere. It is made with
 * node:sqlite, because whoever exports also reads. Nothing is opened that was there before, and rows are data alone.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { SentinelError, messageOf } from '@sentineld/model/error';
import type { SqlValue } from '@sentineld/model/rule';
import type { ReadableColumn } from '@sentineld/model/schema';

export type ExportedTable = { readonly name: string; readonly columns: readonly ReadableColumn[] };

/** What the table export_info says of one table. Times in milliseconds since 1970; null where no bound was given. */
export type ExportInfo = {
  readonly table: string;
  readonly fromMs: number | null;
  readonly toMs: number | null;
  readonly host: string | null;
  readonly version: string;
  readonly rows: number;
};

export type ExportFile = {
  readonly createTable: (table: ExportedTable) => void;
  /** Adds rows to the table that was made last, in one transaction; values stand in the order of its columns. */
  readonly insert: (rows: readonly (readonly SqlValue[])[]) => void;
  readonly describe: (info: ExportInfo) => void;
  /** Everything is with the operating system when it returns; whether it is on the disk is the caller's business. */
  readonly close: () => void;
};

const SQLITE_FULL = 13;
const INFO = `CREATE TABLE export_info (
  table_name TEXT, from_ms INTEGER, to_ms INTEGER, host TEXT, version TEXT, rows INTEGER
)`;

/**
 * `path` is an empty file that the caller has just made, so that its owner and mode are the caller's choice; `name` is
 * what errors call it. Every function throws 'state.unusable' where the file cannot be written.
 */
export function openExportFile(path: string, name: string): ExportFile {
  const database = writing(name, () => new DatabaseSync(path));
  // Nobody reads the file before it is complete, and what was not completed is removed.
  writing(name, () => database.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; ${INFO}`));
  let insert: StatementSync | undefined;
  return {
    createTable: (table) => {
      const types = table.columns.map((column) => `${quoteName(column.name)} ${column.type}`).join(', ');
      const places = table.columns.map(() => '?').join(', ');
      insert = writing(name, () => {
        database.exec(`CREATE TABLE ${quoteName(table.name)} (${types})`);
        return database.prepare(`INSERT INTO ${quoteName(table.name)} VALUES (${places})`);
      });
    },
    insert: (rows) => {
      const statement = insert;
      if (statement === undefined) throw new SentinelError('internal.bug', { message: 'Rows were exported before their table was made' });
      writing(name, () => {
        database.exec('BEGIN');
        for (const row of rows) statement.run(...row.map(toBound));
        database.exec('COMMIT');
      });
    },
    describe: ({ table, fromMs, toMs, host, version, rows }) => {
      const values = [table, fromMs, toMs, host, version, rows];
      writing(name, () => database.prepare('INSERT INTO export_info VALUES (?, ?, ?, ?, ?, ?)').run(...values.map(toBound)));
    },
    close: () => writing(name, () => database.close()),
  };
}

/** node:sqlite binds every number as REAL; a column without a type would keep it so. */
function toBound(value: SqlValue): SqlValue | bigint {
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
}

function writing<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const isFull = typeof cause === 'object' && cause !== null && 'errcode' in cause && cause.errcode === SQLITE_FULL;
    throw new SentinelError('state.unusable', {
      message: `${name} cannot be written`,
      why: isFull ? 'the disk is full' : messageOf(cause),
      hint: 'make room or give another place; nothing was left behind',
      cause,
    });
  }
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
