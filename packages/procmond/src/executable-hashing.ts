/**
 * SHA-256 of running executables, between scans: one chunk at a time with the event loop running in between, so that a
 * scan never waits for more than one. The file is read through a process that runs it, so a deleted one is hashed too.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { errnoOf, messageOf } from '@sentineld/model/error';
import type { ExecutableFile } from '@sentineld/model/process';
import type { ExecutableTable, HashResult } from '@sentineld/store/events/executable-table';

const CHUNK_BYTES = 262_144;

export type HashingOptions = {
  readonly executables: Pick<ExecutableTable, 'pending' | 'recordHash'>;
  readonly openPathOf: (file: ExecutableFile) => string | null;
  readonly fileLimitBytes: number;
  readonly onError: (cause: unknown) => void;
};

export type ExecutableHashing = {
  /** Starts on what is pending, unless at work already. */
  readonly wake: () => void;
  readonly stop: () => void;
};

export function createExecutableHashing(options: HashingOptions): ExecutableHashing {
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  let working = false;
  let stopped = false;
  const work = async (): Promise<void> => {
    for (const { id, file } of options.executables.pending()) {
      const path = options.openPathOf(file);
      // Nobody runs it any more: it stays pending and is tried when somebody does.
      if (path === null) continue;
      const result = await hashFile(path, file, options.fileLimitBytes, buffer, () => stopped);
      if (stopped) return;
      if (result !== null) options.executables.recordHash(id, result);
    }
  };
  return {
    wake: () => {
      if (working || stopped) return;
      working = true;
      work()
        .catch(options.onError)
        .finally(() => {
          working = false;
        });
    },
    stop: () => {
      stopped = true;
    },
  };
}

/** Hashes the file that `path` leads to. Null where that is not `file` any more, or `isStopped` says so. */
export async function hashFile(
  path: string,
  file: ExecutableFile,
  limitBytes: number,
  buffer: Buffer,
  isStopped: () => boolean,
): Promise<HashResult | null> {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const errno = errnoOf(cause);
    return errno === 'ENOENT' || errno === 'ESRCH' ? null : { error: errno ?? messageOf(cause) };
  }
  try {
    const status = fstatSync(descriptor, { bigint: true });
    // The number of a file that is gone may be another's by now. Not the ctime: it changes when a link goes.
    const isSameFile = String(status.ino) === file.inode && String(status.dev) === file.dev;
    if (!isSameFile || String(status.mtimeNs) !== file.mtimeNs || Number(status.size) !== file.sizeBytes) return null;
    if (!status.isFile()) return { error: 'not an ordinary file' };
    if (status.size > BigInt(limitBytes)) return { error: `larger than ${limitBytes} bytes` };
    const hash = createHash('sha256');
    for (let at = 0; ;) {
      const length = readSync(descriptor, buffer, 0, buffer.length, at);
      if (length === 0) return at === file.sizeBytes ? { sha256: hash.digest('hex') } : null;
      hash.update(buffer.subarray(0, length));
      at += length;
      await new Promise<void>((resolve) => setImmediate(resolve));
      // It grows while it is read: no version of it, and perhaps without end.
      if (isStopped() || at > file.sizeBytes) return null;
    }
  } catch (cause) {
    return { error: errnoOf(cause) ?? messageOf(cause) };
  } finally {
    closeSync(descriptor);
  }
}
