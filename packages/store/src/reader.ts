/**
 * The one way to open databases for reading: node:sqlite behind its authorizer, limits and a read-only connection.
 * It trusts the files' writers and its own fixed queries; it does not trust the text given to `prepare`.
 * Never load better-sqlite3 in the same process: closing one library's handle drops the other's POSIX locks.
 */
import { pathToFileURL } from 'node:url';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { SentinelError } from '@sentineld/model/error';
import type { ResultRow, SqlValue } from '@sentineld/model/rule';
import type { ReadableSchema } from '@sentineld/model/schema';
import { CHANGED_SINCE } from './events/as-of.ts';
import { requireFiles, type ReaderDatabase } from './reader-files.ts';
import { createAuthorizer, type Authorizer, type ReadAccess } from './reader-authorizer.ts';
import { queryError, storeError } from './reader-errors.ts';
import { offerRegexp, REGEXP_FUNCTION } from './reader-regexp.ts';
import { quoteName, setPragma } from './reader-pragmas.ts';
import { collectRows, columnNames, toSqlValues, type CappedRows, type RowCaps } from './reader-rows.ts';
import { createKept, type Kept } from './kept.ts';
import { iterate, type QueryParameters } from './reader-bindings.ts';
import { createViews, replaceViews, type ReaderView } from './reader-views.ts';

export type { ReadAccess } from './reader-authorizer.ts';
export type { ReaderDatabase } from './reader-files.ts';
export type { QueryParameters } from './reader-bindings.ts';
export type { CappedRows, RowCaps } from './reader-rows.ts';
export type { ReaderView } from './reader-views.ts';

/** SQLite's run-time limits, by the names of node:sqlite. */
export type ReaderLimits = {
  readonly length: number;
  readonly sqlLength: number;
  readonly column: number;
  readonly exprDepth: number;
  readonly compoundSelect: number;
  readonly vdbeOp: number;
  readonly functionArg: number;
  readonly likePatternLength: number;
  readonly variableNumber: number;
};

const DEFAULT_READER_LIMITS: ReaderLimits = {
  length: 2_000_000,
  sqlLength: 65_536,
  column: 512,
  exprDepth: 600,
  compoundSelect: 32,
  vdbeOp: 250_000,
  functionArg: 64,
  likePatternLength: 1_000,
  variableNumber: 64,
};

export type ReaderOptions = {
  /** The first is `main`; the others are attached under their schema names. */
  readonly databases: readonly ReaderDatabase[];
  /** Created as TEMP VIEWs, so that tables of attached databases can be read by a simple name. */
  readonly temporaryViews?: readonly ReaderView[];
  readonly schema: ReadableSchema;
  /** Lower-case names of the functions that a statement may call, those of operators (like, ->) included; with regexp there is REGEXP. */
  readonly functions: ReadonlySet<string>;
  /** The scan after which processes changed, for views that call `changed_since()`; no such function without it. */
  readonly changedSince?: () => number;
  /** Table-valued functions, which SQLite reports as tables; json_each and json_tree unless given. */
  readonly tableFunctions?: readonly string[];
  readonly limits?: Partial<ReaderLimits>;
  readonly busyTimeoutMs?: number;
  /** Told of every access that SQLite asks about while a statement is prepared. */
  readonly onAccess?: (access: ReadAccess, allowed: boolean) => void;
};

export type PreparedQuery = {
  /** Names of the result columns, made unique: a second `pid` is `pid:1`. */
  readonly columns: readonly string[];
  /** Runs it until it ends or a cap is reached. Named parameters are given with their prefix (`:now`). */
  rows(parameters: QueryParameters, caps: RowCaps): CappedRows;
};

