/**
 * What can be read of a process in one call, and where it goes: the same table as in c/process-files.c, for the addon and
 * for whoever reads without it. Bytes go into sections of a buffer, lengths and numbers into an array.
 */

/** Bits of what is wanted. */
export const WANT = {
  stat: 1,
  /** With `stat`: its descriptor stays open and is the result. */
  hold: 2,
  /** Effective owner: that of the directory /proc/PID, or from the same pidfd as the real one where both are wanted. */
  owner: 4,
  /** The real owner: from a pidfd where the kernel can (6.13), otherwise status as it is. */
  status: 8,
  loginuid: 16,
  cgroup: 32,
  /** The link, and the file that it leads to. */
  exe: 64,
  cwd: 128,
  namespaces: 256,
  cmdline: 512,
} as const;

/** Where each section starts. It ends where the next one does, and `cmdline` where the buffer does. */
export const SECTION = { stat: 0, status: 2048, loginuid: 6144, cgroup: 6208, exe: 14_400, cwd: 18_496, cmdline: 22_592 } as const;

/** Places in the array. A length, and what is said to be one or an errno, is below zero where the kernel refused: -errno. */
export const NUMBER = {
  stat: 0,
  status: 1,
  loginuid: 2,
  cgroup: 3,
  exe: 4,
  cwd: 5,
  cmdline: 6,
  /** 0 or an errno; so is `file`. */
  owner: 7,
  uid: 8,
  gid: 9,
  /** 0 where the real owner follows; otherwise it is in `status`. */
  real: 10,
  realUid: 11,
  realGid: 12,
  file: 13,
  /** Device and inode are 64 bits in two halves, the high one first: a double holds 53. */
  device: 14,
  inode: 16,
  links: 18,
  bytes: 19,
  mtimeSeconds: 20,
  mtimeNanoseconds: 21,
  ctimeSeconds: 22,
  ctimeNanoseconds: 23,
  /** Inode numbers or errnos, in the alphabetical order of their kinds: cgroup, ipc, mnt, net, pid, user, uts. */
  namespaces: 24,
} as const;

/** How many numbers there are. */
export const NUMBERS = 31;

/**
 * Reads what is wanted of a process and nothing else: sections and numbers of the rest stay as they were. The process's
 * directory is opened once, so that all of it is of one process. Gives the descriptor of `stat` where that is to be held
 * and the process is there, otherwise -1. Where the directory cannot be opened every number is that errno; where `stat` is
 * wanted and tells nothing any more, every other number is ESRCH. `buffer` is longer than SECTION.cmdline.
 */
export type ReadProcess = (pid: number, buffer: Uint8Array, numbers: Float64Array, wants: number) => number;

/** Puts the pids that /proc lists into `pids`, lowest first. Gives how many there are, which may be more than fit. */
export type ListProcesses = (pids: Int32Array) => number;
