import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCleanup } from './cleanup.ts';
import { diskOf, emptyDisk, replay, writeImage, type Honoured } from './power-image.ts';
import { buildPowerRecorder, parsePowerLog, type PowerRecord } from './power-log.ts';
import { createRandom, type Random } from './random.ts';

const hasGcc = spawnSync('gcc', ['--version']).status === 0;
const ROOT = '/disk';
const DISKS = 200;
/** Everything that was not synced is kept, in one piece. */
const KEEP_ALL: Random = {
  ...createRandom(1),
  pick: (items) => items.find((item) => item === 1) ?? items[0],
  chance: (likelihood) => likelihood === 1,
};

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-power-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const create = (path: string, inode = 1n): PowerRecord => ({ kind: 'create', inode, path: `${ROOT}/${path}` });
const write = (text: string, offset = 0, inode = 1n): PowerRecord => ({ kind: 'write', inode, offset, bytes: Buffer.from(text) });
const sync = (inode = 1n): PowerRecord => ({ kind: 'sync', inode });
const syncNames = (path = ROOT): PowerRecord => ({ kind: 'sync directory', path });

function imageOf(records: readonly PowerRecord[], random: Random, honoured: Honoured = 'all'): Readonly<Record<string, string>> {
  const disk = emptyDisk();
  for (const record of records) replay(disk, record, random, honoured);
  const target = join(directory, 'image');
  writeImage(disk, ROOT, target, random);
  return contentsOf(target);
}

function contentsOf(root: string): Readonly<Record<string, string>> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.name.endsWith('-shm'),
  );
  return Object.fromEntries(
    files.map(({ parentPath, name }) => [join(parentPath, name).slice(root.length + 1), readFileSync(join(parentPath, name), 'latin1')]),
  );
}

/** The different disks that come of some hundred losses of power. */
function disksOf(records: readonly PowerRecord[], honoured: Honoured = 'all'): ReadonlySet<string> {
  return new Set(Array.from({ length: DISKS }, (_, seed) => JSON.stringify(imageOf(records, createRandom(seed), honoured))));
}

describe('what was synced', () => {
  test('is on every disk, name and bytes', () => {
    expect(disksOf([create('a'), write('one'), sync(), syncNames()])).toEqual(new Set(['{"a":"one"}']));
  });

  test('is not safe by its bytes alone, nor by its name alone', () => {
    expect(disksOf([create('a'), write('one'), sync()])).toEqual(new Set(['{}', '{"a":"one"}']));
    expect(disksOf([create('a'), write('one'), syncNames()])).toEqual(new Set(['{"a":""}', '{"a":"one"}']));
  });

  test('may be lost where syncs are not honoured', () => {
    const records = [create('a'), write('one'), sync(), syncNames()];
    expect(disksOf(records, 'no files')).toEqual(new Set(['{"a":""}', '{"a":"one"}']));
    expect(disksOf(records, 'no names')).toEqual(new Set(['{}', '{"a":"one"}']));
  });
});

