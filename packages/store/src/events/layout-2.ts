/**
 * Version 2 of events.db: samples in small integers, what processes share (commands, owners, contexts, paths) stored
 * once, process events, and what scans know of them. What version 1 held is carried over; why: docs/adr/0005.
 */
import { memoryCodeSql, stateCodeSql } from './sample-code.ts';
import { LEVELS, LIVE, LIVE_NODE } from './scan-interval.ts';
import { currentViews } from './views.ts';

const OLD_VIEWS = ['process_snapshots', 'processes', 'process_tree', 'scan_metadata', 'coverage'];

/**
 * No REFERENCES: each insert would look its parents up, and each deletion its children in tables without an index for
 * it. That nothing dangles is the writer's business, and held by the tests of retention.
 */
const TABLES = `
ALTER TABLE scan ADD COLUMN events_tier TEXT NOT NULL DEFAULT 'off';
ALTER TABLE scan ADD COLUMN execs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE scan ADD COLUMN exits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE scan ADD COLUMN events_lost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE scan ADD COLUMN events_overruns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE scan ADD COLUMN argv_missed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE scan ADD COLUMN events_dropped INTEGER NOT NULL DEFAULT 0;
ALTER TABLE scan ADD COLUMN events_stored INTEGER NOT NULL DEFAULT 0;
-- The events of the interval before a scan are those with a number above events_after, up to events_until.
ALTER TABLE scan ADD COLUMN events_after INTEGER NOT NULL DEFAULT 0;
ALTER TABLE scan ADD COLUMN events_until INTEGER NOT NULL DEFAULT 0;
CREATE INDEX scan_time ON scan (start_time_ms);

-- A scan in the epoch of the newest image that is known to use it.
ALTER TABLE executable ADD COLUMN used_scan INTEGER NOT NULL DEFAULT 0;
UPDATE executable SET used_scan = (SELECT coalesce(max(id), 0) FROM scan);

CREATE TABLE path (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;

-- command_line is NULL where it follows from cmdline: no argument holds a space or what JSON escapes.
CREATE TABLE command (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  exe_path_id INTEGER,
  cmdline TEXT,
  command_line TEXT,
  redacted INTEGER NOT NULL
) STRICT;

CREATE TABLE process_owner (
  id INTEGER PRIMARY KEY,
  user_id INTEGER,
  user_name TEXT,
  group_id INTEGER,
  real_user_id INTEGER,
  real_group_id INTEGER,
  login_user_id INTEGER
) STRICT;

CREATE TABLE process_context (
  id INTEGER PRIMARY KEY,
  cgroup TEXT,
  container_id TEXT,
  container_runtime TEXT,
  pod_id TEXT,
  unit TEXT,
  cgroup_namespace INTEGER,
  ipc_namespace INTEGER,
  mnt_namespace INTEGER,
  net_namespace INTEGER,
  pid_namespace INTEGER,
  user_namespace INTEGER,
  uts_namespace INTEGER
) STRICT;

-- What is shared is shared within an epoch alone: rows below the ids that an epoch began with are used by no image and no event since.
CREATE TABLE epoch (
  first_scan INTEGER PRIMARY KEY,
  first_run INTEGER NOT NULL,
  first_image INTEGER NOT NULL,
  first_command INTEGER NOT NULL,
  first_path INTEGER NOT NULL,
  first_owner INTEGER NOT NULL,
  first_context INTEGER NOT NULL
) STRICT;
INSERT INTO epoch VALUES (0, 0, 0, 0, 0, 0, 0);

CREATE TABLE process_event (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  time_ms INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  run_id INTEGER NOT NULL,
  pid INTEGER NOT NULL,
  ppid INTEGER,
  start_ticks INTEGER,
  user_id INTEGER,
  group_id INTEGER,
  exit_code INTEGER,
  exit_signal INTEGER,
  command_id INTEGER,
  parent_id INTEGER
) STRICT;
CREATE INDEX process_event_time ON process_event (time_ms);

ALTER TABLE process_image RENAME TO process_image_1;
ALTER TABLE process_sample RENAME TO process_sample_1;

CREATE TABLE process_image (
  id INTEGER PRIMARY KEY,
  first_scan INTEGER NOT NULL,
  last_scan INTEGER NOT NULL,
  node INTEGER NOT NULL,
  run_id INTEGER NOT NULL,
  pid INTEGER NOT NULL,
  start_ticks INTEGER NOT NULL,
  ppid INTEGER NOT NULL,
  command_id INTEGER NOT NULL,
  executable_id INTEGER,
  exe_deleted INTEGER NOT NULL,
  start_time_ms INTEGER NOT NULL,
  owner_id INTEGER NOT NULL,
  session_id INTEGER NOT NULL,
  tty_number INTEGER NOT NULL,
  cwd_id INTEGER,
  context_id INTEGER,
  is_kthread INTEGER NOT NULL,
  unseen TEXT,
  begun_by_change INTEGER NOT NULL,
  ended_by_change INTEGER
) STRICT;

-- What the three numbers mean: sample-code.ts.
CREATE TABLE process_sample (
  image_id INTEGER NOT NULL,
  scan_id INTEGER NOT NULL,
  cpu_tenths INTEGER,
  memory INTEGER NOT NULL,
  state INTEGER NOT NULL,
  PRIMARY KEY (image_id, scan_id)
) STRICT, WITHOUT ROWID;
`;

const ROWS = `
INSERT INTO command (id, name, exe_path_id, cmdline, command_line, redacted)
SELECT id, name, NULL, cmdline, nullif(command_line, '["' || replace(cmdline, ' ', '","') || '"]'), 0 FROM process_image_1;

INSERT INTO process_owner (user_id, user_name, group_id) SELECT DISTINCT user_id, user_name, group_id FROM process_image_1;

INSERT INTO process_image
SELECT i.id, i.first_scan, min(i.last_scan, ${LIVE}), min(i.node, ${LIVE_NODE}), i.run_id, i.pid, i.start_ticks, i.ppid, i.id, i.executable_id,
  i.exe_deleted, i.start_time_ms,
  (SELECT o.id FROM process_owner o WHERE o.user_id IS i.user_id AND o.user_name IS i.user_name AND o.group_id IS i.group_id),
  i.session_id, i.tty_number, NULL, NULL, i.is_kthread, i.unseen, i.begun_by = 'changed', i.ended_by = 'changed'
FROM process_image_1 i;

INSERT INTO process_sample
SELECT image_id, scan_id, CAST(round(cpu_percent * 10) AS INTEGER), ${memoryCodeSql('memory_bytes')}, ${stateCodeSql('status')}
FROM process_sample_1 ORDER BY image_id, scan_id;

DROP TABLE process_sample_1;
DROP TABLE process_image_1;
CREATE UNIQUE INDEX process_image_pid ON process_image (pid, last_scan);
CREATE INDEX process_image_interval ON process_image (node, last_scan, first_scan);
DELETE FROM scan_level WHERE n >= ${LEVELS};
ANALYZE scan_level;
`;

export const LAYOUT_2: string = [
  ...OLD_VIEWS.map((name) => `DROP VIEW ${name};`),
  TABLES,
  ROWS,
  ...currentViews().map(({ name, sql }) => `CREATE VIEW ${name} AS\n${sql};`),
].join('\n');
