/**
 * What SQLite may touch while it prepares a reader's statement. Allow-lists only: base tables and columns by name,
 * functions by name. SQLite's accessor (the view that causes an access) is the name of a FROM item, so a CTE that is
 * called like a view forges it: the accessor never opens anything that is not readable anyway.
 */
import { constants } from 'node:sqlite';
import type { ReadableSchema } from '@sentineld/model/schema';

/** One question of SQLite's authorizer. */
export type ReadAccess = {
  readonly action: string;
  /** Table and column of a read, name of a function, otherwise what SQLite gives for the action. */
  readonly object: string | null;
  readonly column: string | null;
  /** For people: 'read the column secrets.v'. */
  readonly description: string;
};

export type AuthorizerOptions = {
  readonly databases: readonly { readonly schema: string }[];
  readonly schema: ReadableSchema;
  readonly functions: ReadonlySet<string>;
  readonly tableFunctions: readonly string[];
  /** Folded names of everything that a FROM can mean apart from a statement's own CTEs: tables, views, modules. */
  readonly knownTables: ReadonlySet<string>;
  readonly onAccess?: (access: ReadAccess, allowed: boolean) => void;
};

export type Authorizer = {
  readonly decide: (
    action: number,
    first: string | null,
    second: string | null,
    database: string | null,
    accessor: string | null,
  ) => number;
  /** Runs one of our own statements: it may also read every table and begin or end a transaction. */
  readonly asInternal: <T>(work: () => T) => T;
  /** The first access that was refused since `forgetDenial`. */
  readonly firstDenial: () => ReadAccess | undefined;
  readonly forgetDenial: () => void;
};

const ACTION_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants)
    .filter(
      ([name, value]) =>
        /^SQLITE_(CREATE|DROP|DELETE|INSERT|UPDATE|READ|SELECT|PRAGMA|TRANSACTION|SAVEPOINT|ATTACH|DETACH|ALTER|REINDEX|ANALYZE|FUNCTION|RECURSIVE)/.test(
          name,
        ) && typeof value === 'number',
    )
    .map(([name, value]) => [value, name.slice('SQLITE_'.length).toLowerCase()]),
);

export function createAuthorizer(options: AuthorizerOptions): Authorizer {
  const isReadable = readableColumns(options);
  // In temp there are the reader's own views and nothing else: no statement can create anything there.
  const databases = new Set(['temp', ...options.databases.map(({ schema }) => schema)]);
  let internal = false;
  let denial: ReadAccess | undefined;

  const allows = (
    action: number,
    first: string | null,
    second: string | null,
    database: string | null,
    accessor: string | null,
  ): boolean => {
    if (action === constants.SQLITE_SELECT || action === constants.SQLITE_RECURSIVE) return true;
    if (action === constants.SQLITE_FUNCTION) return internal || options.functions.has((second ?? '').toLowerCase());
    if (action === constants.SQLITE_TRANSACTION) return internal;
    if (action !== constants.SQLITE_READ) return false;
    // A table that is used without naming a column comes without a database.
    if (database !== null && database !== '' && !databases.has(database)) return false;
    return internal || isReadable((first ?? '').toLowerCase(), (second ?? '').toLowerCase(), accessor);
  };

  return {
    decide: (action, first, second, database, accessor) => {
      const allowed = allows(action, first, second, database, accessor);
      if (allowed && (internal || options.onAccess === undefined)) return constants.SQLITE_OK;
      const access = describe(action, first, second);
      if (!allowed) denial ??= access;
      if (!internal) options.onAccess?.(access, allowed);
      return allowed ? constants.SQLITE_OK : constants.SQLITE_DENY;
    },
    asInternal: (work) => {
      internal = true;
      try {
        return work();
      } finally {
        internal = false;
      }
    },
    firstDenial: () => denial,
    forgetDenial: () => {
      denial = undefined;
    },
  };
}

/** An empty column means: the table is used, no column of it is read. */
function readableColumns({
  schema,
  tableFunctions,
  knownTables,
}: AuthorizerOptions): (table: string, column: string, accessor: string | null) => boolean {
  const columns = new Map(
    schema.tables.map((table) => [table.name.toLowerCase(), new Set(table.columns.map(({ name }) => name.toLowerCase()))]),
  );
  const hidden = new Set(schema.hiddenTables.map((name) => name.toLowerCase()));
  return (table, column, accessor) => {
    if (tableFunctions.includes(table)) return true;
    if (columns.get(table)?.has(column) === true || (columns.has(table) && column === '')) return true;
    // A recursive CTE of which no column is read, as in SELECT count(*) FROM cte, is asked about like a table.
    if (column === '' && !knownTables.has(table) && !/^(sqlite|pragma)_/.test(table)) return true;
    // Columns of hidden tables are read by views, which have a name. Not a wall: see the top of this file.
    return hidden.has(table) && (column === '' || (accessor ?? '') !== '');
  };
}

function describe(action: number, first: string | null, second: string | null): ReadAccess {
  const name = ACTION_NAMES.get(action) ?? `action ${action}`;
  if (action === constants.SQLITE_FUNCTION)
    return { action: name, object: second, column: null, description: `call the function ${second ?? ''}` };
  if (action === constants.SQLITE_READ) {
    const description = (second ?? '') === '' ? `read the table ${first ?? ''}` : `read the column ${first ?? ''}.${second ?? ''}`;
    return { action: name, object: first, column: second, description };
  }
  return { action: name, object: first, column: second, description: `do this: ${name.replaceAll('_', ' ')} ${first ?? ''}`.trimEnd() };
}
