/**
 * The directory of spill files: it belongs to this user alone, and each segment in it has the number of its first event
 * as its name.
 */
import { chmodSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SentinelError, errnoOf } from '@sentineld/model/error';

export type Segment = { readonly first: number; readonly path: string; bytes: number };

const DIRECTORY_MODE = 0o750;
const SEGMENT_NAME = /^\d{16}\.spill$/;

export function segmentPath(directory: string, first: number): string {
  return join(directory, `${String(first).padStart(16, '0')}.spill`);
}

/** Makes it where it is missing. @throws SentinelError state.unusable where others could write there, or what the file system throws. */
export function prepareDirectory(directory: string): void {
  try {
    mkdirSync(directory, { mode: DIRECTORY_MODE });
    chmodSync(directory, DIRECTORY_MODE);
  } catch (cause) {
    if (errnoOf(cause) !== 'EEXIST') throw cause;
  }
  const status = lstatSync(directory);
  if (status.isDirectory() && status.uid === process.geteuid?.() && (status.mode & 0o022) === 0) return;
  throw new SentinelError('state.unusable', {
    message: `${directory} is not a directory that belongs to this user alone`,
    why: 'whoever else could write there could change what is recorded',
    context: { path: directory, uid: status.uid },
  });
}

/** The segments that hold something, oldest first. @throws what the file system throws. */
export function findSegments(directory: string): Segment[] {
  const names = readdirSync(directory).filter((name) => SEGMENT_NAME.test(name));
  return names.toSorted().flatMap((name) => {
    const path = join(directory, name);
    const bytes = lstatSync(path).size;
    if (bytes > 0) return [{ first: Number.parseInt(name, 10), path, bytes }];
    // Made, and nothing written to it: the next one may have its name.
    rmSync(path);
    return [];
  });
}
