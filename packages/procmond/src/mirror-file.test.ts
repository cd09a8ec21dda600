import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noticeOf } from './fixtures/checkpoints.fixture.ts';
import { appendToMirror, readMirror } from './mirror-file.ts';

let directory = '';
let path = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-mirror-'));
  path = join(directory, 'mirror');
});
afterEach(() => rmSync(directory, { recursive: true }));

const note = (epoch: number): string => noticeOf(epoch, epoch * 10).note;
const lineOf = (seen: number, epoch: number): string => `${JSON.stringify({ seen, note: note(epoch) })}\n`;
const sizesIn = (file = path): number[] => readMirror(file).map(({ checkpoint }) => checkpoint.treeSize);

describe('a mirror', () => {
  it('gets one JSON line for each checkpoint, readable for the group', () => {
    expect([appendToMirror(path, 5, note(1)), appendToMirror(path, 6, note(2))]).toEqual([{ ok: true }, { ok: true }]);
    expect(readFileSync(path, 'utf8')).toBe(lineOf(5, 1) + lineOf(6, 2));
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(readMirror(path)).toMatchObject([
      { seenMs: 5, checkpoint: { treeSize: 10, epoch: 1, note: note(1) } },
      { seenMs: 6, checkpoint: { treeSize: 20, epoch: 2 } },
    ]);
  });

  it('that would grow too large is renamed and begun anew, and what was renamed before goes', () => {
    const maxBytes = Buffer.byteLength(lineOf(5, 1) + lineOf(5, 2));
    for (const epoch of [1, 2, 3, 4, 5]) expect(appendToMirror(path, 5, note(epoch), maxBytes)).toEqual({ ok: true });
    expect([sizesIn(), sizesIn(`${path}.1`)]).toEqual([[50], [30, 40]]);
    // One that was begun anew and not written to yet shows what the one before ends with.
    writeFileSync(path, '');
    expect(sizesIn()).toEqual([30, 40]);
  });

  it('that cannot be renamed takes nothing more', () => {
    mkdirSync(`${path}.1`);
    const maxBytes = Buffer.byteLength(lineOf(5, 1));
    expect(appendToMirror(path, 5, note(1), maxBytes)).toEqual({ ok: true });
    expect(appendToMirror(path, 5, note(2), maxBytes)).toMatchObject({ ok: false, errno: 'EISDIR' });
    expect(sizesIn()).toEqual([10]);
  });

  it('whose last line was cut off by a power loss goes on with a line of its own', () => {
    for (const rest of ['{"se', lineOf(5, 1).slice(0, 100)]) {
      writeFileSync(path, rest);
      expect(appendToMirror(path, 6, note(2))).toEqual({ ok: true });
      expect(sizesIn()).toEqual([20]);
      expect(appendToMirror(path, 6, note(3))).toEqual({ ok: true });
      expect(sizesIn()).toEqual([20, 30]);
    }
  });

  it('is left alone where it is something else', () => {
    writeFileSync(path, 'SQLite format 3\0');
    expect(appendToMirror(path, 5, note(1))).toEqual({ ok: false, errno: 'ENOTSUP', why: 'it holds something else than checkpoints' });
    expect(readFileSync(path, 'latin1')).toBe('SQLite format 3\0');
  });

  it.each<[string, (at: string) => void, string]>([
    ['a symbolic link', (at) => symlinkSync(join(directory, 'victim'), at), 'ELOOP'],
    ['a directory', (at) => mkdirSync(at), 'EISDIR'],
    ['a pipe without a reader', (at) => void spawnSync('mkfifo', [at]), 'ENOTSUP'],
  ])('is not written where its path is %s', (_what, make, errno) => {
    writeFileSync(join(directory, 'victim'), '');
    make(path);
    expect(appendToMirror(path, 5, note(1))).toMatchObject({ ok: false, errno, why: expect.stringMatching(/./) });
    expect([readFileSync(join(directory, 'victim'), 'utf8'), readMirror(path)]).toEqual(['', []]);
  });

  it('is not made where its directory is missing', () => {
    expect(appendToMirror(join(directory, 'none', 'mirror'), 5, note(1))).toMatchObject({ ok: false, errno: 'ENOENT' });
  });

  it('on a full disk has no half of a line', () => {
    const long = note(1).repeat(3);
    const program = `
      import { appendToMirror } from '${join(import.meta.dirname, 'mirror-file.ts')}';
      const [note, path] = [${JSON.stringify(long)}, '${path}'];
      process.stderr.write(JSON.stringify([appendToMirror(path, 5, note), appendToMirror(path, 6, note)]));`;
    const node = [process.execPath, '--conditions=sentineld-source', '--input-type=module-typescript', '-e', program];
    const line = `${JSON.stringify({ seen: 5, note: long })}\n`;
    // A process whose files may grow to one line and a half: a disk that is full, without one.
    const blocks = Math.ceil((line.length * 1.5) / 512);
    const ended = spawnSync('/bin/sh', ['-c', `ulimit -f ${blocks}; exec "$@"`, 'sh', ...node], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
    });
    expect(JSON.parse(ended.stderr)).toEqual([{ ok: true }, { ok: false, errno: 'ENOSPC', why: 'the disk is full' }]);
    expect(readFileSync(path, 'utf8')).toBe(line);
  });
});

describe('what is read of a mirror', () => {
  it('is its end, without what is no checkpoint', () => {
    writeFileSync(path, lineOf(1, 1).repeat(500));
    appendFileSync(
      path,
      `[]\nnull\n{"seen":"x","note":"y"}\n{"seen":3}\n{"seen":1.5,"note":""}\n{"seen":4,"note":"no note"}\n${lineOf(9, 2)}{"seen":5`,
    );
    const found = readMirror(path);
    expect(found.length * lineOf(1, 1).length).toBeLessThanOrEqual(64 * 1024);
    expect(found.length).toBeGreaterThan(100);
    expect(found.at(-1)).toMatchObject({ seenMs: 9, checkpoint: { treeSize: 20 } });
  });

  it('is nothing where there is no file', () => {
    expect(readMirror(path)).toEqual([]);
  });
});
