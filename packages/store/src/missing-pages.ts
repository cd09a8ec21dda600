/**
 * Whether a database file is whole in length, seen from its bytes before SQLite opens it: SQLite deletes the log of an
 * empty file, writes on opening, and may notice what is missing only later. Of content this says nothing.
 * Formats: https://www.sqlite.org/fileformat2.html, sections 1.3 (header) and 4.1 (log).
 */
import { closeSync, openSync, readSync, statSync } from 'node:fs';

const DATABASE_HEADER_BYTES = 100;
const LOG_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** Its lowest bit says in which byte order checksums are. */
const LOG_MAGIC = 0x377f0682;

/**
 * Whether there is a log of a file that has nothing, or is not there: SQLite would delete that log, readers' too.
 * Opens nothing.
 */
export function isLogAlone(path: string): boolean {
  return sizeOf(path) === 0 && sizeOf(`${path}-wal`) > 0;
}

/**
 * What is missing, in words that follow the path, or null. Opens and closes the file, which drops locks that this
 * process holds on it: not to be asked of a file that this process has open.
 * @throws what the file system throws
 */
export function missingPages(path: string): string | null {
  // With a rollback journal the file is being made, and the journal says what it must be.
  if (sizeOf(`${path}-journal`) > 0) return null;
  if (isLogAlone(path)) return `is ${isThere(path) ? 'empty' : 'gone'}, and its log is not`;
  const size = sizeOf(path);
  if (size === 0) return null;
  const log = readLog(`${path}-wal`);
  const header = readAt(path, DATABASE_HEADER_BYTES);
  if (header.length < DATABASE_HEADER_BYTES) return `was cut to ${size} bytes`;
  if (header.toString('latin1', 0, 15) !== 'SQLite format 3') return null;
  const pageBytes = pageSizeOf(header.readUInt16BE(16));
  const pages = log.committedPages ?? pagesIn(header);
  const inFile = Math.floor(size / pageBytes);
  for (let page = inFile + 1; page <= pages; page++) {
    if (!log.pages.has(page)) return `was cut short: it has ${inFile} of ${pages} pages, and its log lacks page ${page}`;
  }
  return null;
}

/** 0 where the header does not say, as of a file that an old program wrote last. */
function pagesIn(header: Buffer): number {
  const isValid = header.readUInt32BE(24) === header.readUInt32BE(92);
  return isValid ? header.readUInt32BE(28) : 0;
}

function pageSizeOf(stored: number): number {
  return stored === 1 ? 65_536 : stored;
}

type Log = {
  /** Pages that it holds. */
  readonly pages: ReadonlySet<number>;
  /** The length of the database, in pages, after its newest commit; null without a commit. */
  readonly committedPages: number | null;
};

/**
 * Frames as SQLite reads them: up to the first that does not belong to this log or whose checksum does not fit. Behind it may lie
 * what a transaction left that was never committed, with the same salt.
 */
function readLog(path: string): Log {
  const pages = new Set<number>();
  let committedPages: number | null = null;
  if (sizeOf(path) < LOG_HEADER_BYTES) return { pages, committedPages };
  const file = openSync(path, 'r');
  try {
    const header = Buffer.alloc(LOG_HEADER_BYTES);
    readSync(file, header, 0, LOG_HEADER_BYTES, 0);
    const magic = header.readUInt32BE(0);
    if ((magic & ~1) >>> 0 !== LOG_MAGIC) return { pages, committedPages };
    const sum = checksummer((magic & 1) === 1);
    if (!sum(header.subarray(0, 24)).equals(header.subarray(24))) return { pages, committedPages };
    const frame = Buffer.alloc(FRAME_HEADER_BYTES + header.readUInt32BE(8));
    for (let at = LOG_HEADER_BYTES; readSync(file, frame, 0, frame.length, at) === frame.length; at += frame.length) {
      if (frame.compare(header, 16, 24, 8, 16) !== 0) break;
      sum(frame.subarray(0, 8));
      if (!sum(frame.subarray(FRAME_HEADER_BYTES)).equals(frame.subarray(16, FRAME_HEADER_BYTES))) break;
      pages.add(frame.readUInt32BE(0));
      const pagesAfterCommit = frame.readUInt32BE(4);
      if (pagesAfterCommit !== 0) committedPages = pagesAfterCommit;
    }
    return { pages, committedPages };
  } finally {
    closeSync(file);
  }
}

/** Goes on with each call (section 4.2). Gives the checksum so far, as it is stored. */
function checksummer(isBigEndian: boolean): (bytes: Buffer) => Buffer {
  let [first, second] = [0, 0];
  const stored = Buffer.alloc(8);
  return (bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at + 8 <= bytes.length; at += 8) {
      first = (first + view.getInt32(at, !isBigEndian) + second) | 0;
      second = (second + view.getInt32(at + 4, !isBigEndian) + first) | 0;
    }
    stored.writeInt32BE(first, 0);
    stored.writeInt32BE(second, 4);
    return stored;
  };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function readAt(path: string, count: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(count);
    return bytes.subarray(0, readSync(file, bytes, 0, count, 0));
  } finally {
    closeSync(file);
  }
}
