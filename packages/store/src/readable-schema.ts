/**
 * The frozen schema: what rules and queries see of events.db. Columns may be added, never renamed, retyped or
 * dropped. docs/schema.md is generated from this file.
 */
import type { ReadableColumn, ReadableSchema, ReadableTable } from '@sentineld/model/schema';

/** The 17 columns of one process in one scan. */
const SNAPSHOT_COLUMNS: readonly ReadableColumn[] = [
  { name: 'id', type: 'INTEGER', description: 'Row id, unique and stable: scan_id * 4194304 + pid.' },
  { name: 'scan_id', type: 'INTEGER', description: 'The scan that saw the process (scan_metadata.id).' },
  { name: 'timestamp_ms', type: 'INTEGER', unit: 'ms since 1970', description: 'When that scan started.' },
  { name: 'pid', type: 'INTEGER', description: 'Process id in the initial pid namespace.' },
  { name: 'ppid', type: 'INTEGER', description: 'Process id of the parent; 0 for the first process and for kthreadd.' },
  {
    name: 'name',
    type: 'TEXT',
    description:
      "The kernel's name of the process (comm), 15 bytes at most, chosen by the process itself. Of a kernel worker without what it works on: kworker/0:1.",
  },
  {
    name: 'exe_path',
    type: 'TEXT',
    nullable: true,
    description: 'Resolved path of the executable, without the suffix " (deleted)". NULL for kernel threads and where it may not be read.',
  },
  {
    name: 'command_line',
    type: 'TEXT',
    unit: 'JSON array of strings',
    nullable: true,
    description: 'The arguments, argv[0] included. NULL where they may not be read; [] for kernel threads and zombies.',
  },
  { name: 'start_time', type: 'INTEGER', unit: 'ms since 1970', description: 'When the process started.' },
  {
    name: 'cpu_percent',
    type: 'REAL',
    unit: 'per cent of one core',
    nullable: true,
    description: 'CPU time since the scan before, to a tenth. NULL in the first scan that sees the process.',
  },
  {
    name: 'memory_bytes',
    type: 'INTEGER',
    unit: 'bytes',
    description: 'Resident set size; of a process that sleeps, as it was at most 32 scans before.',
  },
  { name: 'status', type: 'TEXT', description: 'running, sleeping, disk_sleep, zombie, stopped, traced, idle, dead or unknown.' },
  {
    name: 'exe_hash',
    type: 'TEXT',
    unit: '64 hex digits',
    nullable: true,
    description: 'SHA-256 of the executable. NULL until it is computed, and where it cannot be read.',
  },
  { name: 'hash_algorithm', type: 'TEXT', description: "Always 'sha256'." },
  { name: 'user_name', type: 'TEXT', nullable: true, description: 'Name of the user in /etc/passwd; NULL where there is none.' },
  { name: 'user_id', type: 'INTEGER', nullable: true, description: 'Effective user id.' },
  {
    name: 'platform_data',
    type: 'TEXT',
    unit: 'JSON object',
    description:
      'boot_id, start_ticks, gid, session, tty (its number), `unseen`: what could not be read and why; tty_name, real_uid, real_gid, login_uid, threads, redacted, cwd, cgroup, container_id, container_runtime, pod_id, unit, and `namespaces`: their numbers by kind.',
  },
];

const PROCESS_SNAPSHOTS: ReadableTable = {
  name: 'process_snapshots',
  description: 'One row per process per scan, for as long as scans are kept.',
  columns: SNAPSHOT_COLUMNS,
};

