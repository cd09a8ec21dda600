/**
 * Who a process is and what it runs: owner, executable and arguments, out of the bytes that were read of it. Everything
 * may vanish between two reads; what is withheld is named with its errno.
 */
import { statSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { decodeHostBytes, decodeHostLatin1, encodeHostText } from '@sentineld/model/host-text';
import type { ExecutableFile, Unseen } from '@sentineld/model/process';
import { NUMBER, SECTION } from '@sentineld/native/process-files';
import { createByteCache } from './byte-cache.ts';
import { idOf, isNothing, numberOf, type ProcFiles } from './proc-files.ts';
import { isText } from './proc-stat.ts';

const DELETED_SUFFIX = ' (deleted)';
/** Bytes of paths of executables that are remembered: far more than a host runs. */
const REMEMBERED_BYTES = 1 << 20;

export type Executable = { readonly file: ExecutableFile | null; readonly deleted: boolean; readonly unseen: Unseen | null };
export const NO_EXECUTABLE: Executable = { file: null, deleted: false, unseen: null };

/** Of /proc/PID/exe. A process without one (kernel thread, zombie) has null and nothing unseen. `base` is the process's directory. */
export type ExecutableReader = (files: ProcFiles, base: string) => Executable;

/** What was unseen of a process, and the errno below zero with which the kernel refused it. */
export function withheld(field: Unseen['field'], number: number): Unseen {
  return { field, reason: getSystemErrorName(number) };
}

/** What names a file and its version. */
const VERSION_PLACES: readonly number[] = [
  NUMBER.device,
  NUMBER.device + 1,
  NUMBER.inode,
  NUMBER.inode + 1,
  NUMBER.bytes,
  NUMBER.mtimeSeconds,
  NUMBER.mtimeNanoseconds,
  NUMBER.ctimeSeconds,
  NUMBER.ctimeNanoseconds,
];

/** The file that a link led to last. A link which may end in what the kernel added says nothing of the next process. */
type Remembered = { readonly link: string; readonly isTrusted: boolean; readonly version: Float64Array; executable: Executable };

/**
 * A reader that knows a file again which another process runs too, and then gives the same object: the exact numbers
 * and the path as text are made once for each file, not for each process.
 */
export function createExecutableReader(): ExecutableReader {
  const find = createByteCache<Remembered>(REMEMBERED_BYTES, (bytes) => {
    const link = decodeHostBytes(bytes);
    const version = new Float64Array(VERSION_PLACES.length).fill(Number.NaN);
    return { link, isTrusted: !link.endsWith(DELETED_SUFFIX), version, executable: NO_EXECUTABLE };
  });
  return (files, base) => {
    const length = numberOf(files, NUMBER.exe);
    const refused = length < 0 ? length : numberOf(files, NUMBER.file);
    if (refused < 0) return isNothing(refused) ? NO_EXECUTABLE : { file: null, deleted: false, unseen: withheld('exe', refused) };
    const known = find(files.buffer, SECTION.exe, SECTION.exe + length);
    const deleted = numberOf(files, NUMBER.links) === 0;
    if (!deleted && isVersion(known.version, files)) return known.executable;
    const executable: Executable = { file: fileOf(files, base, known.link, deleted), deleted, unseen: null };
    if (!deleted && known.isTrusted) {
      known.executable = executable;
      for (let i = 0; i < VERSION_PLACES.length; i++) known.version[i] = numberOf(files, VERSION_PLACES[i] ?? 0);
    }
    return executable;
  };
}

function isVersion(version: Float64Array, files: ProcFiles): boolean {
  for (let i = 0; i < VERSION_PLACES.length; i++) if (version[i] !== numberOf(files, VERSION_PLACES[i] ?? 0)) return false;
  return true;
}

/** The file with its exact numbers. */
function fileOf(files: ProcFiles, base: string, link: string, isDeleted: boolean): ExecutableFile {
  const dev = wholeOf(files, NUMBER.device);
  const inode = wholeOf(files, NUMBER.inode);
  const isSuffixed = link.endsWith(DELETED_SUFFIX) && (isDeleted || !leadsTo(base, link, dev, inode));
  return {
    path: isSuffixed ? link.slice(0, -DELETED_SUFFIX.length) : link,
    dev: String(dev),
    inode: String(inode),
    sizeBytes: numberOf(files, NUMBER.bytes),
    mtimeNs: nanosecondsOf(files, NUMBER.mtimeSeconds),
    ctimeNs: nanosecondsOf(files, NUMBER.ctimeSeconds),
  };
}

/** 64 bits of two halves. */
function wholeOf(files: ProcFiles, place: number): bigint {
  return (BigInt(numberOf(files, place)) << 32n) | BigInt(numberOf(files, place, 1));
}

function nanosecondsOf(files: ProcFiles, place: number): string {
  return String(BigInt(numberOf(files, place)) * 1_000_000_000n + BigInt(numberOf(files, place, 1)));
}

/** Whether a file really has this name: the kernel also adds the suffix where one link of several went. */
function leadsTo(base: string, path: string, dev: bigint, inode: bigint): boolean {
  try {
    const found = statSync(Buffer.concat([Buffer.from(`${base}/root`), encodeHostText(path)]), { bigint: true });
    return found.ino === inode && found.dev === dev;
  } catch {
    return false;
  }
}

/** Whether the file that a process runs has lost its last link; null where that cannot be told (any more). */
export function isExecutableDeleted(base: string): boolean | null {
  try {
    return statSync(`${base}/exe`).nlink === 0;
  } catch {
    return null;
  }
}

export type Arguments = { readonly argv: readonly string[] | null; readonly redacted: number; readonly unseen: Unseen | null };

/** Takes secrets out of arguments and counts them. */
export type Redact = ((argv: readonly string[]) => { readonly argv: readonly string[]; readonly redacted: number }) & {
  /** Whether arguments, by their bytes, are ASCII and hold no secret. Not to be asked where it is not there. */
  readonly isClean?: (bytes: Uint8Array, start: number, end: number) => boolean;
};

/** Of /proc/PID/cmdline, without their secrets. `redacted` counts those. */
export type ArgumentsReader = (files: ProcFiles) => Arguments;

/**
 * A reader of arguments. The section ends with the buffer; all of it but the last byte is kept at most. What needs no
 * redaction may be the same text as in the process before: programs are started with many arguments that are alike.
 */
export function createArgumentsReader(redact: Redact): ArgumentsReader {
  let before: readonly string[] = [];
  return (files) => {
    const length = numberOf(files, NUMBER.cmdline);
    if (length < 0) return { argv: null, redacted: 0, unseen: withheld('argv', length) };
    const limit = files.buffer.length - SECTION.cmdline - 1;
    const unseen: Unseen | null = length > limit ? { field: 'argv', reason: `cut at ${limit} bytes` } : null;
    const end = SECTION.cmdline + Math.min(length, limit);
    if (redact.isClean?.(files.buffer, SECTION.cmdline, end) !== true) {
      const { argv, redacted } = redact(splitArguments(files.buffer, SECTION.cmdline, end));
      return { argv, redacted, unseen };
    }
    before = splitLike(before, files.buffer, SECTION.cmdline, end);
    return { argv: before, redacted: 0, unseen };
  };
}

/** As splitArguments, of what is ASCII; arguments of `before` that are the same in their places are taken, and where all are it itself. */
function splitLike(before: readonly string[], bytes: Buffer, start: number, end: number): readonly string[] {
  const argv: string[] = [];
  let isSame = true;
  for (let at = start; at < end;) {
    const known = before[argv.length] ?? '';
    let stop = at + known.length;
    if (stop <= end && (stop === end || bytes[stop] === 0) && isText(bytes, at, stop, known)) {
      argv.push(known);
    } else {
      stop = at;
      while (stop < end && bytes[stop] !== 0) stop++;
      argv.push(bytes.toString('latin1', at, stop));
      isSame = false;
    }
    at = stop + 1;
  }
  // A copy has no room for more, of which push() leaves plenty.
  return isSame && argv.length === before.length ? before : argv.slice();
}

const NOT_ASCII = /[^\0-\x7f]/;

/** Arguments end with NUL; a process that rewrote its title may have left the last one open. */
export function splitArguments(bytes: Buffer, start = 0, end: number = bytes.length): string[] {
  if (start === end) return [];
  // One character for each byte: NUL stays NUL, and what is ASCII is text already.
  const text = bytes.toString('latin1', start, bytes[end - 1] === 0 ? end - 1 : end);
  const argv = text.split('\0');
  return NOT_ASCII.test(text) ? argv.map((argument) => decodeHostLatin1(argument)) : argv;
}

export type Owner = { readonly uid: number; readonly gid: number };

/** The effective owner: that of the directory /proc/PID, not of a file in it (wrong for non-dumpable processes). Null when the process is gone. */
export function readOwner(base: string): Owner | null {
  try {
    const status = statSync(base);
    return { uid: status.uid, gid: status.gid };
  } catch {
    return null;
  }
}

const TAB = 9;
const NEWLINE = 10;
/** 'Uid:' and 'Gid:' after a line end, and the tab behind them. */
const UID_LINE = [NEWLINE, 85, 105, 100, 58, TAB];
const GID_LINE = [NEWLINE, 71, 105, 100, 58, TAB];

/** The real user, or group, of /proc/PID/status: the first of the numbers in the line. Null where there is no such line. */
function realIdOf(bytes: Uint8Array, start: number, end: number, line: readonly number[]): number | null {
  for (let at = start; at < end; at++) {
    if (bytes[at] !== NEWLINE || !isThere(bytes, at, line)) continue;
    return wholeNumber(bytes, at + line.length, end);
  }
  return null;
}

function isThere(bytes: Uint8Array, at: number, line: readonly number[]): boolean {
  for (let i = 1; i < line.length; i++) if (bytes[at + i] !== line[i]) return false;
  return true;
}

/** The digits from `at` on; null where there are none. */
function wholeNumber(bytes: Uint8Array, start: number, end: number): number | null {
  let value = 0;
  let at = start;
  for (; at < end; at++) {
    const digit = (bytes[at] ?? 0) - 48;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  return at === start ? null : value;
}

export type RealOwner = { readonly uid: number | null; readonly gid: number | null; readonly unseen: Unseen | null };

/** As the kernel told it, or out of /proc/PID/status, where a name cannot make a line: the kernel escapes line ends in it. */
export function realOwnerOf(files: ProcFiles): RealOwner {
  if (numberOf(files, NUMBER.real) === 0) return { uid: idOf(files, NUMBER.realUid), gid: idOf(files, NUMBER.realGid), unseen: null };
  const length = numberOf(files, NUMBER.status);
  if (length < 0) return { uid: null, gid: null, unseen: isNothing(length) ? null : withheld('owner', length) };
  const end = SECTION.status + length;
  return {
    uid: realIdOf(files.buffer, SECTION.status, end, UID_LINE),
    gid: realIdOf(files.buffer, SECTION.status, end, GID_LINE),
    unseen: null,
  };
}

/** What the kernel gives where nobody logged in: AUDIT_UID_UNSET. */
const NOBODY_LOGGED_IN = 0xffff_ffff;

/** Of /proc/PID/loginuid. Null where nobody logged in, and in a kernel without audit. */
export function loginUserOf(files: ProcFiles): number | null {
  const length = numberOf(files, NUMBER.loginuid);
  const uid = wholeNumber(files.buffer, SECTION.loginuid, SECTION.loginuid + Math.max(0, length));
  return uid === NOBODY_LOGGED_IN ? null : uid;
}
