/**
 * What is read of a process once, and again only after an exec or in turn: owner, executable, arguments.
 * Everything may vanish between two reads; what is withheld is named with its errno.
 */
import { closeSync, constants, openSync, readSync, readlinkSync, statSync, type BigIntStats } from 'node:fs';
import { errnoOf } from '@sentineld/model/error';
import { decodeHostBytes } from '@sentineld/model/host-text';
import type { ExecutableFile, Unseen } from '@sentineld/model/process';

const DELETED_SUFFIX = ' (deleted)';

export type Executable = { readonly file: ExecutableFile | null; readonly deleted: boolean; readonly unseen: Unseen | null };
const NO_EXECUTABLE: Executable = { file: null, deleted: false, unseen: null };

/** Reads /proc/PID/exe. A process without one (kernel thread, zombie) has null and nothing unseen. `base` is the process's directory. */
export function readExecutable(base: string): Executable {
  try {
    const target = readlinkSync(`${base}/exe`, { encoding: 'buffer' });
    const link = decodeHostBytes(target);
    const status = statSync(`${base}/exe`, { bigint: true });
    const deleted = status.nlink === 0n;
    const isSuffixed = link.endsWith(DELETED_SUFFIX) && (deleted || !leadsTo(base, target, status));
    const path = isSuffixed ? link.slice(0, -DELETED_SUFFIX.length) : link;
    const file: ExecutableFile = {
      path,
      dev: String(status.dev),
      inode: String(status.ino),
      sizeBytes: Number(status.size),
      mtimeNs: String(status.mtimeNs),
      ctimeNs: String(status.ctimeNs),
    };
    return { file, deleted, unseen: null };
  } catch (cause) {
    const errno = errnoOf(cause) ?? 'unknown';
    return errno === 'ENOENT' || errno === 'ESRCH'
      ? NO_EXECUTABLE
      : { file: null, deleted: false, unseen: { field: 'exe', reason: errno } };
  }
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
export function splitArguments(bytes: Uint8Array): string[] {
  const argv: string[] = [];
  let start = 0;
  while (start < bytes.length) {
    const end = bytes.indexOf(0, start);
    argv.push(decodeHostBytes(bytes.subarray(start, end === -1 ? bytes.length : end)));
    if (end === -1) break;
    start = end + 1;
  }
  return argv;
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