const PROCESSES: ReadableTable = {
  name: 'processes',
  description: 'The processes of the newest scan: the columns of process_snapshots and what rules need most.',
  columns: [
    ...SNAPSHOT_COLUMNS,
    {
      name: 'cmdline',
      type: 'TEXT',
      nullable: true,
      description: 'The arguments joined by single spaces. NULL where they may not be read.',
    },
    { name: 'parent_name', type: 'TEXT', nullable: true, description: 'name of the parent; NULL where the parent is not in the scan.' },
    { name: 'parent_exe', type: 'TEXT', nullable: true, description: 'exe_path of the parent.' },
    { name: 'parent_cmdline', type: 'TEXT', nullable: true, description: 'cmdline of the parent.' },
    { name: 'exe_deleted', type: 'INTEGER', unit: '0 or 1', description: '1 where the file that runs has no link left on disk.' },
    { name: 'is_kthread', type: 'INTEGER', unit: '0 or 1', description: '1 for a kernel thread (flag PF_KTHREAD).' },
    { name: 'cwd', type: 'TEXT', nullable: true, description: 'Working directory. NULL where there is none or it may not be read.' },
    { name: 'real_user_id', type: 'INTEGER', nullable: true, description: 'Real user id: who started it.' },
    {
      name: 'login_user_id',
      type: 'INTEGER',
      nullable: true,
      description: 'The user who logged in, whoever the process became since; NULL where nobody did.',
    },
    {
      name: 'container_id',
      type: 'TEXT',
      nullable: true,
      description: 'Container, as the path of the control group names it; NULL outside of containers.',
    },
    { name: 'cgroup', type: 'TEXT', nullable: true, description: 'Path of the control group.' },
    { name: 'unit', type: 'TEXT', nullable: true, description: 'The innermost systemd unit: ssh.service, session-3.scope.' },
    { name: 'threads', type: 'INTEGER', nullable: true, description: 'Number of threads.' },
    {
      name: 'tty',
      type: 'TEXT',
      nullable: true,
      description: "Controlling terminal: pts/0, tty1, ttyS0, or 'major:minor' of another device; NULL where there is none.",
    },
    { name: 'redacted', type: 'INTEGER', nullable: true, description: 'How many secrets were taken out of the arguments.' },
    { name: 'pid_namespace', type: 'INTEGER', nullable: true, description: 'Number of the pid namespace; NULL where it may not be read.' },
    { name: 'mnt_namespace', type: 'INTEGER', nullable: true, description: 'Number of the mount namespace.' },
    { name: 'net_namespace', type: 'INTEGER', nullable: true, description: 'Number of the network namespace.' },
  ],
};

const PROCESS_TREE: ReadableTable = {
  name: 'process_tree',
  description: 'The newest scan as a tree, from the processes that have no parent in the scan down to depth 64.',
  columns: [
    { name: 'pid', type: 'INTEGER', description: 'Process id.' },
    { name: 'ppid', type: 'INTEGER', description: 'Process id of the parent.' },
    { name: 'name', type: 'TEXT', description: 'name of the process.' },
    { name: 'exe_path', type: 'TEXT', nullable: true, description: 'exe_path of the process.' },
    { name: 'root_pid', type: 'INTEGER', description: 'The topmost ancestor.' },
    { name: 'depth', type: 'INTEGER', unit: 'levels', description: '0 for the topmost.' },
    { name: 'path', type: 'TEXT', description: "Names from the topmost ancestor down, joined by ' > '." },
  ],
};