export type Reader = {
  /** Throws `query.refused` where the authorizer says no, `query.failed` for any other fault of the statement. */
  prepare(sql: string): PreparedQuery;
  /** Runs `work` within one read snapshot. */
  transaction<T>(work: () => T): T;
  /** Runs one of our own fixed queries: still read-only, not limited to the readable tables. */
  internal(sql: string, parameters?: QueryParameters): readonly ResultRow[];
  /** The same row by row, however many there are. It holds a read snapshot until its end, or until nobody asks on. */
  stream(sql: string, parameters?: QueryParameters): RowStream;
  /** Makes these temporary views, in the place of those that the call before made. Not while a result is being read. */
  showViews(views: readonly ReaderView[]): void;
  close(): void;
};

export type RowStream = { readonly columns: readonly string[]; readonly rows: Iterable<readonly SqlValue[]> };

/** Preparing a statement over a view costs more than running it over a few rows; one that is kept holds some tens of KiB. */
const MOST_PREPARED = 48;
const MOST_OWN = 16;

const INTERNAL_CAPS: RowCaps = { maxRows: 100_000, maxBytes: 64 * 1024 * 1024 };

/** Opens the databases. Throws `store.missing`, `store.unreadable`, `store.corrupt` or `store.pragma`. */
export function openReader(options: ReaderOptions): Reader {
  const main = requireFiles(options.databases);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(main.path, {
      readOnly: true,
      allowExtension: false,
      defensive: true,
      enableForeignKeyConstraints: false,
      enableDoubleQuotedStringLiterals: false,
      timeout: options.busyTimeoutMs ?? 2_000,
      readBigInts: true,
      returnArrays: true,
      allowBareNamedParameters: false,
    });
    prepareConnection(database, options);
    if (options.functions.has(REGEXP_FUNCTION)) offerRegexp(database);
    const functions = withChangedSince(database, options);
    const authorizer = createAuthorizer({
      ...options,
      functions,
      tableFunctions: options.tableFunctions ?? ['json_each', 'json_tree'],
      knownTables: knownTables(database, options.databases),
    });
    database.setAuthorizer(authorizer.decide);
    // Whoever wants to hear of every access has every statement prepared.
    const mostPrepared = options.onAccess === undefined ? MOST_PREPARED : 0;
    return createReader({ database, authorizer, path: main.path, prepared: createKept(mostPrepared), own: createKept(MOST_OWN) });
  } catch (cause) {
    database?.close();
    throw storeError(cause, main.path);
  }
}

/** What the functions of a reader share. */
type Connection = {
  readonly database: DatabaseSync;
  readonly authorizer: Authorizer;
  readonly path: string;
  /** Of statements that the authorizer let through. */
  readonly prepared: Kept<PreparedQuery>;
  /** Of our own queries. */
  readonly own: Kept<OwnQuery>;
};

type OwnQuery = { readonly statement: StatementSync; readonly columns: readonly string[] };

function createReader(connection: Connection): Reader {
  const { database, authorizer, path, prepared, own } = connection;
  let shown: readonly ReaderView[] = [];
  return {
    prepare: (sql) => prepareQuery(connection, sql),
    transaction: (work) => runTransaction(connection, work),
    internal: (sql, parameters = []) =>
      mapErrors(
        () =>
          authorizer.asInternal(() => {
            const { statement, columns } = own.get(sql, () => ownQuery(database, sql));
            return collectRows(iterate(statement, parameters), columns, INTERNAL_CAPS).rows;
          }),
        (cause) => queryError(cause, undefined, path),
      ),
    stream: (sql, parameters = []) => streamRows(connection, sql, parameters),
    showViews: (views) => {
      // The next moment comes soon, and a statement that was kept for a while is given back late by the garbage collector.
      prepared.stop();
      own.stop();
      mapErrors(
        () => replaceViews(database, authorizer.decide, shown, views),
        (cause) => queryError(cause, undefined, path),
      );
      shown = views;
    },
    close: () => database.close(),
  };
}

function prepareQuery({ database, authorizer, path, prepared }: Connection, sql: string): PreparedQuery {
  const toError = (cause: unknown): SentinelError => queryError(cause, authorizer.firstDenial(), path);
  authorizer.forgetDenial();
  return mapErrors(
    () =>
      prepared.get(sql, () => {
        const statement = database.prepare(sql);
        const columns = columnNames(statement);
        return {
          columns,
          rows: (parameters, caps) => mapErrors(() => collectRows(iterate(statement, parameters), columns, caps), toError),
        };
      }),
    toError,
  );
}

