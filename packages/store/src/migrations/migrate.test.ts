import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import Database from 'better-sqlite3';
import { type WriterDatabase, openWriter } from '../open.ts';
import type { Migration } from './migrate.ts';
import { readMetadata, writeMetadata } from './system-metadata.ts';

const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: 'hosts', up: 'CREATE TABLE host (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT' },
  {
    version: 2,
    name: 'ports',
    up: "CREATE TABLE port (host_id INTEGER REFERENCES host (id), number INTEGER) STRICT; INSERT INTO host VALUES (1, 'here')",
  },
  // Rebuilding a parent table is what needs foreign keys to be off.
  {
    version: 3,
    name: 'host names are unique',
    up: `CREATE TABLE new_host (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
         INSERT INTO new_host SELECT id, name FROM host; DROP TABLE host; ALTER TABLE new_host RENAME TO host`,
  },
  { version: 4, name: 'notes', up: 'ALTER TABLE port ADD COLUMN note TEXT' },
];

let directory = '';
const opened: WriterDatabase[] = [];

function open(migrations: readonly Migration[], nowMs = 1_000): WriterDatabase {
  const db = openWriter({ path: join(directory, 'x.db'), durability: 'normal', cacheKiB: 256, migrations, clock: () => nowMs });
  opened.push(db);
  return db;
}

function schemaOf(db: WriterDatabase): unknown {
  return db.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY name').all();
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-migrate-'));
});
afterEach(() => {
  for (const db of opened.splice(0)) db.close();
  rmSync(directory, { recursive: true });
});

describe('migrations', () => {
  test.each([0, 1, 2, 3])('from version %i, with its data, to the newest', (from) => {
    const fresh = schemaOf(open(MIGRATIONS));
    for (const db of opened.splice(0)) db.close();
    rmSync(join(directory, 'x.db'));

    const older = open(MIGRATIONS.slice(0, from));
    if (from > 0) older.exec("INSERT INTO host VALUES (7, 'kept')");
    if (from > 1) older.exec('INSERT INTO port VALUES (7, 22)');
    const generation = from > 0 ? readMetadata(older, 'store_generation') : undefined;
    older.close();

    const db = open(MIGRATIONS, 2_000);
    expect(schemaOf(db)).toEqual(fresh);
    expect(db.pragma('user_version', { simple: true })).toBe(4);
    expect(readMetadata(db, 'schema_version')).toBe('4');
    expect(readMetadata(db, 'store_generation')).toMatch(/^[0-9a-f]{32}$/);
    if (generation !== undefined) expect(readMetadata(db, 'store_generation')).toBe(generation);
    if (from > 0) expect(db.prepare('SELECT name FROM host WHERE id = 7').pluck().get()).toBe('kept');
    if (from > 1) expect(db.prepare('SELECT number FROM port WHERE host_id = 7').pluck().get()).toBe(22);
    expect(db.pragma('foreign_key_check')).toEqual([]);
    expect(db.pragma('foreign_keys', { simple: true })).toBe(1);
  });

  test('a step that fails leaves the file as it was, and the next start goes on from there', () => {
    open(MIGRATIONS.slice(0, 2)).close();
    const failing: Migration = {
      version: 3,
      name: 'fails half way',
      up: 'CREATE TABLE half (a INTEGER) STRICT; INSERT INTO nowhere VALUES (1)',
    };
    expect(() => open([...MIGRATIONS.slice(0, 2), failing])).toThrow(/nowhere/);
    const db = open(MIGRATIONS);
    expect(db.pragma('user_version', { simple: true })).toBe(4);
    expect(db.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").pluck().get()).toBe(0);
  });

  test('a step that leaves a dangling reference is refused', () => {
    open(MIGRATIONS).exec('INSERT INTO port VALUES (1, 80, NULL)');
    opened.splice(0).forEach((db) => db.close());
    const removing: Migration = { version: 5, name: 'removes hosts', up: 'DELETE FROM host' };
    expect(() => open([...MIGRATIONS, removing])).toThrow(expect.objectContaining({ code: 'store.corrupt' }));
    expect(open(MIGRATIONS).prepare('SELECT count(*) FROM host').pluck().get()).toBe(1);
  });

  test('a newer file is refused with a hint and left alone', () => {
    open(MIGRATIONS).close();
    expect(() => open(MIGRATIONS.slice(0, 3))).toThrow(
      expect.objectContaining({ code: 'store.too_new', hint: expect.stringContaining('newer') }),
    );
    expect(open(MIGRATIONS).pragma('user_version', { simple: true })).toBe(4);
  });

  test("another program's database is refused", () => {
    const foreign = new Database(join(directory, 'x.db'));
    foreign.exec('CREATE TABLE bookmarks (url TEXT)');
    foreign.close();
    expect(() => open(MIGRATIONS)).toThrow(
      expect.objectContaining({ code: 'store.corrupt', message: expect.stringContaining('bookmarks') }),
    );
  });

  test('versions must count from 1 without gaps', () => {
    expect(() => open(MIGRATIONS.slice(1))).toThrow(expect.objectContaining({ code: 'internal.bug' }));
  });

  test('metadata is replaced with its time', () => {
    const db = open(MIGRATIONS);
    expect(readMetadata(db, 'host_id')).toBeUndefined();
    writeMetadata(db, 'host_id', 'a', 5);
    writeMetadata(db, 'host_id', 'b', 6);
    expect(readMetadata(db, 'host_id')).toBe('b');
    expect(db.prepare("SELECT updated_at FROM system_metadata WHERE key = 'host_id'").pluck().get()).toBe(6);
  });
});
