/**
 * The table system_metadata, which every database of the product has: schema_version, store_generation and what
 * the owner of the file adds (host_id, ledger_id). Knows no SQLite library, so that writers and readers can both use it.
 */

/** What these functions need of a connection; better-sqlite3 and node:sqlite both have it. */
export type MetadataConnection = {
  prepare(sql: string): { get(...parameters: unknown[]): unknown; run(...parameters: unknown[]): unknown };
};

/** STRICT; times in ms since 1970. */
export const SYSTEM_METADATA_SQL: string = `CREATE TABLE system_metadata (
  key TEXT PRIMARY KEY NOT NULL,
  value TEXT NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID`;

/** The value of a key, or undefined where it was never written. */
export function readMetadata(db: MetadataConnection, key: string): string | undefined {
  const row = db.prepare('SELECT value FROM system_metadata WHERE key = ?').get(key);
  if (typeof row === 'object' && row !== null && 'value' in row && typeof row.value === 'string') return row.value;
  return undefined;
}

/** Writes or replaces a key. */
export function writeMetadata(db: MetadataConnection, key: string, value: string, nowMs: number): void {
  db.prepare(
    `INSERT INTO system_metadata (key, value, updated_at) VALUES (?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`,
  ).run(key, value, nowMs);
}
