/**
 * The tables that can be exported, and their rows in batches of a bounded size. A long export is many short reads, not
 * one: a reader that stays open for minutes keeps the store's log from being taken back into the database.
 */
import { SentinelError } from '@sentineld/model/error';
import type { SqlValue } from '@sentineld/model/rule';
import type { ReadableColumn, ReadableTable } from '@sentineld/model/schema';
import { AGENT_SCHEMA } from '@sentineld/store/agent/readable';
import type { Reader } from '@sentineld/store/reader';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';

export const EXPORT_TABLES = ['processes', 'process_snapshots', 'process_events', 'scan_metadata', 'coverage', 'alerts'] as const;
export type ExportTableName = (typeof EXPORT_TABLES)[number];

/** Rows from this time on and before that one, in milliseconds since 1970; null without a bound. */
export type TimeRange = { readonly fromMs: number | null; readonly toMs: number | null };

export type ExportTable = {
  readonly name: ExportTableName;
  readonly columns: readonly ReadableColumn[];
  /** Rows in the range, in so many batches; each read when it is asked for. */
  readonly batches: (range: TimeRange) => Iterable<Batch>;
  /** How many rows there will be, as far as can be told now. */
  readonly count: (range: TimeRange) => number;
};

export type Row = readonly SqlValue[];
export type Batch = readonly Row[];

/** Enough that a batch costs little beside its rows, few enough that nobody notices its memory. */
export const BATCH_ROWS = 1000;
const SCANS_AT_ONCE = 500;

/** How a table is read: whole, scan by scan, or on from the row with the greatest key so far. */
type Reading = 'whole' | 'scans' | 'keys';
type Spec = { readonly reading: Reading; readonly time: string; readonly key: string; readonly source: 'events' | 'agent' };

const SPECS: Readonly<Record<ExportTableName, Spec>> = {
  processes: { reading: 'whole', time: 'timestamp_ms', key: 'pid', source: 'events' },
  process_snapshots: { reading: 'scans', time: 'timestamp_ms', key: 'pid', source: 'events' },
  process_events: { reading: 'keys', time: 'timestamp_ms', key: 'seq', source: 'events' },
  scan_metadata: { reading: 'keys', time: 'start_time', key: 'id', source: 'events' },
  coverage: { reading: 'keys', time: 'timestamp_ms', key: 'scan_id', source: 'events' },
  alerts: { reading: 'keys', time: 'alert_time', key: 'id', source: 'agent' },
};

export function sourceOf(name: ExportTableName): 'events' | 'agent' {
  return SPECS[name].source;
}

/** The table as the store has it. Throws 'store.missing' where the store is of a release that had no such table. */
export function openExportTable(reader: Reader, name: ExportTableName): ExportTable {
  const spec = SPECS[name];
  const columns = columnsThere(reader, name);
  const names = columns.map((column) => column.name).join(', ');
  const read = { whole: readWhole, scans: readScans, keys: readKeys }[spec.reading];
  return {
    name,
    columns,
    batches: (range) => read(reader, { name, names, spec, keyAt: columns.findIndex((column) => column.name === spec.key) }, range),
    count: (range) => countRows(reader, name, range),
  };
}

function schemaOf(name: ExportTableName): ReadableTable | undefined {
  return (sourceOf(name) === 'agent' ? AGENT_SCHEMA : EVENTS_SCHEMA).tables.find((table) => table.name === name);
}

/** An older store has fewer columns than the schema, and a newer one more; what both know is exported. */
function columnsThere(reader: Reader, name: ExportTableName): readonly ReadableColumn[] {
  const known = schemaOf(name)?.columns ?? [];
  try {
    const there = new Set(reader.stream(`SELECT * FROM ${name} LIMIT 0`).columns);
    return known.filter((column) => there.has(column.name));
  } catch (cause) {
    if (!(cause instanceof SentinelError) || !cause.message.startsWith('no such table')) throw cause;
    throw new SentinelError('store.missing', {
      message: `there is no table ${name}`,
      why: 'the store was written by a release that did not have it',
      hint: 'start the daemons of this release, or export another table',
      cause,
    });
  }
}

