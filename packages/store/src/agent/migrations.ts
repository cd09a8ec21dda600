/**
 * The schema of agent.db. Times are ms since 1970. Indexes are those that the agent's own statements, retention by
 * age and the list of alerts use; others cost more at every write than they save (docs/adr/0002-storage.md).
 */
import type { Migration } from '../migrations/migrate.ts';

const SEVERITY_CHECK = "CHECK (severity IN ('low', 'medium', 'high', 'critical'))";

export const AGENT_MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: 'rules, alerts, deliveries, audit outbox',
    up: `
CREATE TABLE detection_rules (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  description TEXT,
  version INTEGER NOT NULL DEFAULT 1,
  sql_query TEXT NOT NULL,
  severity TEXT NOT NULL ${SEVERITY_CHECK},
  category TEXT,
  tags TEXT,
  enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
  author TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  source_type TEXT NOT NULL DEFAULT 'builtin' CHECK (source_type IN ('builtin', 'file', 'user')),
  source_path TEXT,
  checksum TEXT,
  attack TEXT NOT NULL DEFAULT '[]',
  dedup_keys TEXT NOT NULL DEFAULT '[]',
  removed_at INTEGER
) STRICT;

-- Every definition that was ever loaded, newest last: what an old alert was raised by.
CREATE TABLE detection_rule_versions (
  id INTEGER PRIMARY KEY,
  rule_id TEXT NOT NULL REFERENCES detection_rules (id),
  version INTEGER NOT NULL,
  checksum TEXT,
  recorded_at INTEGER NOT NULL,
  definition TEXT NOT NULL
) STRICT;
CREATE INDEX detection_rule_versions_rule ON detection_rule_versions (rule_id, id);

-- scan_id refers to scan_metadata of events.db: no foreign key reaches into another file.
CREATE TABLE alerts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  alert_time INTEGER NOT NULL,
  rule_id TEXT NOT NULL REFERENCES detection_rules (id),
  title TEXT NOT NULL,
  description TEXT,
  severity TEXT NOT NULL ${SEVERITY_CHECK},
  scan_id INTEGER,
  affected_processes TEXT,
  process_count INTEGER DEFAULT 0,
  rule_version INTEGER,
  execution_time_ms INTEGER,
  query_result TEXT,
  rule_name TEXT NOT NULL,
  category TEXT NOT NULL,
  tags TEXT NOT NULL,
  attack TEXT NOT NULL,
  host_name TEXT NOT NULL,
  host_id TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  correlation_id TEXT NOT NULL,
  dedup_key TEXT NOT NULL,
  repeats INTEGER NOT NULL DEFAULT 0,
  last_seen INTEGER NOT NULL
) STRICT;
CREATE INDEX alerts_time ON alerts (alert_time);

CREATE TABLE alert_deliveries (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  alert_id INTEGER NOT NULL REFERENCES alerts (id),
  sink_name TEXT NOT NULL,
  sink_type TEXT NOT NULL,
  attempt_time INTEGER NOT NULL,
  attempt_count INTEGER DEFAULT 1,
  status TEXT NOT NULL CHECK (status IN ('pending', 'success', 'failed', 'retrying')),
  response_time_ms INTEGER,
  error_message TEXT,
  http_status INTEGER
) STRICT;
CREATE INDEX alert_deliveries_alert ON alert_deliveries (alert_id);
CREATE INDEX alert_deliveries_open ON alert_deliveries (id) WHERE status IN ('pending', 'retrying');

-- Keys that were seen within the window; when a key leaves, its count goes to its alert.
CREATE TABLE alert_dedup (
  dedup_key TEXT PRIMARY KEY NOT NULL,
  alert_id INTEGER NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
  first_seen_ms INTEGER NOT NULL,
  last_seen_ms INTEGER NOT NULL,
  repeats INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX alert_dedup_last_seen ON alert_dedup (last_seen_ms);
CREATE INDEX alert_dedup_alert ON alert_dedup (alert_id);

-- Audit entries that procmond has not acknowledged. AUTOINCREMENT: a number is never given twice.
CREATE TABLE audit_outbox (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  created_ms INTEGER NOT NULL,
  action TEXT NOT NULL,
  data TEXT NOT NULL
) STRICT;

-- Heads of the ledger that procmond acknowledged. Two hashes of one sequence are evidence, so both are kept.
CREATE TABLE ledger_witness (
  sequence INTEGER NOT NULL,
  entry_hash TEXT NOT NULL CHECK (length(entry_hash) = 64),
  seen_ms INTEGER NOT NULL,
  PRIMARY KEY (sequence, entry_hash)
) STRICT, WITHOUT ROWID;`,
  },
  {
    version: 2,
    name: 'what rules came to, and up to where they saw events',
    up: `
-- A place in events.db is (the file, a number): the numbers begin anew with another file.
CREATE TABLE rule_results (
  rule_id TEXT PRIMARY KEY NOT NULL REFERENCES detection_rules (id),
  result TEXT NOT NULL CHECK (result IN ('matched', 'no_match', 'incomplete', 'failed')),
  since INTEGER NOT NULL,
  reason TEXT,
  seen_store TEXT,
  seen_seq INTEGER,
  seen_scan INTEGER,
  seen_scan_time INTEGER
) STRICT, WITHOUT ROWID;`,
  },
  {
    version: 3,
    name: 'checkpoints of the ledger that were seen',
    up: `
-- Two notes of one epoch are evidence, so both are kept.
CREATE TABLE ledger_checkpoint_seen (
  epoch INTEGER NOT NULL,
  tree_size INTEGER NOT NULL,
  timestamp INTEGER NOT NULL,
  note TEXT NOT NULL,
  seen_ms INTEGER NOT NULL,
  PRIMARY KEY (epoch, note)
) STRICT;`,
  },
  {
    version: 4,
    name: 'decisions of operators about rules, what rules cost, and when their versions were there',
    up: `
-- No foreign key: a decision outlives its rule, which may come back.
CREATE TABLE rule_override (
  rule_id TEXT PRIMARY KEY NOT NULL,
  enabled INTEGER CHECK (enabled IN (0, 1)),
  severity TEXT ${SEVERITY_CHECK},
  reason TEXT NOT NULL,
  uid INTEGER NOT NULL,
  user_name TEXT,
  decided_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rule_cost (
  rule_id TEXT PRIMARY KEY NOT NULL,
  runs INTEGER NOT NULL,
  rows_found INTEGER NOT NULL,
  hits INTEGER NOT NULL,
  total_us INTEGER NOT NULL,
  worst_us INTEGER NOT NULL,
  overruns INTEGER NOT NULL,
  last_run INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE detection_rule_versions ADD COLUMN last_seen INTEGER NOT NULL DEFAULT 0;
UPDATE detection_rule_versions SET last_seen = recorded_at;`,
  },
  {
    version: 5,
    name: 'acknowledged alerts, suppressed findings',
    up: `
ALTER TABLE alerts ADD COLUMN acknowledged_ms INTEGER;
ALTER TABLE alerts ADD COLUMN acknowledged_by TEXT;
ALTER TABLE alerts ADD COLUMN acknowledged_uid INTEGER;
ALTER TABLE alerts ADD COLUMN acknowledged_reason TEXT;

-- No foreign key: a suppression outlives its rule, which may come back. AUTOINCREMENT: the ledger names them by number.
CREATE TABLE alert_suppression (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  rule_id TEXT NOT NULL,
  alert_id INTEGER,
  reason TEXT NOT NULL,
  uid INTEGER NOT NULL,
  user_name TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  hits INTEGER NOT NULL DEFAULT 0,
  last_hit INTEGER,
  ended_at INTEGER,
  ended_uid INTEGER,
  ended_by TEXT,
  ended_reason TEXT,
  conditions TEXT NOT NULL
) STRICT;
CREATE INDEX alert_suppression_open ON alert_suppression (rule_id) WHERE ended_at IS NULL;`,
  },
];