const PROCESS_EVENTS: ReadableTable = {
  name: 'process_events',
  description: 'What happened to processes between scans: each exec and each exit that was seen, in the order of seq.',
  columns: [
    { name: 'seq', type: 'INTEGER', description: 'Number of the event; grows and is never given twice.' },
    { name: 'timestamp_ms', type: 'INTEGER', unit: 'ms since 1970', description: 'When it happened.' },
    { name: 'event', type: 'TEXT', description: "'exec' or 'exit'." },
    { name: 'pid', type: 'INTEGER', description: 'Process id in the initial pid namespace.' },
    { name: 'ppid', type: 'INTEGER', nullable: true, description: 'Process id of the parent; NULL where it is not known.' },
    {
      name: 'name',
      type: 'TEXT',
      nullable: true,
      description: 'name of what runs, of an exit of what ran. NULL where nothing is known of it.',
    },
    { name: 'exe_path', type: 'TEXT', nullable: true, description: 'Path of its executable.' },
    {
      name: 'command_line',
      type: 'TEXT',
      unit: 'JSON array of strings',
      nullable: true,
      description: 'Its arguments, argv[0] included. NULL where they could not be read in time.',
    },
    { name: 'cmdline', type: 'TEXT', nullable: true, description: 'The arguments joined by single spaces.' },
    { name: 'redacted', type: 'INTEGER', nullable: true, description: 'How many secrets were taken out of the arguments.' },
    { name: 'user_id', type: 'INTEGER', nullable: true, description: 'Effective user id.' },
    { name: 'group_id', type: 'INTEGER', nullable: true, description: 'Effective group id.' },
    { name: 'exit_code', type: 'INTEGER', nullable: true, description: 'Of an exit: its status. NULL where a signal ended it.' },
    { name: 'exit_signal', type: 'INTEGER', nullable: true, description: 'Of an exit: the signal that ended it.' },
    { name: 'parent_name', type: 'TEXT', nullable: true, description: 'name of the parent at that time.' },
    { name: 'parent_exe', type: 'TEXT', nullable: true, description: 'exe_path of the parent at that time.' },
    { name: 'parent_cmdline', type: 'TEXT', nullable: true, description: 'cmdline of the parent at that time.' },
    {
      name: 'start_ticks',
      type: 'INTEGER',
      unit: 'clock ticks after boot',
      nullable: true,
      description: 'When the process started; NULL where it ended before that could be read.',
    },
    { name: 'boot_id', type: 'TEXT', nullable: true, description: 'Id of the boot.' },
    {
      name: 'process_id',
      type: 'TEXT',
      nullable: true,
      description: 'What names the process for ever: boot_id:pid:start_ticks. The same in every event of one process.',
    },
    {
      name: 'image_id',
      type: 'INTEGER',
      nullable: true,
      description: 'Not NULL where a scan saw the process too: the last state that scans saw of it.',
    },
  ],
};

/** What became of the events of the interval before a scan; in scan_metadata and coverage. */
const EVENT_COVERAGE_COLUMNS: readonly ReadableColumn[] = [
  { name: 'events_tier', type: 'TEXT', description: "How execs and exits since the scan before were seen: 'kernel', 'trace' or 'off'." },
  { name: 'execs', type: 'INTEGER', description: 'Execs since the scan before.' },
  { name: 'exits', type: 'INTEGER', description: 'Exits since the scan before.' },
  { name: 'events_lost', type: 'INTEGER', description: 'Events of any kind that the kernel made and that were not received.' },
  { name: 'events_overruns', type: 'INTEGER', description: 'Times that the kernel said that its buffer was full.' },
  { name: 'argv_missed', type: 'INTEGER', description: 'Execs whose arguments were gone before they could be read.' },
  { name: 'events_dropped', type: 'INTEGER', description: 'Events that were received and could not be stored.' },
  { name: 'events_stored', type: 'INTEGER', description: 'Events that were stored.' },
];