function ownQuery(database: DatabaseSync, sql: string): OwnQuery {
  const statement = database.prepare(sql);
  return { statement, columns: columnNames(statement) };
}

/** Every step is one of ours: SQLite may prepare the statement anew within it and ask the authorizer again. */
function streamRows({ database, authorizer, path }: Connection, sql: string, parameters: QueryParameters): RowStream {
  const step = <T>(work: () => T): T =>
    mapErrors(
      () => authorizer.asInternal(work),
      (cause) => queryError(cause, undefined, path),
    );
  const statement = step(() => database.prepare(sql));
  const rows = function* (): Generator<readonly SqlValue[]> {
    const iterator = step(() => iterate(statement, parameters)[Symbol.iterator]());
    try {
      for (let next = step(() => iterator.next()); next.done !== true; next = step(() => iterator.next())) yield toSqlValues(next.value);
    } finally {
      iterator.return?.();
    }
  };
  return { columns: columnNames(statement), rows: { [Symbol.iterator]: rows } };
}

function runTransaction<T>({ database, authorizer, path }: Connection, work: () => T): T {
  const execute = (sql: string): void =>
    mapErrors(
      () => authorizer.asInternal(() => database.exec(sql)),
      (cause) => queryError(cause, undefined, path),
    );
  execute('BEGIN');
  try {
    return work();
  } finally {
    // An error of the store ends a transaction by itself.
    if (database.isTransaction) execute('COMMIT');
  }
}

function mapErrors<T>(work: () => T, toError: (cause: unknown) => SentinelError): T {
  try {
    return work();
  } catch (cause) {
    throw toError(cause);
  }
}

/** ATTACH and TEMP VIEWs need what the pragmas and limits after them take away: the order is the point. */
function prepareConnection(database: DatabaseSync, options: ReaderOptions): void {
  const pragmas: readonly (readonly [name: string, value: number])[] = [
    // Setting temp_store later would drop the views.
    ['temp_store', 2],
    ['mmap_size', 0],
    ['trusted_schema', 0],
    ['cell_size_check', 1],
  ];
  for (const [name, value] of pragmas) setPragma(database, name, value);
  for (const { schema, path } of options.databases.slice(1)) {
    database.prepare(`ATTACH ? AS ${quoteName(schema)}`).run(`${pathToFileURL(path).href}?mode=ro`);
  }
  for (const { schema } of options.databases) {
    setPragma(database, 'cache_size', -8_000, schema);
    // The first read: it maps the -shm file and shows a damaged or unreadable file here, not in a query.
    database.prepare(`SELECT count(*) FROM ${quoteName(schema)}.sqlite_schema`).get();
  }
  createViews(database, options.temporaryViews ?? []);
  setPragma(database, 'query_only', 1);
  Object.assign(database.limits, DEFAULT_READER_LIMITS, options.limits, { attach: 0, triggerDepth: 0 });
}

/** The validator lets no statement call it; the authorizer is asked about it in our own view. */
function withChangedSince(database: DatabaseSync, { functions, changedSince }: ReaderOptions): ReadonlySet<string> {
  if (changedSince === undefined) return functions;
  database.function(CHANGED_SINCE, { deterministic: true }, () => changedSince());
  return new Set([...functions, CHANGED_SINCE]);
}

function knownTables(database: DatabaseSync, databases: readonly ReaderDatabase[]): ReadonlySet<string> {
  const sources = [
    ...databases.map(({ schema }) => `SELECT name FROM ${quoteName(schema)}.sqlite_schema`),
    'SELECT name FROM temp.sqlite_schema',
    'SELECT name FROM pragma_module_list',
  ];
  const statement = database.prepare(sources.join(' UNION '));
  const rows: readonly unknown[] = statement.all();
  return new Set(rows.map((row) => String(Array.isArray(row) ? row[0] : '').toLowerCase()));
}
