import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openLedgerWriter } from './ledger/writer.ts';
import { isLogAlone, missingPages } from './missing-pages.ts';

const PAGE_BYTES = 4096;
let directory = '';
let copy = '';
let copies = 0;

/** A ledger whose file has the older entries and whose log has the newer ones, as a process that was killed leaves it. */
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-missing-'));
  mkdirSync(join(directory, 'whole'));
  const program = `
    const { openLedgerWriter } = await import(${JSON.stringify(new URL('./ledger/writer.ts', import.meta.url).href)});
    const writer = openLedgerWriter({ path: ${JSON.stringify(join(directory, 'whole', 'x.db'))}, hostId: 'h', clock: () => 5, keyDir: ${JSON.stringify(join(directory, 'key'))}, archiveDir: ${JSON.stringify(join(directory, 'archive'))} });
    const append = () => writer.append('procmond', [{ action: 'process_scan_start', data: { text: 'x'.repeat(300) } }]);
    for (let left = 38; left > 0; left--) append();
    writer.stop();
    for (let left = 42; left > 0; left--) append();
    process.kill(process.pid, 'SIGKILL');`;
  const ended = spawnSync(process.execPath, ['--conditions=sentineld-source', '--input-type=module', '-e', program], { encoding: 'utf8' });
  expect([ended.signal, ended.stderr]).toEqual(['SIGKILL', '']);
});
afterAll(() => rmSync(directory, { recursive: true }));
beforeEach(() => {
  // A path of its own: what this process has opened once it does not look through again.
  copy = join(directory, `copy-${(copies += 1)}`);
  cpSync(join(directory, 'whole'), copy, { recursive: true });
});

const path = (): string => join(copy, 'x.db');
const open = () =>
  openLedgerWriter({ path: path(), hostId: 'h', clock: () => 6, keyDir: join(directory, 'key'), archiveDir: join(directory, 'archive') });
/** Every file of the directory, byte for byte. */
const evidence = (): ReadonlyMap<string, string> =>
  new Map(readdirSync(copy).map((name) => [name, readFileSync(join(copy, name)).toString('base64')]));

function overwrite(file: string, at: number, bytes: Buffer): void {
  writeSync(openSync(file, 'r+'), bytes, 0, bytes.length, at);
}

describe('a database file that was cut short', () => {
  test('is whole before that, with pages that only its log has', () => {
    expect(missingPages(path())).toBeNull();
    expect(open().head().sequence).toBe(81);
  });

  test.each([1, 90, 99, 100, 2_284, PAGE_BYTES - 1, PAGE_BYTES, PAGE_BYTES + 241, 5 * PAGE_BYTES])(
    'to %i bytes is refused, and nothing of it is changed',
    (length) => {
      truncateSync(path(), length);
      const before = evidence();
      expect(open).toThrow(expect.objectContaining({ code: 'store.corrupt', message: expect.stringMatching(/was cut/) }));
      expect(evidence()).toEqual(before);
    },
  );

  test('of pages that its log has goes on with all of it', () => {
    truncateSync(path(), statSync(path()).size - 1);
    expect(open().head().sequence).toBe(81);
  });

  test.each(['empty', 'gone'])('%s, with a log that has entries, is refused, and its log stays', (what) => {
    if (what === 'empty') truncateSync(path(), 0);
    else rmSync(path());
    expect(isLogAlone(path())).toBe(true);
    const before = evidence();
    expect(open).toThrow(
      expect.objectContaining({ code: 'store.corrupt', message: expect.stringContaining(`is ${what}, and its log is not`) }),
    );
    expect(evidence()).toEqual(before);
  });
});

describe('a database that is damaged in another way', () => {
  test('is refused without a byte written to it or its log', () => {
    // Page 1 and the tail of the chain are in the log; the table's root is made unreadable in both.
    rmSync(`${path()}-wal`);
    rmSync(`${path()}-shm`);
    const pages = statSync(path()).size / PAGE_BYTES;
    for (let page = 2; page < pages; page++) overwrite(path(), page * PAGE_BYTES, Buffer.alloc(PAGE_BYTES, 0xa5));
    const before = readFileSync(path());
    expect(open).toThrow(expect.objectContaining({ code: 'store.corrupt' }));
    expect(readFileSync(path()).equals(before)).toBe(true);
    expect(existsSync(`${path()}-wal`) ? statSync(`${path()}-wal`).size : 0).toBe(0);
  });

  test('is not mistaken for a short one: another format, no header, frames of an older log', () => {
    overwrite(path(), 0, Buffer.from('something else'));
    expect(missingPages(path())).toBeNull();
    cpSync(join(directory, 'whole', 'x.db'), path());
    // The salt of the first frame: as if the log had been begun anew over old frames.
    overwrite(`${path()}-wal`, 32 + 8, Buffer.alloc(8));
    expect(missingPages(path())).toBeNull();
  });

  test('is not mistaken for a short one by frames that an undone transaction left: their checksums do not fit', () => {
    const log = readFileSync(`${path()}-wal`);
    const inFile = statSync(path()).size / PAGE_BYTES;
    const frames = Array.from({ length: Math.floor((log.length - 32) / (24 + PAGE_BYTES)) }, (_, frame) => 32 + frame * (24 + PAGE_BYTES));
    // Each page that only the log has seems to be page 1.
    for (const at of frames) if (log.readUInt32BE(at) > inFile) overwrite(`${path()}-wal`, at, Buffer.from([0, 0, 0, 1]));
    expect(missingPages(path())).toBeNull();
    expect(open().head().sequence).toBeGreaterThanOrEqual(39);
  });
});

describe('opening a database that is as it should be', () => {
  test('writes nothing to it', () => {
    const before = [path(), `${path()}-wal`].map((file) => readFileSync(file).toString('base64'));
    open();
    expect([path(), `${path()}-wal`].map((file) => readFileSync(file).toString('base64'))).toEqual(before);
  });
});
