/**
 * Makes the log of writes of an earlier process whole on disk before anybody builds on it.
 */
import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { errnoOf } from '@sentineld/model/error';
import { storeErrorFrom } from '../open.ts';

const CHUNK_BYTES = 256 * 1024;

/**
 * Writes the log of a database once more, byte for byte, and syncs it. After an fsync that failed, pages may look written that
 * are not, and no later fsync brings them to disk (fsync(2), NOTES). A process that dies then leaves such a log to the next
 * one: SQLite would go on behind the gap, and a loss of power take all that was acknowledged there.
 * @throws SentinelError state.unusable, store.unreadable
 */
export function rewriteLog(databasePath: string): void {
  const path = `${databasePath}-wal`;
  try {
    rewrite(openSync(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK));
  } catch (thrown) {
    if (errnoOf(thrown) !== 'ENOENT') throw storeErrorFrom(thrown, path);
  }
}

function rewrite(descriptor: number): void {
  try {
    // What is no ordinary file SQLite refuses.
    if (!fstatSync(descriptor).isFile()) return;
    const buffer = Buffer.alloc(CHUNK_BYTES);
    for (let at = 0, read = 0; (read = readSync(descriptor, buffer, 0, CHUNK_BYTES, at)) > 0; at += read)
      for (let done = 0; done < read;) done += writeSync(descriptor, buffer, done, read - done, at + done);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
