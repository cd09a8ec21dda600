import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutableFile } from '@sentineld/model/process';
import type { HashResult } from '@sentineld/store/events/executable-table';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createExecutableHashing, hashFile } from './executable-hashing.ts';
import { gatherCrew } from './sources/fixtures/crew.fixture.ts';
import { createLinuxProcSource } from './sources/linux-proc.ts';

const LIMIT = 100_000_000;
const buffer = Buffer.alloc(4096);
const never = (): boolean => false;

let directory = '';
let path = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-hashing-'));
  path = join(directory, 'file');
});
afterEach(() => rmSync(directory, { recursive: true }));

function fileAt(at: string): ExecutableFile {
  const status = statSync(at, { bigint: true });
  return {
    path: at,
    dev: String(status.dev),
    inode: String(status.ino),
    sizeBytes: Number(status.size),
    mtimeNs: String(status.mtimeNs),
    ctimeNs: String(status.ctimeNs),
  };
}

function make(content: Uint8Array | string, at = path): ExecutableFile {
  writeFileSync(at, content);
  return fileAt(at);
}

const sha256 = (content: Uint8Array | string): HashResult => ({ sha256: createHash('sha256').update(content).digest('hex') });
const descriptors = (): number => readdirSync('/proc/self/fd').length;

describe('hashFile', () => {
  it.each([0, 1, 4095, 4096, 4097, 100_000])('is SHA-256 of a content of %d bytes', async (length) => {
    const content = randomBytes(length);
    const before = descriptors();
    expect(await hashFile(path, make(content), LIMIT, buffer, never)).toEqual(sha256(content));
    expect(descriptors()).toBe(before);
  });

  it('lets other work run between chunks', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const counting = (): void => {
      turns++;
      if (turns < 1000) setImmediate(counting);
    };
    setImmediate(counting);
    await hashFile(path, make(randomBytes(4096 * 50)), LIMIT, buffer, never);
    clearInterval(timer);
    expect(turns).toBeGreaterThanOrEqual(50);
    turns = 1000;
  });

  it('gives nothing for a file that was replaced, written, touched or removed', async () => {
    const file = make('original');
    rmSync(path);
    expect(await hashFile(path, file, LIMIT, buffer, never)).toBeNull();
    make('another file of this name');
    expect(await hashFile(path, file, LIMIT, buffer, never)).toBeNull();
    const written = make('12345678');
    make('87654321');
    utimesSync(path, 1, 1);
    expect(await hashFile(path, written, LIMIT, buffer, never)).toBeNull();
    expect(await hashFile(path, { ...fileAt(path), dev: '0' }, LIMIT, buffer, never)).toBeNull();
    expect(await hashFile(path, { ...fileAt(path), sizeBytes: 9 }, LIMIT, buffer, never)).toBeNull();
  });

  it('gives nothing for one that grows while it is read, and does not follow it for ever', async () => {
    const file = make(randomBytes(4096 * 4));
    let looks = 0;
    const grow = (): boolean => {
      appendFileSync(path, randomBytes(4096));
      return ++looks > 1000;
    };
    expect(await hashFile(path, file, LIMIT, buffer, grow)).toBeNull();
    expect(looks).toBeLessThan(10);
  });

  it('stops in the middle', async () => {
    const file = make(randomBytes(4096 * 50));
    let looks = 0;
    const before = descriptors();
    expect(await hashFile(path, file, LIMIT, buffer, () => ++looks === 5)).toBeNull();
    expect(looks).toBe(5);
    expect(descriptors()).toBe(before);
  });

  it('says why there is none', async () => {
    const file = make('12345');
    expect(await hashFile(path, file, 4, buffer, never)).toEqual({ error: 'larger than 4 bytes' });
    expect(await hashFile(path, file, 5, buffer, never)).toEqual(sha256('12345'));
    mkdirSync(join(directory, 'd'));
    expect(await hashFile(join(directory, 'd'), fileAt(join(directory, 'd')), LIMIT, buffer, never)).toEqual({
      error: 'not an ordinary file',
    });
    const device = await hashFile('/dev/zero', fileAt('/dev/zero'), LIMIT, buffer, never);
    expect(device).toEqual({ error: 'not an ordinary file' });
  });

  it.skipIf(process.getuid?.() === 0)('says that it may not be read (needs an unprivileged user)', async () => {
    const file = make('secret');
    chmodSync(path, 0o000);
    expect(await hashFile(path, file, LIMIT, buffer, never)).toEqual({ error: 'EACCES' });
  });

  it('reads a deleted file through a process that runs it', async () => {
    const crew = gatherCrew();
    const source = createLinuxProcSource({ openFileLimit: 1024, argvLimitBytes: 4096 });
    try {
      const program = crew.copyOfSleep('gone');
      const { pid } = crew.start(program, ['1000']);
      const look = () => source.scan().processes.find((process) => process.pid === pid)?.image;
      await expect.poll(() => look()?.exe?.path).toBe(program);
      rmSync(program);
      const image = look();
      expect(image?.exeDeleted).toBe(true);
      const exe = image?.exe ?? fileAt('/dev/null');
      const through = source.openPathOf(exe) ?? '';
      expect(await hashFile(through, exe, LIMIT, buffer, never)).toEqual(sha256(readFileSync('/bin/sleep')));
    } finally {
      source.close();
      await crew.close();
    }
  });
});

