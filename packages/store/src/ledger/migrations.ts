/**
 * The schema of ledger.db. Nothing in it keeps the owner of the file from changing entries: what shows a change is the
 * chain and the heads known elsewhere.
 */
import type { Migration } from '../migrations/migrate.ts';

export const LEDGER_MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: 'audit ledger',
    up: `
CREATE TABLE audit_ledger (
  sequence INTEGER PRIMARY KEY,
  timestamp INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  payload_hash BLOB NOT NULL CHECK (length(payload_hash) = 32),
  prev_hash BLOB NOT NULL CHECK (length(prev_hash) = 32),
  entry_hash BLOB NOT NULL CHECK (length(entry_hash) = 32),
  signature BLOB CHECK (signature IS NULL OR length(signature) = 64),
  event_data TEXT NOT NULL,
  format_version INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  key_id TEXT NOT NULL
) STRICT;

-- What each client has sent, so that an entry sent twice is recorded once.
CREATE TABLE audit_origin (
  origin TEXT PRIMARY KEY NOT NULL,
  last_sequence INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_origin_updated ON audit_origin (updated_ms);`,
  },
];