const SCAN_METADATA: ReadableTable = {
  name: 'scan_metadata',
  description: 'One row per scan.',
  columns: [
    { name: 'id', type: 'INTEGER', description: 'Scan id, growing.' },
    { name: 'start_time', type: 'INTEGER', unit: 'ms since 1970', description: 'Start of the scan.' },
    { name: 'end_time', type: 'INTEGER', unit: 'ms since 1970', description: 'End of the reading of /proc.' },
    { name: 'duration_ms', type: 'INTEGER', unit: 'ms', description: 'Monotonic time that the reading took.' },
    { name: 'total_processes', type: 'INTEGER', description: 'Processes in the scan.' },
    { name: 'accessible_processes', type: 'INTEGER', description: 'Of these: nothing was withheld.' },
    { name: 'errors', type: 'INTEGER', description: 'Processes that were there and could not be read at all.' },
    { name: 'hostname', type: 'TEXT', description: 'Host name when the collector started.' },
    { name: 'os_name', type: 'TEXT', description: 'Linux, with the name of the distribution.' },
    { name: 'os_version', type: 'TEXT', nullable: true, description: 'Kernel release.' },
    { name: 'load_average', type: 'REAL', nullable: true, description: 'Load average of one minute.' },
    { name: 'collector_version', type: 'TEXT', description: 'Version of procmond.' },
    { name: 'config_hash', type: 'TEXT', unit: '64 hex digits', description: 'SHA-256 of the effective configuration.' },
    { name: 'boot_id', type: 'TEXT', description: 'Id of the boot.' },
    { name: 'correlation_id', type: 'TEXT', description: 'The id that runs from this scan to alerts and log lines.' },
    { name: 'started', type: 'INTEGER', description: 'Processes that the scan before did not have.' },
    { name: 'changed', type: 'INTEGER', description: 'Processes that called exec, or changed owner, parent, name or arguments.' },
    { name: 'stopped', type: 'INTEGER', description: 'Processes of the scan before that are gone.' },
    ...EVENT_COVERAGE_COLUMNS,
  ],
};

const COVERAGE: ReadableTable = {
  name: 'coverage',
  description: 'What each scan could not see.',
  columns: [
    { name: 'scan_id', type: 'INTEGER', description: 'The scan.' },
    { name: 'timestamp_ms', type: 'INTEGER', unit: 'ms since 1970', description: 'Start of the scan.' },
    {
      name: 'interval_ms',
      type: 'INTEGER',
      unit: 'ms',
      nullable: true,
      description:
        'Time since the scan before: a process that lived within it is in process_events or was not seen. NULL for the first scan after a start.',
    },
    { name: 'source', type: 'TEXT', description: "How processes were found: 'poll', or with it the source of events: 'kernel', 'trace'." },
    { name: 'processes_seen', type: 'INTEGER', description: 'Processes in the scan.' },
    { name: 'fully_visible', type: 'INTEGER', description: 'Of these: nothing was withheld.' },
    { name: 'exe_unreadable', type: 'INTEGER', description: 'Executable withheld.' },
    { name: 'argv_unreadable', type: 'INTEGER', description: 'Arguments withheld.' },
    { name: 'argv_truncated', type: 'INTEGER', description: 'Arguments longer than is kept.' },
    { name: 'vanished', type: 'INTEGER', description: 'Went away while the scan read them: not in it.' },
    { name: 'errors', type: 'INTEGER', description: 'Could not be read for another reason: not in the scan.' },
    { name: 'other_users_hidden', type: 'INTEGER', unit: '0 or 1', description: "1 where /proc hides other users' processes (hidepid)." },
    { name: 'hashes_pending', type: 'INTEGER', description: 'Executables of the scan whose SHA-256 was not yet computed when it ended.' },
    { name: 'hashes_unreadable', type: 'INTEGER', description: 'Executables of the scan that cannot be hashed.' },
    { name: 'reason', type: 'TEXT', nullable: true, description: 'In a sentence, lost events included; NULL when everything was seen.' },
    ...EVENT_COVERAGE_COLUMNS,
  ],
};

/** What rules may read. */
export const EVENTS_SCHEMA: ReadableSchema = {
  tables: [PROCESSES, PROCESS_SNAPSHOTS, PROCESS_TREE, PROCESS_EVENTS, SCAN_METADATA, COVERAGE],
  hiddenTables: [
    'collector_run',
    'scan',
    'scan_level',
    'epoch',
    'executable',
    'process_image',
    'process_sample',
    'process_event',
    'command',
    'path',
    'process_owner',
    'process_context',
  ],
};