describe('createExecutableHashing', () => {
  type Table = {
    readonly pending: { readonly id: number; readonly file: ExecutableFile }[];
    readonly recorded: [number, HashResult][];
    asked: number;
  };

  function hashingOf(files: readonly ExecutableFile[], openPathOf: (file: ExecutableFile) => string | null = ({ path: at }) => at) {
    const table: Table = { pending: files.map((file, index) => ({ id: index + 1, file })), recorded: [], asked: 0 };
    const errors: unknown[] = [];
    const idle: (() => void)[] = [];
    const hashing = createExecutableHashing({
      executables: {
        pending: () => {
          table.asked++;
          return table.pending.filter(({ id }) => !table.recorded.some(([done]) => done === id));
        },
        recordHash: (id, result) => {
          table.recorded.push([id, result]);
          if (table.recorded.length === files.length) for (const resolve of idle.splice(0)) resolve();
        },
      },
      openPathOf,
      fileLimitBytes: LIMIT,
      onError: (cause) => errors.push(cause),
    });
    return { table, errors, hashing };
  }

  it('hashes all that is pending, once, and more when it is woken again', async () => {
    const files = ['a', 'b', 'c'].map((name) => make(name, join(directory, name)));
    const { table, hashing } = hashingOf(files);
    hashing.wake();
    hashing.wake();
    await expect.poll(() => table.recorded.length).toBe(3);
    expect(table.recorded).toEqual(files.map((_file, index) => [index + 1, sha256(['a', 'b', 'c'][index] ?? '')]));
    expect(table.asked).toBe(1);
    table.pending.push({ id: 4, file: make('d', join(directory, 'd')) });
    await expect
      .poll(() => {
        hashing.wake();
        return table.recorded.length;
      })
      .toBe(4);
    expect(table.recorded.map(([id]) => id)).toEqual([1, 2, 3, 4]);
  });

  it('leaves pending what nobody runs any more or was replaced, and records what cannot be read', async () => {
    const files = ['gone', 'replaced', 'large', 'fine'].map((name) => make(name, join(directory, name)));
    rmSync(join(directory, 'replaced'));
    make('another', join(directory, 'replaced'));
    const { table, hashing } = hashingOf(
      files.map((file) => (file.path.endsWith('large') ? fileAt('/dev/zero') : file)),
      (file) => (file.path.endsWith('gone') ? null : file.path),
    );
    hashing.wake();
    await expect.poll(() => table.recorded.length).toBe(2);
    expect(table.recorded).toEqual([
      [3, { error: 'not an ordinary file' }],
      [4, sha256('fine')],
    ]);
  });

  it('records nothing after it was stopped, and does not start again', async () => {
    const file = make(randomBytes(262_144 * 20));
    const { table, hashing } = hashingOf([file]);
    hashing.wake();
    hashing.stop();
    const later = hashingOf([file]);
    later.hashing.wake();
    await expect.poll(() => later.table.recorded.length).toBe(1);
    hashing.wake();
    expect(table.recorded).toEqual([]);
    expect(table.asked).toBe(1);
  });

  it('tells what goes wrong, and works on when it is woken again', async () => {
    const file = make('x');
    let broken = true;
    const { table, errors, hashing } = hashingOf([file], ({ path: at }) => {
      if (broken) throw new Error('database is locked');
      return at;
    });
    hashing.wake();
    await expect.poll(() => errors).toEqual([new Error('database is locked')]);
    broken = false;
    await expect
      .poll(() => {
        hashing.wake();
        return table.recorded;
      })
      .toEqual([[1, sha256('x')]]);
  });
});
