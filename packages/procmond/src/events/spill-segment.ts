/**
 * One spill file: a writer that appends whole lines or nothing, and a reader that gives line after line and survives
 * what a crash or a damaged disk left between them.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { SentinelError } from '@sentineld/model/error';
import { MAX_RECORD_BYTES, decodeRecord, type SpilledEvent } from './spill-record.ts';

export type SegmentWriter = {
  /** Writes all of the line, or throws what the file system throws and leaves the file as it was. */
  readonly append: (line: Buffer) => void;
  /** False where part of a line could not be taken back: what follows belongs into another file. */
  readonly isUsable: () => boolean;
  readonly close: () => void;
};

export type SegmentLine = {
  /** Null where the line is no event. */
  readonly record: SpilledEvent | null;
  /** Length in bytes, its line break included. */
  readonly bytes: number;
};

export type SegmentReader = {
  /** The next line that has its line break, or what is left without one; null at the end. A file that grows is read on. */
  readonly next: () => SegmentLine | null;
  readonly close: () => void;
};

const CHUNK_BYTES = 65_536;
const LINE_BREAK = 10;

/** Makes the file. @throws what the file system throws, EEXIST where there is one. */
export function createSegment(path: string, mode: number): SegmentWriter {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND | constants.O_NOFOLLOW;
  const descriptor = openSync(path, flags, mode);
  let size = 0;
  let usable = true;
  const takeBack = (): void => {
    try {
      ftruncateSync(descriptor, size);
    } catch {
      usable = false;
    }
  };
  return {
    append: (line) => {
      let written = 0;
      try {
        while (written < line.length) written += writeSync(descriptor, line, written);
      } catch (cause) {
        if (written > 0) takeBack();
        throw cause;
      }
      size += line.length;
    },
    isUsable: () => usable,
    close: () => closeSync(descriptor),
  };
}

/** @throws what the file system throws, and SentinelError state.unusable for what is no ordinary file. */
export function openSegment(path: string): SegmentReader {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if (!fstatSync(descriptor).isFile()) {
    closeSync(descriptor);
    throw new SentinelError('state.unusable', { message: `${path} is not an ordinary file`, context: { path } });
  }
  /** What was read and not given yet, and where in the file it ends. */
  let pending = Buffer.alloc(0);
  let position = 0;
  const readMore = (): boolean => {
    const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    const length = readSync(descriptor, chunk, 0, chunk.length, position);
    position += length;
    pending = Buffer.concat([pending, chunk.subarray(0, length)]);
    return length > 0;
  };
  const take = (length: number): Buffer => {
    const line = pending.subarray(0, length);
    pending = pending.subarray(length);
    return line;
  };
  return {
    next: () => {
      let searched = 0;
      let end = pending.indexOf(LINE_BREAK);
      while (end < 0 && pending.length <= MAX_RECORD_BYTES) {
        searched = pending.length;
        if (!readMore()) break;
        end = pending.indexOf(LINE_BREAK, searched);
      }
      if (pending.length === 0) return null;
      if (end < 0) return { record: null, bytes: take(pending.length).length };
      const line = take(end + 1);
      return { record: decodeRecord(line.subarray(0, end)), bytes: line.length };
    },
    close: () => closeSync(descriptor),
  };
}
