/**
 * Linux system calls that confinement decides about, by what they are good for, with their numbers as the kernel's
 * tables have them (arch/x86/entry/syscalls/syscall_64.tbl for x64, scripts/syscall.tbl for arm64). A test compares
 * them with the C library's headers where those are installed.
 */

export type Arch = 'x64' | 'arm64';

/** Null where the architecture has no such call. */
export type Numbers = readonly [x64: number, arm64: number | null];
export type SyscallTable = Readonly<Record<string, Numbers>>;

/** Calls numbered above this one came after this file was written: nobody has thought about what they allow. */
export const NEWEST_KNOWN_CALL = 469;

/** io_uring_setup, on every architecture. */
export const IO_URING_SETUP = 425;

export type ExaminedCall =
  | 'bind'
  | 'clone'
  | 'clone3'
  | 'fcntl'
  | 'ioctl'
  | 'kill'
  | 'open'
  | 'openat'
  | 'openat2'
  | 'pidfd_send_signal'
  | 'prlimit64'
  | 'rt_sigqueueinfo'
  | 'rt_tgsigqueueinfo'
  | 'socket'
  | 'socketpair'
  | 'tgkill'
  | 'tkill';

/** Calls that are allowed or refused by their arguments; confinement.ts says how. */
export const EXAMINED: Readonly<Record<ExaminedCall, Numbers>> = {
  bind: [49, 200],
  clone: [56, 220],
  clone3: [435, 435],
  fcntl: [72, 25],
  ioctl: [16, 29],
  kill: [62, 129],
  open: [2, null],
  openat: [257, 56],
  openat2: [437, 437],
  pidfd_send_signal: [424, 424],
  prlimit64: [302, 261],
  rt_sigqueueinfo: [129, 138],
  rt_tgsigqueueinfo: [297, 240],
  socket: [41, 198],
  socketpair: [53, 199],
  tgkill: [234, 131],
  tkill: [200, 130],
};

/** Calls that start a process or a program, whatever their arguments. */
export const STARTS_PROGRAMS: SyscallTable = {
  execve: [59, 221],
  execveat: [322, 281],
  fork: [57, null],
  vfork: [58, null],
};

/** Calls that create, remove, rename or change files, whatever their arguments. */
export const CHANGES_FILES: SyscallTable = {
  chmod: [90, null],
  chown: [92, null],
  creat: [85, null],
  fchmod: [91, 52],
  fchmodat: [268, 53],
  fchmodat2: [452, 452],
  fchown: [93, 55],
  fchownat: [260, 54],
  file_setattr: [469, 469],
  fremovexattr: [199, 16],
  fsetxattr: [190, 7],
  futimesat: [261, null],
  lchown: [94, null],
  link: [86, null],
  linkat: [265, 37],
  lremovexattr: [198, 15],
  lsetxattr: [189, 6],
  mkdir: [83, null],
  mkdirat: [258, 34],
  mknod: [133, null],
  mknodat: [259, 33],
  mq_open: [240, 180],
  mq_unlink: [241, 181],
  removexattr: [197, 14],
  removexattrat: [466, 466],
  rename: [82, null],
  renameat: [264, 38],
  renameat2: [316, 276],
  rmdir: [84, null],
  setxattr: [188, 5],
  setxattrat: [463, 463],
  symlink: [88, null],
  symlinkat: [266, 36],
  truncate: [76, 45],
  unlink: [87, null],
  unlinkat: [263, 35],
  utime: [132, null],
  utimensat: [280, 88],
  utimes: [235, null],
};

/** Calls that no part of the product needs and that attacks on the kernel or on other processes are made of. */
export const ALWAYS_REFUSED: SyscallTable = {
  // Other processes' memory and descriptors.
  kcmp: [312, 272],
  pidfd_getfd: [438, 438],
  process_madvise: [440, 440],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  ptrace: [101, 117],
  // Large kernel interfaces with a history of holes; io_uring also does what filters refuse elsewhere.
  bpf: [321, 280],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  io_uring_setup: [IO_URING_SETUP, IO_URING_SETUP],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  // Keys, which are not per container.
  add_key: [248, 217],
  keyctl: [250, 219],
  request_key: [249, 218],
  // Mounts and namespaces.
  chroot: [161, 51],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fsopen: [430, 430],
  fspick: [433, 433],
  mount: [165, 40],
  mount_setattr: [442, 442],
  move_mount: [429, 429],
  open_tree: [428, 428],
  open_tree_attr: [467, 467],
  pivot_root: [155, 41],
  setns: [308, 268],
  umount2: [166, 39],
  unshare: [272, 97],
  // Files past the permissions of their directories.
  open_by_handle_at: [304, 265],
  // The running kernel and machine.
  acct: [163, 89],
  delete_module: [176, 106],
  finit_module: [313, 273],
  init_module: [175, 105],
  ioperm: [173, null],
  iopl: [172, null],
  kexec_file_load: [320, 294],
  kexec_load: [246, 104],
  modify_ldt: [154, null],
  personality: [135, 92],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  reboot: [169, 142],
  swapoff: [168, 225],
  swapon: [167, 224],
  // Names and clocks, which logs rely on.
  adjtimex: [159, 171],
  clock_adjtime: [305, 266],
  clock_settime: [227, 112],
  setdomainname: [171, 162],
  sethostname: [170, 161],
  settimeofday: [164, 170],
};

/** The numbers of a table's calls on one architecture. */
export function numbersOf(table: SyscallTable, arch: Arch): readonly number[] {
  return Object.values(table)
    .map((numbers) => numbers[arch === 'x64' ? 0 : 1])
    .filter((number) => number !== null);
}
