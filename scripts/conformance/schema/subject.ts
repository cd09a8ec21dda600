/**
 * One promised table in one database of the product: read where it is, tried out in a copy. What is tried starts from
 * a row that the real writer stored, so that it fails for the one reason that is looked for.
 */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';

export type Row = Readonly<Record<string, SQLOutputValue>>;

export type Subject = {
  readonly table: string;
  /** A copy that may be written, with foreign keys on. */
  readonly database: DatabaseSync;
};

/** 'missing' where there is neither a table nor a view. */
export function kindOf({ database, table }: Subject): 'table' | 'view' | 'missing' {
  const type = database.prepare('SELECT type FROM sqlite_schema WHERE name = ?').get(table)?.['type'];
  return type === 'table' || type === 'view' ? type : 'missing';
}

export function columnNames({ database, table }: Subject): readonly string[] {
  const rows = database.prepare('SELECT name FROM pragma_table_info(?) ORDER BY cid').all(table);
  return rows.map((row) => String(row['name']));
}

/** Declared type in capitals; '' where a view computes the column; undefined where there is none. */
export function declaredType({ database, table }: Subject, column: string): string | undefined {
  const type = database.prepare('SELECT type FROM pragma_table_info(?) WHERE name = ?').get(table, column)?.['type'];
  return type === undefined ? undefined : String(type).toUpperCase();
}

/** The values of a column, of some thousand rows. Throws where there is no row: nothing could be said. */
export function valuesOf({ database, table }: Subject, column: string): readonly SQLOutputValue[] {
  const rows = database.prepare(`SELECT "${column}" AS value FROM "${table}" LIMIT 5000`).all();
  if (rows.length === 0) throw new Error(`${table} has no row to look at`);
  return rows.map((row) => row['value'] ?? null);
}

export function countOf({ database, table }: Subject, condition: string): number {
  return Number(database.prepare(`SELECT count(*) AS n FROM "${table}" WHERE ${condition}`).get()?.['n']);
}

export type Attempt = { readonly row: Row } | { readonly refused: string };

export type Change = {
  readonly key: string;
  /** Instead of the values of the row that is copied. */
  readonly values?: Row;
  /** Columns that the INSERT does not name. */
  readonly without?: readonly string[];
};

/** Inserts a copy of a stored row under a new key, changed as asked for. `inTransaction` undoes it. */
export function insertLike({ database, table }: Subject, { key, values = {}, without = [] }: Change): Attempt {
  const stored = database.prepare(`SELECT * FROM "${table}" LIMIT 1`).get();
  if (stored === undefined) throw new Error(`${table} has no row to start from`);
  // A key that is a number is given by SQLite.
  const fresh = typeof stored[key] === 'string' ? { [key]: `${stored[key]} again` } : {};
  const omitted = new Set([...without, ...(typeof stored[key] === 'string' ? [] : [key])]);
  const row = Object.fromEntries(
    Object.entries({ ...stored, ...fresh, ...values }).filter(([name]) => !omitted.has(name) || name in values),
  );
  const names = Object.keys(row);
  const sql = `INSERT INTO "${table}" (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')}) RETURNING *`;
  try {
    const inserted = database.prepare(sql).get(...Object.values(row));
    return inserted === undefined ? { refused: 'no row was stored' } : { row: inserted };
  } catch (thrown) {
    return { refused: thrown instanceof Error ? thrown.message : String(thrown) };
  }
}

/** Runs `work` and takes back what it wrote. */
export function inTransaction<Result>({ database }: Subject, work: () => Result): Result {
  database.exec('BEGIN');
  try {
    return work();
  } finally {
    database.exec('ROLLBACK');
  }
}
