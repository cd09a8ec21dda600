/**
 * A process as a scan sees it. What names it for ever is (boot id, pid, start time): the same pid after a reboot or a
 * reuse is another process. Host strings are text as `decodeHostBytes` makes it and are never trusted.
 */

/** Words for the state letter of /proc/PID/stat. */
export const PROCESS_STATUSES = ['running', 'sleeping', 'disk_sleep', 'zombie', 'stopped', 'traced', 'idle', 'dead', 'unknown'] as const;
export type ProcessStatus = (typeof PROCESS_STATUSES)[number];

/** One file that a process runs, as stat(2) of /proc/PID/exe tells. Times are in nanoseconds since 1970, as decimal text. */
export type ExecutableFile = {
  readonly path: string;
  readonly dev: string;
  readonly inode: string;
  readonly sizeBytes: number;
  readonly mtimeNs: string;
  readonly ctimeNs: string;
};

/** Why something of a process could not be read: the errno name, or what was cut. */
export type Unseen = {
  readonly field: 'exe' | 'argv' | 'owner' | 'cwd' | 'namespaces' | 'cgroup';
  readonly reason: string;
};

/** The control group of a process and what its path tells of who runs it (cgroups(7)). */
export type ControlGroup = {
  /** Path below the root of the hierarchy: that of v2, or of the v1 hierarchy that names it best. */
  readonly path: string;
  /** 64 hex digits, or the name that the runtime gave; null outside of containers. */
  readonly containerId: string | null;
  /** docker, containerd, podman, cri-o, lxc, systemd-nspawn, ...; null outside of containers, and where the path does not tell. */
  readonly runtime: string | null;
  /** Uid of the Kubernetes pod. */
  readonly podId: string | null;
  /** The innermost systemd unit: 'ssh.service', 'session-3.scope'. */
  readonly unit: string | null;
};

export const NAMESPACE_KINDS = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'] as const;
/** Inode numbers that name the namespaces of a process (namespaces(7)). */
export type Namespaces = Readonly<Record<(typeof NAMESPACE_KINDS)[number], number>>;

/**
 * One process in one scan. A source may hand out the same object again in the next scan, changed in place; `image`
 * is replaced by a new object whenever anything in it changed, so `===` tells whether it did.
 */
export type ProcessRecord = {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks after boot (proc_pid_stat(5)). */
  readonly startTicks: number;
  image: ProcessImage;
  /** Per cent of one core since the scan before; null in the first scan that sees the process. */
  cpuPercent: number | null;
  /** Resident set in bytes. */
  memoryBytes: number;
  /** Null where the source cannot tell. */
  threads: number | null;
  status: ProcessStatus;
};

/** What stays the same between scans unless the process calls exec, changes its owner, or loses its parent. */
export type ProcessImage = {
  readonly ppid: number;
  readonly name: string;
  /** Null where the process has none (kernel thread) or it may not be read. */
  readonly exe: ExecutableFile | null;
  /** True where the file that runs has no link left on disk (st_nlink 0). */
  readonly exeDeleted: boolean;
  /** Null where it may not be read; empty for kernel threads and zombies. */
  readonly argv: readonly string[] | null;
  /** How many secrets were taken out of `argv` before it came here. */
  readonly redacted: number;
  /** Milliseconds since 1970. */
  readonly startTimeMs: number;
  /** Effective user and group: what the kernel judges by, as ps shows it. */
  readonly userId: number | null;
  readonly userName: string | null;
  readonly groupId: number | null;
  /** Real user and group: who started it. */
  readonly realUserId: number | null;
  readonly realGroupId: number | null;
  /** The user who logged in (audit(7)); null where nobody did, and where the kernel does not keep it. */
  readonly loginUserId: number | null;
  readonly sessionId: number;
  readonly ttyNumber: number;
  /** Null where it has none or it may not be read. */
  readonly cwd: string | null;
  /** The same object for processes that share one. */
  readonly controlGroup: ControlGroup | null;
  /** The same object for processes that share all of them. */
  readonly namespaces: Namespaces | null;
  readonly isKernelThread: boolean;
  readonly unseen: readonly Unseen[];
};
