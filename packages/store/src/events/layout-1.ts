/**
 * Version 1 of events.db, word for word as it was released: what files of that release hold, and where version 2 starts.
 */

/** Never changed: its test knows its digest. */
export const LAYOUT_1: string = `
CREATE TABLE collector_run (
  id INTEGER PRIMARY KEY,
  start_time_ms INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  hostname TEXT NOT NULL,
  os_name TEXT NOT NULL,
  os_version TEXT,
  collector_version TEXT NOT NULL,
  config_hash TEXT NOT NULL
) STRICT;

CREATE TABLE scan (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id INTEGER NOT NULL REFERENCES collector_run (id),
  correlation_id TEXT NOT NULL,
  source TEXT NOT NULL,
  start_time_ms INTEGER NOT NULL,
  end_time_ms INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  interval_ms INTEGER,
  load_average REAL,
  seen INTEGER NOT NULL,
  accessible INTEGER NOT NULL,
  exe_unreadable INTEGER NOT NULL,
  argv_unreadable INTEGER NOT NULL,
  argv_truncated INTEGER NOT NULL,
  vanished INTEGER NOT NULL,
  errors INTEGER NOT NULL,
  other_users_hidden INTEGER NOT NULL,
  hashes_pending INTEGER NOT NULL,
  hashes_unreadable INTEGER NOT NULL,
  reason TEXT,
  started INTEGER NOT NULL,
  changed INTEGER NOT NULL,
  stopped INTEGER NOT NULL
) STRICT;

CREATE TABLE executable (
  id INTEGER PRIMARY KEY,
  path TEXT NOT NULL,
  dev TEXT NOT NULL,
  inode TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  mtime_ns TEXT NOT NULL,
  ctime_ns TEXT NOT NULL,
  sha256 TEXT,
  hash_state TEXT NOT NULL CHECK (hash_state IN ('pending', 'hashed', 'unreadable')),
  hash_error TEXT,
  UNIQUE (dev, inode, size_bytes, mtime_ns, ctime_ns, path)
) STRICT;

CREATE TABLE process_image (
  id INTEGER PRIMARY KEY,
  first_scan INTEGER NOT NULL,
  last_scan INTEGER NOT NULL,
  level INTEGER NOT NULL,
  node INTEGER NOT NULL,
  run_id INTEGER NOT NULL REFERENCES collector_run (id),
  pid INTEGER NOT NULL,
  start_ticks INTEGER NOT NULL,
  ppid INTEGER NOT NULL,
  name TEXT NOT NULL,
  executable_id INTEGER REFERENCES executable (id),
  exe_deleted INTEGER NOT NULL,
  command_line TEXT,
  cmdline TEXT,
  start_time_ms INTEGER NOT NULL,
  user_id INTEGER,
  user_name TEXT,
  group_id INTEGER,
  session_id INTEGER NOT NULL,
  tty_number INTEGER NOT NULL,
  is_kthread INTEGER NOT NULL,
  unseen TEXT,
  begun_by TEXT NOT NULL CHECK (begun_by IN ('started', 'changed')),
  ended_by TEXT CHECK (ended_by IN ('stopped', 'changed'))
) STRICT;
CREATE UNIQUE INDEX process_image_pid ON process_image (pid, last_scan);
CREATE INDEX process_image_interval ON process_image (level, node, last_scan, first_scan);

-- The levels of the interval tree. Without its statistics SQLite takes the table for a large one.
CREATE TABLE scan_level (n INTEGER PRIMARY KEY) STRICT;
INSERT INTO scan_level WITH RECURSIVE level (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM level WHERE n < 31) SELECT n FROM level;
ANALYZE scan_level;

CREATE TABLE process_sample (
  image_id INTEGER NOT NULL REFERENCES process_image (id),
  scan_id INTEGER NOT NULL,
  cpu_percent REAL,
  memory_bytes INTEGER NOT NULL,
  status TEXT NOT NULL,
  PRIMARY KEY (image_id, scan_id)
) STRICT, WITHOUT ROWID;

CREATE VIEW process_snapshots AS
SELECT 
  s.id * 4194304 + i.pid AS id,
  s.id AS scan_id,
  s.start_time_ms AS timestamp_ms,
  i.pid AS pid,
  i.ppid AS ppid,
  i.name AS name,
  (SELECT e.path FROM executable e WHERE e.id = i.executable_id) AS exe_path,
  i.command_line AS command_line,
  i.start_time_ms AS start_time,
  (SELECT x.cpu_percent FROM process_sample x WHERE x.image_id = i.id AND x.scan_id <= s.id ORDER BY x.scan_id DESC LIMIT 1) AS cpu_percent,
  (SELECT x.memory_bytes FROM process_sample x WHERE x.image_id = i.id AND x.scan_id <= s.id ORDER BY x.scan_id DESC LIMIT 1) AS memory_bytes,
  (SELECT x.status FROM process_sample x WHERE x.image_id = i.id AND x.scan_id <= s.id ORDER BY x.scan_id DESC LIMIT 1) AS status,
  (SELECT e.sha256 FROM executable e WHERE e.id = i.executable_id) AS exe_hash,
  'sha256' AS hash_algorithm,
  i.user_name AS user_name,
  i.user_id AS user_id,
  json_object('boot_id', (SELECT r.boot_id FROM collector_run r WHERE r.id = i.run_id), 'start_ticks', i.start_ticks, 'gid', i.group_id,
    'session', i.session_id, 'tty', i.tty_number, 'unseen', json(coalesce(i.unseen, '[]'))) AS platform_data
FROM scan s
JOIN scan_level v
JOIN process_image i ON i.level = v.n AND i.node = ((s.id >> (v.n + 1)) << (v.n + 1)) + (1 << v.n) AND i.last_scan >= s.id AND i.first_scan <= s.id;

CREATE VIEW processes AS
SELECT 
  s.id * 4194304 + i.pid AS id,
  s.id AS scan_id,
  s.start_time_ms AS timestamp_ms,
  i.pid AS pid,
  i.ppid AS ppid,
  i.name AS name,
  e.path AS exe_path,
  i.command_line AS command_line,
  i.start_time_ms AS start_time,
  x.cpu_percent AS cpu_percent,
  x.memory_bytes AS memory_bytes,
  x.status AS status,
  e.sha256 AS exe_hash,
  'sha256' AS hash_algorithm,
  i.user_name AS user_name,
  i.user_id AS user_id,
  json_object('boot_id', (SELECT r.boot_id FROM collector_run r WHERE r.id = i.run_id), 'start_ticks', i.start_ticks, 'gid', i.group_id,
    'session', i.session_id, 'tty', i.tty_number, 'unseen', json(coalesce(i.unseen, '[]'))) AS platform_data,
  i.cmdline AS cmdline,
  p.name AS parent_name,
  pe.path AS parent_exe,
  p.cmdline AS parent_cmdline,
  i.exe_deleted AS exe_deleted,
  i.is_kthread AS is_kthread
FROM process_image i
CROSS JOIN scan s ON s.id = (SELECT max(id) FROM scan)
  LEFT JOIN executable e ON e.id = i.executable_id
  LEFT JOIN process_sample x ON x.image_id = i.id
    AND x.scan_id = (SELECT max(y.scan_id) FROM process_sample y WHERE y.image_id = i.id AND y.scan_id <= s.id)
  LEFT JOIN process_image p ON p.pid = i.ppid AND p.last_scan = 9007199254740991
  LEFT JOIN executable pe ON pe.id = p.executable_id
WHERE i.level = 31 AND i.node = 2147483648;

CREATE VIEW process_tree AS
WITH RECURSIVE tree (pid, ppid, name, executable_id, root_pid, depth, path) AS (
  SELECT i.pid, i.ppid, i.name, i.executable_id, i.pid, 0, i.name
  FROM process_image i
  WHERE i.level = 31 AND i.node = 2147483648
    AND NOT EXISTS (SELECT 1 FROM process_image p WHERE p.pid = i.ppid AND p.last_scan = 9007199254740991)
  UNION ALL
  SELECT c.pid, c.ppid, c.name, c.executable_id, t.root_pid, t.depth + 1, t.path || ' > ' || c.name
  FROM tree t
  JOIN process_image c ON c.ppid = t.pid AND c.level = 31 AND c.node = 2147483648
  WHERE t.depth < 64
)
SELECT t.pid AS pid, t.ppid AS ppid, t.name AS name, e.path AS exe_path, t.root_pid AS root_pid, t.depth AS depth, t.path AS path
FROM tree t
LEFT JOIN executable e ON e.id = t.executable_id;

CREATE VIEW scan_metadata AS
SELECT s.id AS id, s.start_time_ms AS start_time, s.end_time_ms AS end_time, s.duration_ms AS duration_ms,
  s.seen AS total_processes, s.accessible AS accessible_processes, s.errors AS errors,
  r.hostname AS hostname, r.os_name AS os_name, r.os_version AS os_version, s.load_average AS load_average,
  r.collector_version AS collector_version, r.config_hash AS config_hash, r.boot_id AS boot_id,
  s.correlation_id AS correlation_id, s.started AS started, s.changed AS changed, s.stopped AS stopped
FROM scan s
JOIN collector_run r ON r.id = s.run_id;

CREATE VIEW coverage AS
SELECT id AS scan_id, start_time_ms AS timestamp_ms, interval_ms, source, seen AS processes_seen,
  accessible AS fully_visible, exe_unreadable, argv_unreadable, argv_truncated, vanished, errors,
  other_users_hidden, hashes_pending, hashes_unreadable, reason
FROM scan;
`;
