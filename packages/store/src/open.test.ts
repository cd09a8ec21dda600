import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Migration } from './migrations/migrate.ts';
import { type WriterDatabase, openWriter, stopWriter, storeErrorFrom } from './open.ts';

const MIGRATIONS: readonly Migration[] = [{ version: 1, name: 'first', up: 'CREATE TABLE note (text TEXT NOT NULL) STRICT' }];
const isRoot = process.geteuid?.() === 0;

let directory = '';
const opened: WriterDatabase[] = [];

function open(name = 'x.db', durability: 'normal' | 'full' = 'full'): WriterDatabase {
  const db = openWriter({ path: join(directory, name), durability, cacheKiB: 512, migrations: MIGRATIONS });
  opened.push(db);
  return db;
}

function modeOf(name: string): string {
  return (statSync(join(directory, name)).mode & 0o7777).toString(8);
}

/** A writer in a process of its own: it writes one row, stops, and ends in the way that is asked for. */
function runWriter(ending: string): void {
  const program = `
    const { openWriter, stopWriter } = await import(${JSON.stringify(new URL('./open.ts', import.meta.url).href)});
    const db = openWriter({ path: ${JSON.stringify(join(directory, 'x.db'))}, durability: 'full', cacheKiB: 512, migrations: ${JSON.stringify(MIGRATIONS)} });
    db.exec("INSERT INTO note VALUES ('hello')");
    stopWriter(db);
    ${ending}`;
  const ended = spawnSync(process.execPath, ['--conditions=sentineld-source', '--input-type=module', '-e', program], { encoding: 'utf8' });
  expect(ended.stderr).not.toContain('Error:');
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-open-'));
});
afterEach(() => {
  for (const db of opened.splice(0)) db.close();
  rmSync(directory, { recursive: true });
});

describe('openWriter', () => {
  test('files are 0640 whatever the umask', () => {
    const before = process.umask(0o077);
    try {
      open().exec("INSERT INTO note VALUES ('a')");
      expect([modeOf('x.db'), modeOf('x.db-wal'), modeOf('x.db-shm')]).toEqual(['640', '640', '640']);
      process.umask(0);
      open('y.db').exec("INSERT INTO note VALUES ('a')");
      expect([modeOf('y.db'), modeOf('y.db-wal'), modeOf('y.db-shm')]).toEqual(['640', '640', '640']);
    } finally {
      process.umask(before);
    }
  });

  test('a mode that was changed is put back', () => {
    open().close();
    chmodSync(join(directory, 'x.db'), 0o666);
    open();
    expect(modeOf('x.db')).toBe('640');
  });

  test.each([
    ['full', 2],
    ['normal', 1],
  ] as const)('durability %s sets synchronous %i and the other pragmas', (durability, synchronous) => {
    const db = open('x.db', durability);
    const value = (name: string): unknown => db.pragma(name, { simple: true });
    expect(value('synchronous')).toBe(synchronous);
    expect(value('journal_mode')).toBe('wal');
    expect(value('cache_size')).toBe(-512);
    expect(value('trusted_schema')).toBe(0);
    expect(value('foreign_keys')).toBe(1);
    expect(value('mmap_size')).toBe(0);
  });

  test('the connection is defensive: the schema table cannot be written', () => {
    const db = open();
    db.pragma('writable_schema = ON');
    expect(() => db.exec("UPDATE sqlite_schema SET sql = ''")).toThrow(/may not be modified/);
  });

  test('a pragma that did not take is an error', () => {
    // A database with pages of its own keeps the auto_vacuum it was made with.
    execFileSync(process.execPath, [
      '-e',
      `const db = new (require('node:sqlite').DatabaseSync)(${JSON.stringify(join(directory, 'x.db'))});
       db.exec('CREATE TABLE system_metadata (key TEXT PRIMARY KEY, value TEXT, updated_at INTEGER); PRAGMA user_version = 1')`,
    ]);
    expect(() => open()).toThrow(
      expect.objectContaining({ code: 'store.pragma', context: expect.objectContaining({ pragma: 'auto_vacuum' }) }),
    );
  });

  test('a file that is no database is store.corrupt', () => {
    writeFileSync(join(directory, 'x.db'), 'This is not a database, however long it goes on. '.repeat(200));
    expect(() => open()).toThrow(expect.objectContaining({ code: 'store.corrupt' }));
  });

  test('a database whose schema page was overwritten is store.corrupt', () => {
    open().close();
    copyFileSync(join(directory, 'x.db'), join(directory, 'y.db'));
    const bytes = Buffer.alloc(4096 - 100, 0xff);
    execFileSync('dd', [`of=${join(directory, 'y.db')}`, 'bs=1', 'seek=100', 'conv=notrunc', 'status=none'], { input: bytes });
    expect(() => open('y.db')).toThrow(expect.objectContaining({ code: 'store.corrupt' }));
  });

  test('a symbolic link, a directory and a missing directory are refused', () => {
    writeFileSync(join(directory, 'elsewhere'), '');
    symlinkSync(join(directory, 'elsewhere'), join(directory, 'link.db'));
    mkdirSync(join(directory, 'directory.db'));
    expect(() => open('link.db')).toThrow(expect.objectContaining({ code: 'state.unusable' }));
    expect(() => open('directory.db')).toThrow(expect.objectContaining({ code: 'state.unusable' }));
    expect(() => open('missing/x.db')).toThrow(expect.objectContaining({ code: 'store.unreadable' }));
  });

  test('a lock of somebody else is state.held', () => {
    const other = open();
    other.exec('BEGIN EXCLUSIVE');
    const migrations = [...MIGRATIONS, { version: 2, name: 'second', up: 'CREATE TABLE more (a TEXT) STRICT' }];
    expect(() => openWriter({ path: join(directory, 'x.db'), durability: 'full', cacheKiB: 64, migrations })).toThrow(
      expect.objectContaining({ code: 'state.held' }),
    );
    other.exec('ROLLBACK');
  });
});

