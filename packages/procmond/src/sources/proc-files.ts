/**
 * The files of a process as bytes: read by the addon in one call, or one after the other where there is none. Both fill
 * the same buffer and the same numbers, and all that is made of them is made once.
 */
import { closeSync, constants, openSync, readSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { NAMESPACE_KINDS } from '@sentineld/model/process';
import { NUMBER, NUMBERS, SECTION, WANT, type ListProcesses, type ReadProcess } from '@sentineld/native/process-files';

const { ESRCH, ENOENT, ENOSYS, EIO } = osConstants.errno;

export type ProcFiles = {
  readonly buffer: Buffer;
  readonly numbers: Float64Array;
  /** Reads what is wanted (WANT). Gives the descriptor of `stat` where that is to be held, otherwise -1. */
  readonly read: (pid: number, wants: number) => number;
  /** The pids that are listed now, until it is called again. */
  readonly list: () => Int32Array;
};

/** The calls of the addon that read /proc. */
export type ProcCalls = { readonly readProcess: ReadProcess; readonly listProcesses: ListProcesses };

/** So many more pids than there were fit into the list without its being read twice. */
const SPARE_PIDS = 512;

/** `native` is the addon's, or null. Arguments of more than `argvLimitBytes` are cut. */
export function createProcFiles(argvLimitBytes: number, native: ProcCalls | null): ProcFiles {
  // One byte more than is kept tells that there were more.
  const buffer = Buffer.allocUnsafeSlow(SECTION.cmdline + argvLimitBytes + 1);
  const numbers = new Float64Array(NUMBERS);
  const { readProcess, listProcesses } = native ?? PLAIN;
  let pids = new Int32Array(SPARE_PIDS);
  const list = (): Int32Array => {
    for (;;) {
      const count = listProcesses(pids);
      if (count <= pids.length) return pids.subarray(0, count);
      pids = new Int32Array(count + SPARE_PIDS);
    }
  };
  return { buffer, numbers, read: (pid, wants) => readProcess(pid, buffer, numbers, wants), list };
}

const PLAIN: ProcCalls = { readProcess: readPlainly, listProcesses: listPlainly };

function listPlainly(into: Int32Array): number {
  const pids = readdirSync('/proc', 'latin1')
    .map(Number)
    .filter((pid) => pid > 0);
  into.set(pids.slice(0, into.length).toSorted((a, b) => a - b));
  return pids.length;
}

/** One of NUMBER, or the one that follows it by `more`. */
export function numberOf({ numbers }: ProcFiles, place: number, more = 0): number {
  return numbers[place + more] ?? 0;
}

/** A number that names a user or a group, as a small integer: V8 keeps others, and what an array of doubles gives, in an object each. */
export function idOf({ numbers }: ProcFiles, place: number): number {
  return (numbers[place] ?? 0) >>> 0;
}

/** Whether a number is an errno which says that the process has ended, or has no such thing. */
export function isNothing(number: number): boolean {
  return number === -ENOENT || number === -ESRCH;
}

/** As the addon's, with what Node has. */
function readPlainly(pid: number, buffer: Uint8Array, numbers: Float64Array, wants: number): number {
  return readBelow(`/proc/${pid}`, buffer, numbers, wants);
}

/** `base` is the process's directory. */
export function readBelow(base: string, buffer: Uint8Array, numbers: Float64Array, wants: number): number {
  let held = -1;
  if ((wants & WANT.stat) !== 0) {
    held = readStat(`${base}/stat`, buffer, numbers, (wants & WANT.hold) !== 0);
    if ((numbers[NUMBER.stat] ?? 0) <= 0) {
      numbers.fill(-ESRCH, NUMBER.stat + 1);
      return -1;
    }
  }
  if ((wants & WANT.owner) !== 0) numbers[NUMBER.owner] = attempt(() => readOwnerOf(base, numbers));
  if ((wants & WANT.exe) !== 0) {
    numbers[NUMBER.exe] = readLink(`${base}/exe`, buffer, SECTION.exe, SECTION.cwd);
    numbers[NUMBER.file] = attempt(() => readFileOf(`${base}/exe`, numbers));
  }
  const readInto = (name: 'cmdline' | 'status' | 'loginuid' | 'cgroup', end: number): void => {
    if ((wants & WANT[name]) !== 0) numbers[NUMBER[name]] = attempt(() => readFile(`${base}/${name}`, buffer, SECTION[name], end));
  };
  readInto('cmdline', buffer.length);
  numbers[NUMBER.real] = -ENOSYS;
  readInto('status', SECTION.loginuid);
  readInto('loginuid', SECTION.cgroup);
  readInto('cgroup', SECTION.exe);
  if ((wants & WANT.cwd) !== 0) numbers[NUMBER.cwd] = readLink(`${base}/cwd`, buffer, SECTION.cwd, SECTION.cmdline);
  if ((wants & WANT.namespaces) !== 0) {
    for (const [i, kind] of NAMESPACE_KINDS.entries()) numbers[NUMBER.namespaces + i] = attempt(() => readNamespace(`${base}/ns/${kind}`));
  }
  return held;
}

/** What `work` gives, or the errno of what it threw below zero. */
function attempt(work: () => number): number {
  try {
    return work();
  } catch (cause) {
    return cause instanceof Error && 'errno' in cause && typeof cause.errno === 'number' ? cause.errno : -EIO;
  }
}

function readStat(path: string, buffer: Uint8Array, numbers: Float64Array, isHeld: boolean): number {
  let opened = -1;
  const length = attempt(() => {
    opened = openSync(path, constants.O_RDONLY);
    return readSync(opened, buffer, SECTION.stat, SECTION.status - SECTION.stat, 0);
  });
  numbers[NUMBER.stat] = length;
  if (opened < 0 || (isHeld && length > 0)) return opened;
  closeSync(opened);
  return -1;
}

function readFile(path: string, buffer: Uint8Array, start: number, end: number): number {
  const opened = openSync(path, constants.O_RDONLY);
  try {
    return readSync(opened, buffer, start, end - start, 0);
  } finally {
    closeSync(opened);
  }
}

function readLink(path: string, buffer: Uint8Array, start: number, end: number): number {
  return attempt(() => {
    const link = readlinkSync(path, 'buffer').subarray(0, end - start);
    buffer.set(link, start);
    return link.length;
  });
}

function readOwnerOf(base: string, numbers: Float64Array): number {
  const { uid, gid } = statSync(base);
  numbers[NUMBER.uid] = uid;
  numbers[NUMBER.gid] = gid;
  return 0;
}

function readFileOf(path: string, numbers: Float64Array): number {
  const status = statSync(path, { bigint: true });
  const put = (place: number, value: bigint): void => void (numbers[place] = Number(value));
  for (const [place, value] of [
    [NUMBER.device, status.dev],
    [NUMBER.inode, status.ino],
  ] as const) {
    put(place, BigInt.asUintN(64, value) >> 32n);
    put(place + 1, BigInt.asUintN(32, value));
  }
  put(NUMBER.links, status.nlink);
  put(NUMBER.bytes, status.size);
  putTime(numbers, NUMBER.mtimeSeconds, status.mtimeNs);
  putTime(numbers, NUMBER.ctimeSeconds, status.ctimeNs);
  return 0;
}

/** Whole seconds, rounded down, and the nanoseconds after them. */
function putTime(numbers: Float64Array, place: number, nanoseconds: bigint): void {
  const rest = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  numbers[place] = Number((nanoseconds - rest) / 1_000_000_000n);
  numbers[place + 1] = Number(rest);
}

/** The link reads 'mnt:[4026531840]'. */
function readNamespace(path: string): number {
  return Number(/\d+/.exec(readlinkSync(path, 'latin1'))?.[0] ?? 0);
}
