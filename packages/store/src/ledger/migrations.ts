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
  {
    version: 2,
    name: 'signed checkpoints',
    up: `
CREATE TABLE audit_checkpoint (
  epoch INTEGER PRIMARY KEY,
  tree_size INTEGER NOT NULL,
  timestamp INTEGER NOT NULL,
  root_hash BLOB NOT NULL CHECK (length(root_hash) = 32),
  key_id TEXT NOT NULL,
  note TEXT NOT NULL,
  tree_range BLOB NOT NULL
) STRICT;

-- Details that are too large for event_data, by their hash.
CREATE TABLE audit_body (
  blake3 BLOB PRIMARY KEY NOT NULL CHECK (length(blake3) = 32),
  body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What was archived, and from where verification goes on.
CREATE TABLE audit_seal (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  sequence INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  entry_hash BLOB NOT NULL CHECK (length(entry_hash) = 32),
  tree_range BLOB NOT NULL,
  ledger_id TEXT NOT NULL,
  host_id TEXT NOT NULL,
  keys TEXT NOT NULL
) STRICT;

-- Which key signs is told by a handful among many entries, and so is what details belong to.
CREATE INDEX audit_ledger_key ON audit_ledger (sequence) WHERE action IN ('ledger_create', 'key_create', 'key_rotate');
CREATE INDEX audit_ledger_body ON audit_ledger (sequence) WHERE substr(event_data, 1, 19) = '{"body":{"blake3":"';`,
  },
];
