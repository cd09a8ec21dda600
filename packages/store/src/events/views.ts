/**
 * The texts of the views that readers see. Those of now and those of a past scan are made by the same functions, so
 * that they cannot drift apart. Knows no SQLite library: writers and readers both use it.
 */
import { SAMPLE_SQL } from './sample-code.ts';
import { LIVE, LIVE_NODE, nodeAroundSql } from './scan-interval.ts';

export type View = { readonly name: string; readonly sql: string };

/** Which scan `processes` and `process_tree` are of, and how its images are found. */
type Moment = {
  /** What is joined to the scan `s` so that `i` is each image that it saw. */
  readonly images: string;
  readonly isImage: string;
  /** Whether `s` is the scan. */
  readonly isScan: string;
  /** Whether `p` is the image of the parent of `i` at the scan. */
  readonly isParent: string;
  /** Conditions that leave out what was stored later, over a scan `s` and an event `e`. */
  readonly notLaterScan: string;
  readonly notLaterEvent: string;
  /** The same over an image `i`, to be added to other conditions. */
  readonly andNotLaterImage: string;
};

const HOLDS_SCAN = `i.node = ${nodeAroundSql('s.id', 'v.n')} AND i.last_scan >= s.id AND i.first_scan <= s.id`;

/** Said outright: statistics of a small or young file make a scan of all images look cheap. */
const BY_INTERVAL = 'INDEXED BY process_image_interval';

const NOW: Moment = {
  images: `CROSS JOIN process_image i ${BY_INTERVAL}`,
  isImage: `i.node = ${LIVE_NODE}`,
  isScan: 's.id = (SELECT max(id) FROM scan)',
  isParent: `p.pid = i.ppid AND p.last_scan = ${LIVE}`,
  notLaterScan: '',
  notLaterEvent: '',
  andNotLaterImage: '',
};

/** What `changed_since()` gives in a view of changes: the id of a scan. */
export const CHANGED_SINCE = 'changed_since';

const CHANGED_PIDS = `SELECT q.pid FROM process_image q ${BY_INTERVAL}
    WHERE q.node = ${LIVE_NODE} AND q.last_scan = ${LIVE} AND q.first_scan > ${CHANGED_SINCE}()`;

/** An image begins with the scan that saw the process new or changed; of a parent that changed the children are told too. */
const CHANGES: Moment = {
  ...NOW,
  isImage: `${NOW.isImage} AND i.last_scan = ${LIVE} AND (i.first_scan > ${CHANGED_SINCE}() OR i.ppid IN (${CHANGED_PIDS}))`,
};

/** `processes` without those that are as they were at the scan `changed_since()`, and whose parent is too. */
export function viewOfChanges(): View {
  return { name: 'processes', sql: processes(CHANGES) };
}

function pastMoment(scanId: number): Moment {
  return {
    images: `CROSS JOIN scan_level v CROSS JOIN process_image i ${BY_INTERVAL}`,
    isImage: HOLDS_SCAN,
    isScan: `s.id = ${scanId}`,
    // Images of one pid do not overlap: the first that ended at the scan or later is the one, if it had begun.
    isParent: `p.id = (SELECT q.id FROM process_image q WHERE q.pid = i.ppid AND q.last_scan >= s.id ORDER BY q.last_scan LIMIT 1)
    AND p.first_scan <= s.id`,
    notLaterScan: `WHERE s.id <= ${scanId}`,
    notLaterEvent: `WHERE e.seq <= (SELECT s.events_until FROM scan s WHERE s.id = ${scanId})`,
    andNotLaterImage: `AND i.first_scan <= ${scanId}`,
  };
}

/** The views of the file itself. */
export function currentViews(): readonly View[] {
  return viewsOf(NOW);
}

/** The same views as they would have answered when the scan was the newest. Throws RangeError for what is no scan id. */
export function viewsOfScan(scanId: number): readonly View[] {
  if (!Number.isSafeInteger(scanId) || scanId < 1) throw new RangeError(`no scan id: ${scanId}`);
  return viewsOf(pastMoment(scanId));
}

