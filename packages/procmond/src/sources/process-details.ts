/**
 * What is read of a process once, and again only after an exec or in turn: owner, executable, arguments.
 * Everything may vanish between two reads; what is withheld is named with its errno.
 */
import { closeSync, constants, openSync, readSync, readlinkSync, statSync, type BigIntStats, type Stats } from 'node:fs';
import { errnoOf } from '@sentineld/model/error';
import { decodeHostBytes, decodeHostLatin1 } from '@sentineld/model/host-text';
import type { ExecutableFile, Unseen } from '@sentineld/model/process';

const DELETED_SUFFIX = ' (deleted)';
/** Executables that are remembered at once: far more than a host runs, and a bound for whoever makes one per process. */
const REMEMBERED_EXECUTABLES = 4096;

export type Executable = { readonly file: ExecutableFile | null; readonly deleted: boolean; readonly unseen: Unseen | null };
export const NO_EXECUTABLE: Executable = { file: null, deleted: false, unseen: null };

/** Reads /proc/PID/exe. A process without one (kernel thread, zombie) has null and nothing unseen. `base` is the process's directory. */
export type ExecutableReader = (base: string) => Executable;

/** The numbers of a file as doubles: inexact beyond 2^53 and within 0.3 microseconds, which is enough to know a file again. */
type Remembered = {
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly executable: Executable;
};

/**
 * A reader that knows a file again which another process runs too, and then gives the same object: the exact numbers
 * and the path as text are made once for each file, not for each process.
 */
export function createExecutableReader(): ExecutableReader {
  const remembered = new Map<string, Remembered>();
  return (base) => {
    try {
      const link = readlinkSync(`${base}/exe`, 'latin1');
      const status = statSync(`${base}/exe`);
      const known = remembered.get(link);
      if (known !== undefined && status.nlink > 0 && isSameFile(known, status)) return known.executable;
      const executable = lookClosely(base, link);
      // Where the numbers are the same before and after, they are those of the file that was looked at.
      const { dev, ino, size, mtimeMs, ctimeMs } = statSync(`${base}/exe`);
      const looked: Remembered = { dev, ino, size, mtimeMs, ctimeMs, executable };
      if (link.endsWith(DELETED_SUFFIX) || executable.deleted || !isSameFile(looked, status)) return executable;
      if (remembered.size >= REMEMBERED_EXECUTABLES) remembered.clear();
      remembered.set(link, looked);
      return executable;
    } catch (cause) {
      const errno = errnoOf(cause) ?? 'unknown';
      return errno === 'ENOENT' || errno === 'ESRCH'
        ? NO_EXECUTABLE
        : { file: null, deleted: false, unseen: { field: 'exe', reason: errno } };
    }
  };
}

function isSameFile(known: Remembered, status: Stats): boolean {
  return (
    known.ino === status.ino &&
    known.dev === status.dev &&
    known.size === status.size &&
    known.mtimeMs === status.mtimeMs &&
    known.ctimeMs === status.ctimeMs
  );
}

/** The file with its exact numbers. `link` has one character for each byte. */
function lookClosely(base: string, link: string): Executable {
  const target = Buffer.from(link, 'latin1');
  const status = statSync(`${base}/exe`, { bigint: true });
  const deleted = status.nlink === 0n;
  const text = decodeHostBytes(target);
  const isSuffixed = text.endsWith(DELETED_SUFFIX) && (deleted || !leadsTo(base, target, status));
  const file: ExecutableFile = {
    path: isSuffixed ? text.slice(0, -DELETED_SUFFIX.length) : text,
    dev: String(status.dev),
    inode: String(status.ino),
    sizeBytes: Number(status.size),
    mtimeNs: String(status.mtimeNs),
    ctimeNs: String(status.ctimeNs),
  };
  return { file, deleted, unseen: null };
}

/** Whether a file really has this name: the kernel also adds the suffix where one link of several went. */
function leadsTo(base: string, path: Buffer, status: BigIntStats): boolean {
  try {
    const found = statSync(Buffer.concat([Buffer.from(`${base}/root`), path]), { bigint: true });
    return found.ino === status.ino && found.dev === status.dev;
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

export type Arguments = { readonly argv: readonly string[] | null; readonly unseen: Unseen | null };

/** Reads /proc/PID/cmdline into `buffer`, whose length less one is how much is kept at most. */
export function readArguments(base: string, buffer: Buffer): Arguments {
  let descriptor: number;
  try {
    descriptor = openSync(`${base}/cmdline`, constants.O_RDONLY);
  } catch (cause) {
    return { argv: null, unseen: { field: 'argv', reason: errnoOf(cause) ?? 'unknown' } };
  }
  try {
    const length = readSync(descriptor, buffer, 0, buffer.length, 0);
    const limit = buffer.length - 1;
    const argv = splitArguments(buffer.subarray(0, Math.min(length, limit)));
    return { argv, unseen: length > limit ? { field: 'argv', reason: `cut at ${limit} bytes` } : null };
  } catch (cause) {
    return { argv: null, unseen: { field: 'argv', reason: errnoOf(cause) ?? 'unknown' } };
  } finally {
    closeSync(descriptor);
  }
}

/** Arguments end with NUL; a process that rewrote its title may have left the last one open. */
export function splitArguments(bytes: Buffer): string[] {
  if (bytes.length === 0) return [];
  const end = bytes[bytes.length - 1] === 0 ? bytes.length - 1 : bytes.length;
  // One character for each byte: NUL stays NUL, and what is ASCII is text already.
  const argv = bytes.toString('latin1', 0, end).split('\0');
  return argv.map((argument) => decodeHostLatin1(argument));
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
