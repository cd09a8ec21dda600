/**
 * How a writer opens its database, and how it stops. One process writes each file; better-sqlite3 is the writers'
 * library and node:sqlite the readers': a process that loads this module must not load node:sqlite, because closing
 * a file in one library drops the POSIX locks that the other holds on it (docs/adr/0002-storage.md).
 */
import { chmodSync, closeSync, constants, fchmodSync, fsyncSync, lstatSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { SentinelError, errnoOf, messageOf } from '@sentineld/model/error';
import Database from 'better-sqlite3';
import { type Migration, migrate, refuseNewer } from './migrations/migrate.ts';
import { missingPages } from './missing-pages.ts';

export type WriterDatabase = Database.Database;

export type WriterOptions = {
  readonly path: string;
  /** 'full': a commit that returned survives power loss. 'normal': the newest commits may be lost, never half of one. */
  readonly durability: 'normal' | 'full';
  /** Page cache in KiB; counts in full against the memory of the process. */
  readonly cacheKiB: number;
  readonly migrations: readonly Migration[];
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
};

/** Owner writes, group reads. SQLite gives -wal and -shm the mode of the database, whatever the umask. */
const FILE_MODE = 0o640;

/** Longer than any reader holds a lock it should hold, shorter than a watchdog's patience. */
const BUSY_TIMEOUT_MS = 2_000;

/**
 * Opens a database for its one writer: creates the file (0640) where there is none, sets the pragmas, reads every one
 * back, migrates. Defensive mode is on by better-sqlite3's default, as long as nobody calls unsafeMode().
 * What is refused is left as it was found: nothing is written before the file is known to be whole and ours, and to a
 * file that is up to date nothing is written at all.
 * Keep a reference until the process ends: a collected handle is closed, and see stopWriter for what that does.
 * @throws SentinelError state.unusable, state.held, store.unreadable, store.corrupt, store.too_new, store.pragma
 */
export function openWriter(options: WriterOptions): WriterDatabase {
  const path = resolve(options.path);
  prepareFile(path);
  let db: WriterDatabase | undefined;
  try {
    db = new Database(path, { timeout: BUSY_TIMEOUT_MS, fileMustExist: true });
    refuseNewer(db, options.migrations);
    // Decided before the first page exists; said again of a file that has it, it writes.
    if (db.pragma('page_count', { simple: true }) === 0) db.pragma('auto_vacuum = INCREMENTAL');
    const pragmas = writerPragmas(options);
    for (const [name, value] of pragmas) if (name !== 'auto_vacuum') db.pragma(`${name} = ${value}`);
    db.pragma('foreign_keys = OFF');
    migrate(db, options.migrations, (options.clock ?? Date.now)());
    db.pragma('foreign_keys = ON');
    assertPragmas(db, pragmas);
    return db;
  } catch (thrown) {
    // Closing would empty and remove the log of a file that was refused, and with it the readers' way in.
    if (db !== undefined) leaveOpen(db);
    throw storeErrorFrom(thrown, path);
  }
}

/**
 * Ends writing so that readers go on: moves the WAL into the database and empties it. It does NOT close: a clean
 * close removes the -wal file, and then members of the group, who cannot create it, can no longer open the database.
 * The process must then end by process.exit() or a signal: when Node runs out of work and ends by itself,
 * better-sqlite3 closes what is open.
 * Returns false where a reader kept part of the WAL in use; nothing is lost then.
 */
export function stopWriter(db: WriterDatabase): boolean {
  leaveOpen(db);
  const busy = db.pragma('wal_checkpoint(TRUNCATE)', { simple: true });
  return busy === 0;
}

/** Keeps a database open, so that others can read it, when nobody here holds it any more: the garbage collector would close it. */
export function leaveOpen(db: WriterDatabase): void {
  leftOpen.add(db);
}

const leftOpen = new Set<WriterDatabase>();

/** What SQLite or the file system threw, as the error the product documents; anything else as it is. */
export function storeErrorFrom(thrown: unknown, path: string): unknown {
  if (thrown instanceof SentinelError) return thrown;
  const code = errnoOf(thrown) ?? '';
  const details = { message: `${path}: ${messageOf(thrown)} (${code}).`, cause: thrown, context: { path, sqlite: code } };
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) {
    return new SentinelError('store.corrupt', {
      ...details,
      hint: 'Restore the file from a backup, or move it with its -wal and -shm away to start a new one.',
    });
  }
  if (/^SQLITE_(BUSY|LOCKED|PROTOCOL)/.test(code)) {
    return new SentinelError('state.held', { ...details, hint: 'Another process holds a lock on the file; see who has it open.' });
  }
  if (/^(SQLITE_FULL|ENOSPC|EDQUOT)/.test(code)) {
    return new SentinelError('state.unusable', { ...details, hint: 'Make space on its file system.' });
  }
  if (/^(SQLITE_IOERR|EIO|EROFS)/.test(code)) {
    return new SentinelError('state.unusable', { ...details, hint: 'Look at the free space and the health of the disk.' });
  }
  if (/^(SQLITE_(CANTOPEN|READONLY|PERM|AUTH)|EACCES|EPERM|ENOENT|ENOTDIR|ELOOP)/.test(code)) {
    return new SentinelError('store.unreadable', {
      ...details,
      hint: 'The directory must exist and belong to the user that writes; see docs/ARCHITECTURE.md.',
    });
  }
  return thrown;
}

