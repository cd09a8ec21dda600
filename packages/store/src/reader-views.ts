/**
 * Temporary views of a reader: ours, made of texts that no statement has a part in. They are in memory, so that they can
 * be made anew while the databases stay read-only.
 */
import type { DatabaseSync } from 'node:sqlite';
import { quoteName, setPragma } from './reader-pragmas.ts';

export type ReaderView = { readonly name: string; readonly sql: string };

/** Before the connection is closed to writes of any kind. */
export function createViews(database: DatabaseSync, views: readonly ReaderView[]): void {
  for (const { name, sql } of views) database.exec(`CREATE TEMP VIEW ${quoteName(name)} AS ${sql}`);
}

/** Lifts query_only and the authorizer, which forbid it, for as long as it takes; both hold again whatever happens. */
export function replaceViews(
  database: DatabaseSync,
  authorizer: Parameters<DatabaseSync['setAuthorizer']>[0],
  before: readonly ReaderView[],
  views: readonly ReaderView[],
): void {
  database.setAuthorizer(null);
  try {
    setPragma(database, 'query_only', 0);
    for (const { name } of [...before, ...views]) database.exec(`DROP VIEW IF EXISTS temp.${quoteName(name)}`);
    createViews(database, views);
  } finally {
    try {
      setPragma(database, 'query_only', 1);
    } finally {
      database.setAuthorizer(authorizer);
    }
  }
}
