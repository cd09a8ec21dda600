/**
 * A file to which checkpoints of the ledger are copied, one JSON line {"seen":ms,"note":text} each: whole lines only, each on disk
 * before it counts. The file may lie anywhere, also on a file system that others write to, so nothing of it is trusted.
 */
import { closeSync, constants, fdatasyncSync, fstatSync, ftruncateSync, openSync, readSync, renameSync, writeSync } from 'node:fs';
import { errnoOf, reasonOf } from '@sentineld/model/error';
import { parseCheckpoint, type Checkpoint } from '@sentineld/ledger/checkpoint';
import type { Note } from '@sentineld/ledger/note';

/** A larger file is renamed to .1, in place of the one before, and begun anew. */
const MAX_MIRROR_BYTES = 16 * 1024 * 1024;

/** So much of its end is read. */
const TAIL_BYTES = 64 * 1024;
const FILE_MODE = 0o640;
/** How every mirror begins: a file that begins otherwise is somebody else's, and is left alone. */
const BEGINNING = Buffer.from('{"seen":');
const LINE_FEED = 10;
/** Not to wait for the other end where the path is a pipe. */
const CAREFUL = constants.O_NOFOLLOW | constants.O_NONBLOCK;

export type MirrorResult =
  | { readonly ok: true }
  | {
      readonly ok: false;
      /** ENOSPC, EACCES, …; ENOTSUP for what is no mirror. */
      readonly errno: string;
      /** A part of a sentence for people. */
      readonly why: string;
    };

/** A checkpoint that was found in a mirror. */
export type MirroredCheckpoint = {
  /** Milliseconds since 1970: when it was written there. */
  readonly seenMs: number;
  readonly checkpoint: Checkpoint;
  readonly signed: Note;
};

/** Appends one line, or leaves the file as it was. `seenMs` in milliseconds since 1970. Never throws. */
export function appendToMirror(path: string, seenMs: number, note: string, maxBytes: number = MAX_MIRROR_BYTES): MirrorResult {
  const line = Buffer.from(`${JSON.stringify({ seen: seenMs, note })}\n`);
  try {
    const isFull = withMirror(path, (descriptor) => {
      const { size } = fstatSync(descriptor);
      if (size > 0 && size + line.length > maxBytes) return true;
      appendLine(descriptor, size, line);
      return false;
    });
    if (!isFull) return { ok: true };
    const isAside = setMirrorAside(path);
    if (!isAside.ok) return isAside;
    withMirror(path, (descriptor) => appendLine(descriptor, fstatSync(descriptor).size, line));
    return { ok: true };
  } catch (cause) {
    return { ok: false, errno: errnoOf(cause) ?? 'unknown', why: reasonOf(cause) };
  }
}

/** Renames a mirror to .1, so that the next line begins it anew. Never throws. */
export function setMirrorAside(path: string): MirrorResult {
  try {
    renameSync(path, `${path}.1`);
    return { ok: true };
  } catch (cause) {
    return { ok: false, errno: errnoOf(cause) ?? 'unknown', why: reasonOf(cause) };
  }
}

/** The checkpoints in the end of a mirror, oldest first; what is no checkpoint is passed over. None where there is no file. */
export function readMirror(path: string): readonly MirroredCheckpoint[] {
  const found = checkpointsIn(readTail(path));
  // It may just have been begun anew.
  return found.length > 0 ? found : checkpointsIn(readTail(`${path}.1`));
}

function withMirror<Result>(path: string, work: (descriptor: number) => Result): Result {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | CAREFUL, FILE_MODE);
  try {
    if (!fstatSync(descriptor).isFile()) throw failure('ENOTSUP', 'it is no ordinary file');
    const beginning = Buffer.alloc(BEGINNING.length);
    const read = readSync(descriptor, beginning, 0, beginning.length, 0);
    // A line that was cut off by a power loss is the beginning of one all the same.
    if (!beginning.subarray(0, read).equals(BEGINNING.subarray(0, read)))
      throw failure('ENOTSUP', 'it holds something else than checkpoints');
    if (read > 0 && read < BEGINNING.length) ftruncateSync(descriptor, 0);
    return work(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** All of the line or nothing: a disk that fills up takes as much of it as there is space for. */
function appendLine(descriptor: number, size: number, line: Buffer): void {
  const bytes = endsWithLine(descriptor, size) ? line : Buffer.concat([Buffer.from([LINE_FEED]), line]);
  const written = writeSync(descriptor, bytes);
  if (written < bytes.length) {
    // Where nothing else was appended meanwhile. What cannot be cut off is closed with a line end the next time.
    if (fstatSync(descriptor).size === size + written) ftruncateSync(descriptor, size);
    throw failure('ENOSPC', 'the disk is full');
  }
  fdatasyncSync(descriptor);
}

function endsWithLine(descriptor: number, size: number): boolean {
  const last = Buffer.alloc(1);
  return size === 0 || (readSync(descriptor, last, 0, 1, size - 1) === 1 && last[0] === LINE_FEED);
}

function readTail(path: string): string {
  let descriptor: number | null = null;
  try {
    descriptor = openSync(path, constants.O_RDONLY | CAREFUL);
    const status = fstatSync(descriptor);
    if (!status.isFile()) return '';
    const bytes = Buffer.alloc(Math.min(status.size, TAIL_BYTES));
    const read = readSync(descriptor, bytes, 0, bytes.length, status.size - bytes.length);
    return bytes.toString('utf8', 0, read);
  } catch {
    // What keeps it from being read keeps it from being written too, and then it is said.
    return '';
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

function checkpointsIn(text: string): readonly MirroredCheckpoint[] {
  return text.split('\n').flatMap((line): MirroredCheckpoint[] => {
    try {
      const value: unknown = JSON.parse(line);
      if (typeof value !== 'object' || value === null || !('seen' in value) || !('note' in value)) return [];
      if (!Number.isSafeInteger(value.seen) || typeof value.note !== 'string') return [];
      return [{ seenMs: Number(value.seen), ...parseCheckpoint(value.note) }];
    } catch {
      // Half of a line where the tail begins, or something that somebody else wrote.
      return [];
    }
  });
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