type Source = { readonly name: ExportTableName; readonly names: string; readonly spec: Spec; readonly keyAt: number };

/** What a WHERE has after its other conditions, and the values of its places. Only what bounds, so that indexes serve. */
function within(column: string, { fromMs, toMs }: TimeRange): { readonly sql: string; readonly values: readonly number[] } {
  const bounds = [
    ...(fromMs === null ? [] : [{ sql: ` AND ${column} >= ?`, value: fromMs }]),
    ...(toMs === null ? [] : [{ sql: ` AND ${column} < ?`, value: toMs }]),
  ];
  return { sql: bounds.map(({ sql }) => sql).join(''), values: bounds.map(({ value }) => value) };
}

/** In one snapshot: rows of two scans are not to be mixed. */
function* readWhole(reader: Reader, { name, names, spec }: Source, range: TimeRange): Generator<Batch> {
  const { sql, values } = within(spec.time, range);
  yield* inBatches(reader.stream(`SELECT ${names} FROM ${name} WHERE 1${sql} ORDER BY ${spec.key}`, values).rows);
}

/** From the first key in the range to the last there is now: what is stored meanwhile is not chased. */
function* readKeys(reader: Reader, { name, names, spec, keyAt }: Source, range: TimeRange): Generator<Batch> {
  const { sql, values } = within(spec.time, range);
  const [ends] = reader.internal(`SELECT min(${spec.key}) AS first, max(${spec.key}) AS last FROM ${name} WHERE 1${sql}`, values);
  if (typeof ends?.['first'] !== 'number' || typeof ends['last'] !== 'number') return;
  const page = `SELECT ${names} FROM ${name} WHERE ${spec.key} > ? AND ${spec.key} <= ?${sql} ORDER BY ${spec.key} LIMIT ${BATCH_ROWS}`;
  let after: SqlValue = ends['first'] - 1;
  while (after !== null && after !== ends['last']) {
    const batch: Batch = [...reader.stream(page, [after, ends['last'], ...values]).rows];
    if (batch.length === 0) return;
    yield batch;
    after = batch.at(-1)?.[keyAt] ?? null;
  }
}

/** A scan is read in one snapshot, the next one in another. */
function* readScans(reader: Reader, { name, names, spec }: Source, range: TimeRange): Generator<Batch> {
  const sql = `SELECT ${names} FROM ${name} WHERE scan_id = ? ORDER BY ${spec.key}`;
  const rows = function* (): Generator<Row> {
    for (const scan of scanIds(reader, range)) yield* reader.stream(sql, [scan]).rows;
  };
  yield* inBatches(rows());
}

function* scanIds(reader: Reader, range: TimeRange): Generator<SqlValue> {
  const { sql, values } = within('start_time', range);
  const page = `SELECT id FROM scan_metadata WHERE id > ? AND id <= ?${sql} ORDER BY id LIMIT ${SCANS_AT_ONCE}`;
  const last = reader.internal('SELECT max(id) AS id FROM scan_metadata')[0]?.['id'] ?? null;
  let after: SqlValue = 0;
  while (after !== null) {
    const ids: readonly SqlValue[] = [...reader.stream(page, [after, last, ...values]).rows].map(([id]) => id ?? null);
    yield* ids;
    after = ids.at(-1) ?? null;
  }
}

function* inBatches(rows: Iterable<Row>): Generator<Batch> {
  let batch: Row[] = [];
  for (const row of rows) {
    batch.push(row);
    if (batch.length < BATCH_ROWS) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** Of snapshots by what each scan says of itself: to count them would be to read them. */
function countRows(reader: Reader, name: ExportTableName, range: TimeRange): number {
  const { reading, time } = SPECS[name];
  const [counted, table, column] =
    reading === 'scans' ? (['sum(total_processes)', 'scan_metadata', 'start_time'] as const) : (['count(*)', name, time] as const);
  const { sql, values } = within(column, range);
  const [row] = reader.internal(`SELECT ${counted} AS n FROM ${table} WHERE 1${sql}`, values);
  return typeof row?.['n'] === 'number' ? row['n'] : 0;
}
