/**
 * SHA-256 of one file. The path leads through a process that runs the file, so a deleted one can be read too, and is
 * checked by descriptor, before and after it is read, to lead to the file that was meant. Who reads it, and on which
 * thread, is an engine's: pool.ts or thread.ts.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, type BigIntStats } from 'node:fs';
import { errnoOf, messageOf } from '@sentineld/model/error';
import type { ExecutableFile } from '@sentineld/model/process';
import type { Native } from '@sentineld/native/addon';

/** Bytes that are read at once. */
export const CHUNK_BYTES = 262_144;

/** Null: the path does not lead to the file any more. */
export type FileHash = { readonly sha256: string } | { readonly error: string } | null;
export type HashAnswer = { readonly result: FileHash; readonly bytesRead: number };

export type HashSettings = { readonly bytesPerSecond: number; readonly fileLimitBytes: number };
/** `path` leads to the file through a process that runs it. */
export type HashJob = { readonly path: string; readonly file: ExecutableFile };

export type HashEngine = {
  /** The answer, or null where the engine was closed meanwhile. Rejects where it died. One at a time. */
  readonly hash: (job: HashJob) => Promise<HashAnswer | null>;
  /** Ends its work and frees its memory, in the middle of a file too. */
  readonly close: () => void;
};

export type StartHashEngine = (settings: HashSettings) => HashEngine;

/** Reads a descriptor to its end: EFBIG where there is more than `sizeBytes`. */
export type Digest = (descriptor: number, sizeBytes: number) => ReturnType<Native['hashFile']>;

/** Never throws. */
export async function hashFile({ path, file }: HashJob, limitBytes: number, digest: Digest): Promise<HashAnswer> {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const errno = errnoOf(cause);
    return { result: errno === 'ENOENT' || errno === 'ESRCH' ? null : { error: errno ?? messageOf(cause) }, bytesRead: 0 };
  }
  try {
    return await hashOpened(descriptor, file, limitBytes, digest);
  } catch (cause) {
    return { result: { error: errnoOf(cause) ?? messageOf(cause) }, bytesRead: 0 };
  } finally {
    closeSync(descriptor);
  }
}

async function hashOpened(descriptor: number, file: ExecutableFile, limitBytes: number, digest: Digest): Promise<HashAnswer> {
  const look = (): ReturnType<typeof refusal> => refusal(fstatSync(descriptor, { bigint: true }), file, limitBytes);
  const refused = look();
  if (refused !== null) return { result: refused === 'changed' ? null : refused, bytesRead: 0 };
  const { bytesRead, ...content } = await digest(descriptor, file.sizeBytes);
  // It grew, shrank or was written while it was read: no version of it.
  const isWhole = 'sha256' in content ? bytesRead === file.sizeBytes && look() === null : content.error !== 'EFBIG';
  return { result: isWhole ? content : null, bytesRead };
}

/** Why the file is not read, or null. */
function refusal(status: BigIntStats, file: ExecutableFile, limitBytes: number): 'changed' | { readonly error: string } | null {
  // The number of a file that is gone may be another's by now.
  const isSameFile = String(status.ino) === file.inode && String(status.dev) === file.dev;
  // That its last link goes changes the ctime of a file and nothing in it.
  const isSameChange = String(status.ctimeNs) === file.ctimeNs || status.nlink === 0n;
  if (!isSameFile || !isSameChange || String(status.mtimeNs) !== file.mtimeNs || Number(status.size) !== file.sizeBytes) return 'changed';
  if (!status.isFile()) return { error: 'not an ordinary file' };
  return status.size > BigInt(limitBytes) ? { error: `larger than ${limitBytes} bytes` } : null;
}

/** Waits until so many bytes may be read. */
export type Pace = (bytes: number) => Promise<void>;

const sleep = async (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

/** Lets `bytesPerSecond` through in the long run, and never more than one piece at once; what one file owes, the next waits for. */
export function createPace(
  bytesPerSecond: number,
  nowMs: () => number = () => performance.now(),
  wait: (ms: number) => Promise<unknown> = sleep,
): Pace {
  let dueMs = -Infinity;
  return async (bytes) => {
    const early = dueMs - nowMs();
    // Timers do not tell less than a millisecond apart.
    if (early >= 1) await wait(early);
    dueMs = Math.max(dueMs, nowMs()) + (bytes / bytesPerSecond) * 1000;
  };
}

/** Reads on this thread, with pauses. `buffer` is as large as a piece. */
export function createDigest(buffer: Buffer, pace: Pace): Digest {
  return async (descriptor, sizeBytes) => {
    const hash = createHash('sha256');
    let bytesRead = 0;
    try {
      for (;;) {
        await pace(Math.min(buffer.length, sizeBytes - bytesRead));
        const length = readSync(descriptor, buffer, 0, buffer.length, bytesRead);
        if (length === 0) return { bytesRead, sha256: hash.digest('hex') };
        bytesRead += length;
        // Perhaps without end.
        if (bytesRead > sizeBytes) return { bytesRead, error: 'EFBIG' };
        hash.update(buffer.subarray(0, length));
      }
    } catch (cause) {
      return { bytesRead, error: errnoOf(cause) ?? messageOf(cause) };
    }
  };
}
