/**
 * What a reader's connection is set up with: pragmas that are believed only once they were read back, and names in SQL.
 */
import type { DatabaseSync } from 'node:sqlite';
import { SentinelError } from '@sentineld/model/error';

/** SQLite ignores a pragma that it does not know, so each one is read back. Throws `store.pragma` where it has another value. */
export function setPragma(database: DatabaseSync, name: string, value: number, schema = 'main'): void {
  const pragma = `PRAGMA ${quoteName(schema)}.${name}`;
  database.exec(`${pragma} = ${value}`);
  const statement = database.prepare(pragma);
  const row: unknown = statement.get();
  const actual = Array.isArray(row) ? Number(row[0]) : undefined;
  // An empty in-memory or temporary store has no mmap_size to report.
  if (actual === value || (name === 'mmap_size' && actual === undefined)) return;
  throw new SentinelError('store.pragma', {
    message: `${pragma} is ${String(actual)} after it was set to ${value}`,
    hint: 'The SQLite of this Node is not one that SentinelD was tested with: use the Node version of package.json.',
  });
}

/** A name as an identifier of SQL. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