describe('what was not synced', () => {
  const safe = [create('a'), write('old'), sync(), syncNames()];

  test('is there or not, each write by itself', () => {
    const disks = disksOf([...safe, write('N'), write('W', 2)]);
    expect(disks).toEqual(new Set(['old', 'Nld', 'olW', 'NlW'].map((text) => JSON.stringify({ a: text }))));
  });

  test('tears at sectors, and nothing else of the file changes', () => {
    const disks = disksOf([...safe, write('x'.repeat(1_000), 100)]);
    const texts = [...disks].map((disk) => (JSON.parse(disk) as { a: string }).a);
    expect(texts.some((text) => text.length === 1_100 && text.charCodeAt(100) === 0 && text.charCodeAt(600) !== 0)).toBe(true);
    expect(texts.every((text) => text.startsWith('old'))).toBe(true);
    // From byte 100 to 512 and on to 1,024 each sector is there, or it is not: then it is zeros, or the file ends before.
    const boundary = (text: string): boolean => /^(?:x*|\0*)$/.test(text.slice(100, 512)) && /^(?:x*|\0*)$/.test(text.slice(512, 1_024));
    expect(texts.every(boundary)).toBe(true);
  });

  test('a file that was cut may be as long as before', () => {
    expect(disksOf([...safe, { kind: 'truncate', inode: 1n, length: 1 }])).toEqual(new Set(['{"a":"o"}', '{"a":"old"}']));
  });

  test('a rename is done or not, and never half', () => {
    const rename: PowerRecord = { kind: 'rename', inode: 1n, from: `${ROOT}/a`, to: `${ROOT}/b` };
    expect(disksOf([...safe, rename])).toEqual(new Set(['{"a":"old"}', '{"b":"old"}']));
    expect(disksOf([...safe, rename, syncNames()])).toEqual(new Set(['{"b":"old"}']));
  });

  test('a page that a failed sync forgot is brought to disk by no later sync, only by another write to it', () => {
    const failed: PowerRecord = { kind: 'failed sync', inode: 1n };
    expect(disksOf([...safe, write('NEW'), failed, sync()])).toEqual(new Set(['{"a":"old"}', '{"a":"NEW"}']));
    expect(disksOf([...safe, write('N'), failed, write('W', 2), sync()])).toEqual(new Set(['{"a":"NlW"}']));
  });

  test('what was removed may come back', () => {
    expect(disksOf([...safe, { kind: 'unlink', path: `${ROOT}/a` }])).toEqual(new Set(['{}', '{"a":"old"}']));
  });

  test('a directory whose name was lost takes its files along', () => {
    const made: PowerRecord = { kind: 'make directory', path: `${ROOT}/keys` };
    const within = [create('keys/a'), write('one'), sync(), syncNames(`${ROOT}/keys`)];
    expect(disksOf([made, ...within])).toEqual(new Set(['{}', '{"keys/a":"one"}']));
    expect(disksOf([made, syncNames(), ...within])).toEqual(new Set(['{"keys/a":"one"}']));
  });
});

describe('the log', () => {
  test('of a change that is not followed is refused, and one that is torn', () => {
    const unknown = Buffer.alloc(24 + 4);
    unknown.writeUInt32LE(12, 0);
    unknown.writeUInt32LE(4, 4);
    unknown.write('mmap', 24);
    expect(() => parsePowerLog(unknown)).toThrow('not followed: mmap');
    expect(() => parsePowerLog(unknown.subarray(0, 26))).toThrow('ends within a record');
  });

  test.skipIf(!hasGcc)('says all that a program does: replayed whole it gives the same files [gcc]', async () => {
    const root = join(directory, 'root');
    mkdirSync(root);
    const cleanup = createCleanup();
    try {
      const log = buildPowerRecorder(cleanup).begin(root, join(directory, 'power.log'));
      const program = `import fs from 'node:fs'; import { DatabaseSync } from 'node:sqlite'; import { join } from 'node:path';
        const at = (name) => join(${JSON.stringify(root)}, name);
        fs.mkdirSync(at('d')); fs.writeFileSync(at('d/a'), 'one'); fs.appendFileSync(at('d/a'), ' two'); fs.renameSync(at('d/a'), at('b'));
        const file = fs.openSync(at('c'), 'w+'); fs.writevSync(file, [Buffer.from('abc'), Buffer.from('defg')]); fs.ftruncateSync(file, 5);
        fs.writeSync(file, 'Z', 9); fs.fsyncSync(file); await fs.promises.writeFile(at('e'), 'x'.repeat(100000)); fs.unlinkSync(at('e'));
        fs.linkSync(at('b'), at('f')); fs.rmSync(at('d'), { recursive: true });
        const db = new DatabaseSync(at('db')); db.exec('PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=5; CREATE TABLE t (x)');
        for (let i = 0; i < 30; i++) db.prepare('INSERT INTO t VALUES (?)').run('y'.repeat(3000)); process.kill(process.pid, 'SIGKILL');`;
      const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
        env: { ...process.env, ...log.environment },
        encoding: 'utf8',
      });
      const records = log.read();
      const disk = emptyDisk();
      for (const record of records) replay(disk, record, KEEP_ALL);
      writeImage(disk, root, join(directory, 'image'), KEEP_ALL);
      expect(stderr.replaceAll(/.*ExperimentalWarning.*\n|\(Use `node .*\n/g, '')).toBe('');
      expect(contentsOf(join(directory, 'image'))).toEqual(contentsOf(root));
      expect(Object.keys(contentsOf(root)).toSorted()).toEqual(['b', 'c', 'db', 'db-wal', 'f']);
      expect(existsSync(join(directory, 'image', 'd'))).toBe(false);
      writeImage(diskOf(root), root, join(directory, 'again'), createRandom(1));
      expect(contentsOf(join(directory, 'again'))).toEqual(contentsOf(root));
    } finally {
      await cleanup.unwind();
    }
  });
});
