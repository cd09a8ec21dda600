/**
 * Result rows as plain values, with caps: whatever a statement returns, the answer has a bounded size and survives JSON.
 */
import type { StatementSync } from 'node:sqlite';
import type { ResultRow, SqlValue } from '@sentineld/model/rule';

export type RowCaps = {
  readonly maxRows: number;
  /** Of the rows as JSON text. */
  readonly maxBytes: number;
};

export type CappedRows = {
  readonly rows: readonly ResultRow[];
  /** True where a cap cut the result. */
  readonly truncated: boolean;
};

/** Takes rows (arrays of values) until they end or a cap is reached; the row that would break a cap is left out. */
export function collectRows(iterable: Iterable<unknown>, columns: readonly string[], caps: RowCaps): CappedRows {
  const rows: ResultRow[] = [];
  let bytes = 0;
  for (const values of iterable) {
    if (rows.length >= caps.maxRows) return { rows, truncated: true };
    const row = toRow(values, columns);
    bytes += Buffer.byteLength(JSON.stringify(row));
    if (bytes > caps.maxBytes) return { rows, truncated: true };
    rows.push(row);
  }
  return { rows, truncated: false };
}

/** Names of the result columns; a name that comes again gets `:1`, `:2`, … as SQLite does for subqueries. */
export function columnNames(statement: StatementSync): readonly string[] {
  const used = new Set<string>();
  return statement.columns().map(({ name }) => {
    let unique = name;
    for (let n = 1; used.has(unique); n++) unique = `${name}:${n}`;
    used.add(unique);
    return unique;
  });
}

/** The values of one row, in the order of its columns. */
export function toSqlValues(values: unknown): readonly SqlValue[] {
  return Array.isArray(values) ? values.map(toSqlValue) : [];
}

function toRow(values: unknown, columns: readonly string[]): ResultRow {
  const list: readonly unknown[] = Array.isArray(values) ? values : [];
  // fromEntries defines own properties, so that a column called __proto__ is only a column.
  return Object.fromEntries(columns.map((name, at) => [name, toSqlValue(list[at])]));
}

/** Integers beyond 2^53 become decimal text, BLOBs hex text, infinities SQLite's own words: none of them survives JSON. */
function toSqlValue(value: unknown): SqlValue {
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint')
    return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value.toString();
  if (typeof value === 'number') return Number.isFinite(value) ? value : value > 0 ? 'Inf' : '-Inf';
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex');
  return null;
}