function viewsOf(moment: Moment): readonly View[] {
  return [
    { name: 'processes', sql: processes(moment) },
    { name: 'process_snapshots', sql: processSnapshots(moment) },
    { name: 'process_tree', sql: processTree(moment) },
    { name: 'process_events', sql: processEvents(moment) },
    { name: 'scan_metadata', sql: scanMetadata(moment) },
    { name: 'coverage', sql: coverage(moment) },
  ];
}

/** The arguments as a JSON array, over the alias of a row of command. */
export const commandLine = (c: string): string => `coalesce(${c}.command_line, '["' || replace(${c}.cmdline, ' ', '","') || '"]')`;

/** Of a terminal's device number; major and minor as Linux packs them. */
const MAJOR = '((i.tty_number >> 8) & 4095)';
const MINOR = '((i.tty_number & 255) | ((i.tty_number >> 12) & 1048320))';
const TTY = `CASE WHEN i.tty_number <= 0 THEN NULL WHEN ${MAJOR} BETWEEN 136 AND 143 THEN 'pts/' || ((${MAJOR} - 136) * 256 + ${MINOR})
    WHEN ${MAJOR} = 4 AND ${MINOR} < 64 THEN 'tty' || ${MINOR} WHEN ${MAJOR} = 4 THEN 'ttyS' || (${MINOR} - 64)
    ELSE ${MAJOR} || ':' || ${MINOR} END`;

/** Over command `c`, owner `o`, context `k`, working directory `w` of image `i`. */
const platformData = (threads: string): string => `json_object(
    'boot_id', (SELECT r.boot_id FROM collector_run r WHERE r.id = i.run_id), 'start_ticks', i.start_ticks, 'gid', o.group_id,
    'session', i.session_id, 'tty', i.tty_number, 'unseen', json(coalesce(i.unseen, '[]')), 'tty_name', ${TTY},
    'real_uid', o.real_user_id, 'real_gid', o.real_group_id, 'login_uid', o.login_user_id, 'threads', ${threads},
    'redacted', c.redacted, 'cwd', w.text, 'cgroup', k.cgroup, 'container_id', k.container_id,
    'container_runtime', k.container_runtime, 'pod_id', k.pod_id, 'unit', k.unit, 'namespaces', json(CASE WHEN k.pid_namespace IS NOT NULL THEN
    json_object('cgroup', k.cgroup_namespace, 'ipc', k.ipc_namespace, 'mnt', k.mnt_namespace, 'net', k.net_namespace,
      'pid', k.pid_namespace, 'user', k.user_namespace, 'uts', k.uts_namespace) END))`;

/** The columns that both views of processes have, over scan `s` and image `i`; of the rest each says where it is. */
const snapshotColumns = (of: {
  readonly command: (sql: (alias: string) => string) => string;
  readonly executable: (column: string) => string;
  readonly sample: (column: keyof typeof SAMPLE_SQL) => string;
  readonly owner: (column: string) => string;
  readonly platformData: string;
}): string => `
  s.id * 4194304 + i.pid AS id,
  s.id AS scan_id,
  s.start_time_ms AS timestamp_ms,
  i.pid AS pid,
  i.ppid AS ppid,
  ${of.command((c) => `${c}.name`)} AS name,
  ${of.executable('path')} AS exe_path,
  ${of.command(commandLine)} AS command_line,
  i.start_time_ms AS start_time,
  ${of.sample('cpu_percent')} AS cpu_percent,
  ${of.sample('memory_bytes')} AS memory_bytes,
  ${of.sample('status')} AS status,
  ${of.executable('sha256')} AS exe_hash,
  'sha256' AS hash_algorithm,
  ${of.owner('user_name')} AS user_name,
  ${of.owner('user_id')} AS user_id,
  ${of.platformData} AS platform_data`;

