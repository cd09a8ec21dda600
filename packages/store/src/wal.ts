/**
 * The write-ahead log of a database: how large it is, how to empty it, and who keeps it from being emptied. The -shm
 * file is never opened: in a process that has the database open, closing a descriptor of it would drop SQLite's locks.
 */
import { readFileSync, statSync } from 'node:fs';
import { decodeHostBytes } from '@sentineld/model/host-text';
import type { WriterDatabase } from './open.ts';

export type Checkpoint = {
  /** True where a reader still looks at a part of the log. */
  readonly busy: boolean;
  readonly walBytes: number;
};

export type WalReader = {
  readonly pid: number;
  /** Its program by the first argument, or comm; '' where the process is gone or may not be seen. */
  readonly name: string;
};

/** Beyond it the file is cut once everything in it is in the database; below it the next writes reuse it. */
const CUT_BYTES = 4 * 1024 * 1024;

/** Bytes of the -wal file; 0 where there is none. */
export function walBytes(dbPath: string): number {
  return statSync(`${dbPath}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}

/** Moves what no reader needs into the database, and cuts a large log when that was all of it. Waits for no lock. */
export function checkpointWal(db: WriterDatabase, dbPath: string): Checkpoint {
  const timeout = Number(db.pragma('busy_timeout', { simple: true }));
  db.pragma('busy_timeout = 0');
  try {
    let busy = runCheckpoint(db, 'PASSIVE');
    if (!busy && walBytes(dbPath) > CUT_BYTES) busy = runCheckpoint(db, 'TRUNCATE');
    return { busy, walBytes: walBytes(dbPath) };
  } finally {
    db.pragma(`busy_timeout = ${timeout}`);
  }
}

type CheckpointRow = { readonly busy: number; readonly log: number; readonly checkpointed: number };

/** True where something is in its way. Of that a passive checkpoint says no more than how many pages it could not move. */
function runCheckpoint(db: WriterDatabase, mode: 'PASSIVE' | 'TRUNCATE'): boolean {
  const row = db.prepare<[], CheckpointRow>(`PRAGMA wal_checkpoint(${mode})`).get();
  return row !== undefined && (row.busy !== 0 || row.checkpointed < row.log);
}

/** WAL_READ_LOCK(0) to WAL_READ_LOCK(4) of SQLite's wal-index: bytes of the -shm file. */
const FIRST_READ_LOCK = 123;
const LAST_READ_LOCK = 127;
/** Of the name of a program, which is the host's. */
const NAME_CHARACTERS = 64;

/**
 * Processes, apart from this one, that hold a read lock of the log now: each reads some state of the database, and an
 * old one keeps the log from being emptied. From /proc/locks alone (proc_locks(5)); empty where that may not be read.
 */
export function walReaders(dbPath: string): readonly WalReader[] {
  const shm = statSync(`${dbPath}-shm`, { bigint: true, throwIfNoEntry: false });
  if (shm === undefined) return [];
  const file = `${fileSystemName(shm.dev)}:${shm.ino}`;
  const pids = new Set<number>();
  for (const line of readText('/proc/locks').split('\n')) {
    const lock = parseLock(line);
    if (lock === null || lock.file !== file || lock.pid === process.pid) continue;
    if (lock.first <= LAST_READ_LOCK && lock.last >= FIRST_READ_LOCK) pids.add(lock.pid);
  }
  return [...pids].map((pid) => ({ pid, name: programOf(pid) }));
}

type Lock = { readonly pid: number; readonly file: string; readonly first: number; readonly last: number };

/** `1: POSIX  ADVISORY  READ 1234 08:01:131073 123 127`; one that waits (`->`) holds nothing. */
function parseLock(line: string): Lock | null {
  const match = /^\d+: POSIX +\S+ +\S+ +(\d+) +([0-9a-f]+:[0-9a-f]+:\d+) (\d+) (\d+|EOF)$/.exec(line);
  if (match === null) return null;
  const [, pid, file = '', first, last] = match;
  return { pid: Number(pid), file, first: Number(first), last: last === 'EOF' ? Number.MAX_SAFE_INTEGER : Number(last) };
}

/** Major and minor number in hexadecimal, as /proc/locks writes them. */
function fileSystemName(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
  return [major, minor].map((part) => part.toString(16).padStart(2, '0')).join(':');
}

/** '' where there is nothing to read. */
function readText(path: string): string {
  try {
    return decodeHostBytes(readFileSync(path));
  } catch {
    return '';
  }
}

/** Threads give themselves names ('MainThread'), so comm says less than what was called. */
function programOf(pid: number): string {
  const [program = ''] = readText(`/proc/${pid}/cmdline`).split('\0');
  return program.slice(program.lastIndexOf('/') + 1).slice(0, NAME_CHARACTERS) || readText(`/proc/${pid}/comm`).replace(/\n$/, '');
}
