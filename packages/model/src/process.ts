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
  readonly field: 'exe' | 'argv' | 'owner';
  readonly reason: string;
};

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
  /** Milliseconds since 1970. */
  readonly startTimeMs: number;
  readonly userId: number | null;
  readonly userName: string | null;
  readonly groupId: number | null;
  readonly sessionId: number;
  readonly ttyNumber: number;
  readonly isKernelThread: boolean;
  readonly unseen: readonly Unseen[];
};