const sampleAt = (column: keyof typeof SAMPLE_SQL): string =>
  `(SELECT ${SAMPLE_SQL[column]('x')} FROM process_sample x WHERE x.image_id = i.id AND x.scan_id <= s.id ORDER BY x.scan_id DESC LIMIT 1)`;

/** History is mostly counted or read by a few columns: what is not asked for is not looked up. */
const LOOKED_UP_COLUMNS = snapshotColumns({
  command: (sql) => `(SELECT ${sql('c')} FROM command c WHERE c.id = i.command_id)`,
  executable: (column) => `(SELECT e.${column} FROM executable e WHERE e.id = i.executable_id)`,
  sample: sampleAt,
  owner: (column) => `(SELECT o.${column} FROM process_owner o WHERE o.id = i.owner_id)`,
  platformData: `(SELECT ${platformData(sampleAt('threads'))} FROM process_owner o LEFT JOIN command c ON c.id = i.command_id
    LEFT JOIN process_context k ON k.id = i.context_id LEFT JOIN path w ON w.id = i.cwd_id WHERE o.id = i.owner_id)`,
});

/** Rules name a column of the newest scan again and again: it is looked up once per row. */
const JOINED_COLUMNS = snapshotColumns({
  command: (sql) => sql('c'),
  executable: (column) => `e.${column}`,
  sample: (column) => SAMPLE_SQL[column]('x'),
  owner: (column) => `o.${column}`,
  platformData: platformData(SAMPLE_SQL.threads('x')),
});

function processSnapshots({ notLaterScan }: Moment): string {
  return `SELECT ${LOOKED_UP_COLUMNS}
FROM scan s
JOIN scan_level v
JOIN process_image i ON ${HOLDS_SCAN}
${notLaterScan}`;
}

function processes({ images, isImage, isScan, isParent }: Moment): string {
  return `SELECT ${JOINED_COLUMNS},
  c.cmdline AS cmdline,
  pc.name AS parent_name,
  pe.path AS parent_exe,
  pc.cmdline AS parent_cmdline,
  i.exe_deleted AS exe_deleted,
  i.is_kthread AS is_kthread,
  w.text AS cwd,
  o.real_user_id AS real_user_id,
  o.login_user_id AS login_user_id,
  k.container_id AS container_id,
  k.cgroup AS cgroup,
  k.unit AS unit,
  ${SAMPLE_SQL.threads('x')} AS threads,
  ${TTY} AS tty,
  c.redacted AS redacted,
  k.pid_namespace AS pid_namespace,
  k.mnt_namespace AS mnt_namespace,
  k.net_namespace AS net_namespace
FROM scan s ${images}
  LEFT JOIN command c ON c.id = i.command_id
  LEFT JOIN executable e ON e.id = i.executable_id
  LEFT JOIN process_owner o ON o.id = i.owner_id
  LEFT JOIN process_context k ON k.id = i.context_id
  LEFT JOIN path w ON w.id = i.cwd_id
  LEFT JOIN process_sample x ON x.image_id = i.id
    AND x.scan_id = (SELECT max(y.scan_id) FROM process_sample y WHERE y.image_id = i.id AND y.scan_id <= s.id)
  LEFT JOIN process_image p ON ${isParent}
  LEFT JOIN command pc ON pc.id = p.command_id
  LEFT JOIN executable pe ON pe.id = p.executable_id
WHERE ${isScan} AND ${isImage}`;
}

/** The processes of the moment are put down once: the steps of the recursion look them up by their parent. */
function processTree({ images, isImage, isScan }: Moment): string {
  return `WITH RECURSIVE seen (pid, ppid, command_id, executable_id) AS MATERIALIZED (
  SELECT i.pid, i.ppid, i.command_id, i.executable_id FROM scan s ${images} WHERE ${isScan} AND ${isImage}
), tree (pid, ppid, name, executable_id, root_pid, depth, path) AS (
  SELECT n.pid, n.ppid, c.name, n.executable_id, n.pid, 0, c.name
  FROM seen n
  CROSS JOIN command c ON c.id = n.command_id
  WHERE n.ppid NOT IN (SELECT pid FROM seen)
  UNION ALL
  SELECT n.pid, n.ppid, c.name, n.executable_id, t.root_pid, t.depth + 1, t.path || ' > ' || c.name
  FROM tree t
  CROSS JOIN seen n ON n.ppid = t.pid
  CROSS JOIN command c ON c.id = n.command_id
  WHERE t.depth < 64
)
SELECT t.pid AS pid, t.ppid AS ppid, t.name AS name, e.path AS exe_path, t.root_pid AS root_pid, t.depth AS depth, t.path AS path
FROM tree t
LEFT JOIN executable e ON e.id = t.executable_id`;
}

