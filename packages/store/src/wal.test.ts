import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openWriter, stopWriter, type WriterDatabase } from './open.ts';
import { checkpointWal, walBytes, walReaders } from './wal.ts';

let directory: string;
let path: string;
let db: WriterDatabase;
const children: ChildProcess[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-wal-'));
  path = join(directory, 'some.db');
  const up = 'CREATE TABLE filler (content BLOB) STRICT';
  db = openWriter({ path, durability: 'normal', cacheKiB: 512, migrations: [{ version: 1, name: 'filler', up }] });
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  stopWriter(db);
  rmSync(directory, { recursive: true });
});

const write = (kilobytes: number): void => {
  db.prepare('INSERT INTO filler VALUES (zeroblob(?))').run(kilobytes * 1024);
};

const READER = `
const { DatabaseSync } = require('node:sqlite');
const database = new DatabaseSync(process.argv[1], { readOnly: true });
database.exec('BEGIN');
database.prepare('SELECT count(*) FROM filler').get();
process.stdin.on('data', () => { database.exec('COMMIT'); console.log('done'); }).on('end', () => process.exit());
console.log('reading');
`;

/** Another process that reads the state of now until its standard input has something, or ends. */
async function startReader(): Promise<{ readonly child: ChildProcess; readonly pid: number; readonly said: () => string }> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '-e', READER, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  let said = '';
  child.stdout?.on('data', (bytes: Buffer) => (said += bytes.toString()));
  await expect.poll(() => said, { timeout: 20_000 }).toContain('reading');
  return { child, pid: child.pid ?? -1, said: () => said };
}

it('a reader of another process is named as long as it reads', async () => {
  write(1);
  expect(walReaders(path)).toEqual([]);
  const [first, second] = [await startReader(), await startReader()];
  const name = basename(process.execPath);
  const byPid = (a: { pid: number }, b: { pid: number }): number => a.pid - b.pid;
  expect(walReaders(path).toSorted(byPid)).toEqual(
    [
      { pid: first.pid, name },
      { pid: second.pid, name },
    ].toSorted(byPid),
  );
  // One that has the database open and reads nothing holds nothing.
  first.child.stdin?.write('\n');
  await expect.poll(first.said, { timeout: 20_000 }).toContain('done');
  expect(walReaders(path)).toEqual([{ pid: second.pid, name }]);
  second.child.kill('SIGKILL');
  await expect.poll(() => walReaders(path), { timeout: 20_000 }).toEqual([]);
});

it('this process is not among the readers, and nobody reads what is not there', () => {
  write(1);
  const rows = db.prepare('SELECT 1 FROM filler').iterate();
  rows.next();
  expect(walReaders(path)).toEqual([]);
  rows.return?.();
  expect(walReaders(join(directory, 'other.db'))).toEqual([]);
});

it('a checkpoint empties the log unless somebody reads what it is made of, and does not wait', async () => {
  write(6000);
  expect(walBytes(path)).toBeGreaterThan(4 * 1024 * 1024);
  expect(checkpointWal(db, path)).toEqual({ busy: false, walBytes: 0 });
  write(10);
  const reader = await startReader();
  write(6000);
  const held = checkpointWal(db, path);
  expect(held.busy).toBe(true);
  expect(held.walBytes).toBeGreaterThan(4 * 1024 * 1024);
  expect(walReaders(path).map(({ pid }) => pid)).toEqual([reader.pid]);
  reader.child.stdin?.write('\n');
  await expect.poll(reader.said, { timeout: 20_000 }).toContain('done');
  expect(checkpointWal(db, path)).toEqual({ busy: false, walBytes: 0 });
  expect(db.pragma('busy_timeout', { simple: true })).toBe(2000);
});