type Pragma = readonly [name: string, value: string | number, readBack: string | number];

/**
 * mmap_size is 0: mapped pages count as resident memory like the cache does but are not bounded by it (24 MB for a
 * 26 MB file, for 20 % less CPU on random reads, which a writer hardly makes), and an I/O error under a mapping is
 * SIGBUS, not an error code. The rest of the sizes: docs/adr/0002-storage.md.
 */
function writerPragmas(options: WriterOptions): readonly Pragma[] {
  const full = options.durability === 'full';
  return [
    ['auto_vacuum', 'INCREMENTAL', 2],
    ['journal_mode', 'WAL', 'wal'],
    ['synchronous', full ? 'FULL' : 'NORMAL', full ? 2 : 1],
    ['cache_size', -options.cacheKiB, -options.cacheKiB],
    ['temp_store', 'MEMORY', 2],
    ['mmap_size', 0, 0],
    ['wal_autocheckpoint', 1000, 1000],
    ['journal_size_limit', 8 * 1024 * 1024, 8 * 1024 * 1024],
    ['busy_timeout', BUSY_TIMEOUT_MS, BUSY_TIMEOUT_MS],
    ['trusted_schema', 'OFF', 0],
    ['cell_size_check', 'ON', 1],
    ['foreign_keys', 'ON', 1],
  ];
}

function assertPragmas(db: WriterDatabase, pragmas: readonly Pragma[]): void {
  for (const [name, , expected] of pragmas) {
    const found = db.pragma(name, { simple: true });
    if (found === expected) continue;
    throw new SentinelError('store.pragma', {
      message: `${db.name}: PRAGMA ${name} is ${String(found)}, not ${expected}.`,
      hint: 'The file system may not support shared memory (WAL needs a local disk), or another program made the file.',
      context: { path: db.name, pragma: name, found, expected },
    });
  }
}

/** Files that this process has opened. */
const known = new Set<string>();

/**
 * Makes an empty file, or checks the one that is there. Descriptors are opened here only before SQLite knows the file:
 * closing one later would drop SQLite's locks.
 */
function prepareFile(path: string): void {
  if (!known.has(path)) refuseCutShort(path);
  known.add(path);
  try {
    const created = openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR | constants.O_NOFOLLOW, FILE_MODE);
    fchmodSync(created, FILE_MODE);
    closeSync(created);
    syncDirectory(dirname(path));
  } catch (thrown) {
    if (errnoOf(thrown) !== 'EEXIST') throw storeErrorFrom(thrown, path);
    checkFile(path);
  }
}

/** What is no ordinary file is for checkFile to refuse, and is not opened. */
function refuseCutShort(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === false) return;
  const missing = missingPages(path);
  if (missing === null) return;
  throw new SentinelError('store.corrupt', {
    message: `${path} ${missing}.`,
    hint: 'Nothing was changed. Restore the file from a backup, or move it with its -wal and -shm away to start a new one.',
    context: { path },
  });
}

function checkFile(path: string): void {
  const found = lstatSync(path);
  const user = process.geteuid?.() ?? 0;
  if (!found.isFile() || (user !== 0 && found.uid !== user)) {
    throw new SentinelError('state.unusable', {
      message: `${path} is ${found.isFile() ? `owned by user ${found.uid}, not by ${user} who writes it` : 'not an ordinary file'}.`,
      hint: 'Every database belongs to the one user that writes it; see docs/ARCHITECTURE.md.',
      context: { path, uid: found.uid },
    });
  }
  if ((found.mode & 0o7777) !== FILE_MODE) chmodSync(path, FILE_MODE);
}

function syncDirectory(path: string): void {
  const directory = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