function processEvents({ notLaterEvent, andNotLaterImage }: Moment): string {
  return `SELECT e.seq AS seq, e.time_ms AS timestamp_ms, CASE e.kind WHEN 0 THEN 'exec' ELSE 'exit' END AS event, e.pid AS pid,
  e.ppid AS ppid, c.name AS name, cp.text AS exe_path, ${commandLine('c')} AS command_line, c.cmdline AS cmdline,
  c.redacted AS redacted, e.user_id AS user_id, e.group_id AS group_id, e.exit_code AS exit_code, e.exit_signal AS exit_signal,
  pc.name AS parent_name, pp.text AS parent_exe, pc.cmdline AS parent_cmdline, e.start_ticks AS start_ticks, r.boot_id AS boot_id,
  r.boot_id || ':' || e.pid || ':' || e.start_ticks AS process_id,
  (SELECT i.id FROM process_image i JOIN collector_run ir ON ir.id = i.run_id
    WHERE i.pid = e.pid AND i.start_ticks = e.start_ticks AND ir.boot_id = r.boot_id ${andNotLaterImage}
    ORDER BY i.last_scan DESC LIMIT 1) AS image_id
FROM process_event e
  LEFT JOIN collector_run r ON r.id = e.run_id
  LEFT JOIN command c ON c.id = e.command_id
  LEFT JOIN path cp ON cp.id = c.exe_path_id
  LEFT JOIN command pc ON pc.id = e.parent_id
  LEFT JOIN path pp ON pp.id = pc.exe_path_id
${notLaterEvent}`;
}

const EVENT_COLUMNS = `s.events_tier AS events_tier, s.execs AS execs, s.exits AS exits, s.events_lost AS events_lost,
  s.events_overruns AS events_overruns, s.argv_missed AS argv_missed, s.events_dropped AS events_dropped, s.events_stored AS events_stored`;

function scanMetadata({ notLaterScan }: Moment): string {
  return `SELECT s.id AS id, s.start_time_ms AS start_time, s.end_time_ms AS end_time, s.duration_ms AS duration_ms,
  s.seen AS total_processes, s.accessible AS accessible_processes, s.errors AS errors,
  r.hostname AS hostname, r.os_name AS os_name, r.os_version AS os_version, s.load_average AS load_average,
  r.collector_version AS collector_version, r.config_hash AS config_hash, r.boot_id AS boot_id,
  s.correlation_id AS correlation_id, s.started AS started, s.changed AS changed, s.stopped AS stopped,
  ${EVENT_COLUMNS}
FROM scan s
JOIN collector_run r ON r.id = s.run_id
${notLaterScan}`;
}

function coverage({ notLaterScan }: Moment): string {
  return `SELECT s.id AS scan_id, s.start_time_ms AS timestamp_ms, s.interval_ms AS interval_ms, s.source AS source,
  s.seen AS processes_seen, s.accessible AS fully_visible, s.exe_unreadable AS exe_unreadable, s.argv_unreadable AS argv_unreadable,
  s.argv_truncated AS argv_truncated, s.vanished AS vanished, s.errors AS errors, s.other_users_hidden AS other_users_hidden,
  s.hashes_pending AS hashes_pending, s.hashes_unreadable AS hashes_unreadable, s.reason AS reason,
  ${EVENT_COLUMNS}
FROM scan s
${notLaterScan}`;
}