describe('storeErrorFrom', () => {
  test('a full disk is state.unusable, and the hint says what to do', () => {
    const db = open();
    db.pragma(`max_page_count = ${String(db.pragma('page_count', { simple: true }))}`);
    const fill = (): unknown => {
      try {
        return db.exec(`INSERT INTO note VALUES ('${'a'.repeat(100_000)}')`);
      } catch (thrown) {
        return storeErrorFrom(thrown, 'x.db');
      }
    };
    expect(fill()).toMatchObject({
      code: 'state.unusable',
      message: expect.stringContaining('is full (SQLITE_FULL)'),
      hint: 'Make space on its file system.',
    });
  });
});

describe('stopWriter', () => {
  test('leaves an empty WAL, and says whether a reader kept it from doing so', () => {
    const db = open();
    db.exec("INSERT INTO note VALUES ('a')");
    const reader = open();
    reader.exec('BEGIN; SELECT * FROM note');
    db.exec("INSERT INTO note VALUES ('b')");
    db.pragma('busy_timeout = 0');
    expect(stopWriter(db)).toBe(false);
    reader.exec('ROLLBACK');
    expect(stopWriter(db)).toBe(true);
    expect(statSync(join(directory, 'x.db-wal')).size).toBe(0);
    opened.splice(0, opened.length);
    reader.close();
  });

  test.each([
    ['process.exit()', 'process.exit(0)', true],
    ['a signal', "process.kill(process.pid, 'SIGKILL')", true],
    ['an uncaught exception', "setImmediate(() => { throw 'on purpose' })", true],
    ['running out of work, which closes and removes the WAL', '', false],
  ])('after %s', (_name, ending, remains) => {
    runWriter(ending);
    expect(existsSync(join(directory, 'x.db-wal'))).toBe(remains);
  });

  test.skipIf(!isRoot)('a member of the group reads on after the writer stopped, and cannot write (needs root)', () => {
    const readerId = 65534;
    chownSync(directory, 0, readerId);
    chmodSync(directory, 0o2750);
    runWriter('process.exit(0)');
    const program = `
      const { DatabaseSync } = require('node:sqlite');
      const path = ${JSON.stringify(join(directory, 'x.db'))};
      console.log(new DatabaseSync(path, { readOnly: true }).prepare('SELECT text FROM note').get().text);
      try { require('node:fs').openSync(path, 'r+') } catch (error) { console.log(error.code) }`;
    // A user who owns nothing here, in the group of the directory; a program readable by all, since the node of the tree may not be.
    const node = join(directory, 'node');
    copyFileSync(process.execPath, node);
    chmodSync(node, 0o755);
    const read = spawnSync(node, ['-e', program], { uid: readerId, gid: readerId, cwd: '/', encoding: 'utf8', env: {} });
    expect(read.stdout.trim().split('\n')).toEqual(['hello', 'EACCES']);
  });
});
