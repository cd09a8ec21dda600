/**
 * A database to fuzz in, and SQLite's own account of what a statement touches. Nothing is closed in it: neither limits
 * nor a read-only connection nor an authorizer that says no keep anything from being seen.
 */
import { constants, DatabaseSync } from 'node:sqlite';
import { AUTHORIZED_FUNCTIONS } from '@sentineld/detection/sql/functions';
import { messageOf } from '@sentineld/model/error';
import type { ReadableSchema } from '@sentineld/model/schema';

/** One question of SQLite's authorizer, as it asked it. */
export type Access = {
  readonly action: number;
  readonly first: string;
  readonly second: string;
  readonly database: string;
  readonly accessor: string;
};

export type Prepared = {
  readonly accesses: readonly Access[];
  /** What SQLite said instead of preparing it. */
  readonly error?: string;
};

export type FuzzDatabase = {
  readonly name: string;
  readonly schema: ReadableSchema;
  /** What SQLite touches to prepare the text. */
  readonly prepare: (sql: string) => Prepared;
  /** By folded name of a readable table: what reading all of it touches, the tables behind a view included. */
  readonly behind: ReadonlyMap<string, readonly Access[]>;
  readonly close: () => void;
};

/** Some statements act while they are prepared: these are seen and not done, so that no statement changes the next one's world. */
const NOT_DONE: ReadonlySet<number> = new Set([constants.SQLITE_PRAGMA, constants.SQLITE_ATTACH, constants.SQLITE_DETACH]);

/** Opens a database in memory with what `sql` makes; `schema` says what of it may be read. */
export function openFuzzDatabase(name: string, sql: string, schema: ReadableSchema): FuzzDatabase {
  const database = new DatabaseSync(':memory:', { enableDoubleQuotedStringLiterals: false, allowExtension: false });
  database.exec(sql);
  if (AUTHORIZED_FUNCTIONS.has('regexp')) database.function('regexp', { deterministic: true }, (_pattern, _value) => 0);
  let accesses: Access[] = [];
  database.setAuthorizer((action, first, second, schemaName, accessor) => {
    accesses.push({ action, first: first ?? '', second: second ?? '', database: schemaName ?? '', accessor: accessor ?? '' });
    return NOT_DONE.has(action) ? constants.SQLITE_DENY : constants.SQLITE_OK;
  });
  const prepare = (text: string): Prepared => {
    accesses = [];
    try {
      database.prepare(text);
      return { accesses };
    } catch (thrown) {
      return { accesses, error: messageOf(thrown) };
    }
  };
  const behind = new Map(schema.tables.map((table) => [table.name.toLowerCase(), prepare(`SELECT * FROM "${table.name}"`).accesses]));
  return { name, schema, prepare, behind, close: () => database.close() };
}
