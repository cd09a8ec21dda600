import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutableFile } from '@sentineld/model/process';
import { NO_EVENTS } from '@sentineld/model/process-event';
import { loadNative } from '@sentineld/native/addon';
import type { HashResult } from '@sentineld/store/events/executable-table';
import { openEventsWriter, type EventsWriter } from '@sentineld/store/events/writer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createExecutableHashing, type ExecutableHashing, type HashingOptions } from './executable-hashing.ts';
import { gatherCrew } from './sources/fixtures/crew.fixture.ts';
import { createTestSource } from './sources/fixtures/test-source.fixture.ts';
import type { HashEngine, HashJob, StartHashEngine } from './hash-worker/hash-file.ts';
import { startHashWorker } from './hash-worker/thread.ts';

const LIMIT = 100_000_000;
const UNLIMITED = 17_179_869_184;
const addon = loadNative();
if (!addon.available) console.log(`executable-hashing.test.ts: ${addon.reason}: only a Worker hashes`);
/** What `native` is, and how many threads named hash-worker are at work then. */
const engines: [string, HashingOptions['native'], number][] = [['a Worker', null, 1]];
if (addon.available) engines.push(['a thread of the pool', addon.native, 0]);

let directory = '';
const running: ExecutableHashing[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-hashing-'));
});
afterEach(async () => {
  for (const hashing of running.splice(0)) hashing.stop();
  await expect.poll(threads).toBe(0);
  rmSync(directory, { recursive: true });
});

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

function make(name: string, content: Uint8Array | string = name): ExecutableFile {
  const path = join(directory, name);
  writeFileSync(path, content);
  return fileAt(path);
}

const sha256 = (content: Uint8Array | string): HashResult => ({ sha256: createHash('sha256').update(content).digest('hex') });

/** How many threads of this process hash: Node gives them the name of their worker. */
function threads(): number {
  const names = readdirSync('/proc/self/task').map((tid) => {
    try {
      return readFileSync(`/proc/self/task/${tid}/comm`, 'latin1');
    } catch {
      // It ended while they were listed.
      return '';
    }
  });
  return names.filter((name) => name === 'hash-worker\n').length;
}

/** Whether a file of the directory is open: whoever hashes is at it. */
function isOpen(name: string): boolean {
  return readdirSync('/proc/self/fd').some((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`) === join(directory, name);
    } catch {
      // It was closed while they were listed.
      return false;
    }
  });
}

/** A table of files that are pending until they are recorded, and what became of them. */
function hashingOf(files: readonly ExecutableFile[], changes: Partial<HashingOptions> = {}) {
  const pending = files.map((file, index) => ({ id: index + 1, file }));
  const recorded: [number, HashResult][] = [];
  const errors: unknown[] = [];
  const asked: string[] = [];
  const hashing = createExecutableHashing({
    executables: {
      pending: () => pending.filter(({ id }) => !recorded.some(([done]) => done === id)),
      recordHash: (id, result) => void recorded.push([id, result]),
    },
    openPathOf: ({ path }) => {
      asked.push(path);
      return path;
    },
    fileLimitBytes: LIMIT,
    bytesPerSecond: UNLIMITED,
    onError: (cause) => errors.push(cause),
    native: null,
    ...changes,
  });
  running.push(hashing);
  /** Wakes it again and again until so many are recorded. */
  const until = async (count: number): Promise<void> => {
    await expect
      .poll(() => {
        hashing.wake();
        return recorded.length;
      })
      .toBe(count);
  };
  return { pending, recorded, errors, asked, hashing, until };
}

/** A thread of the test's making: it answers what it is told to. */
function fakeThread(answer: (path: string) => Promise<Awaited<ReturnType<HashEngine['hash']>>>) {
  const counts = { started: 0, closed: 0 };
  const startEngine: StartHashEngine = () => {
    counts.started++;
    return { hash: ({ path }) => answer(path), close: () => void counts.closed++ };
  };
  return { counts, startEngine };
}

describe.each(engines)('what is pending, with %s', (_name, native, workers) => {
  it('is hashed once, by one thread at most of its own, and more of it when it is woken again', async () => {
    const { pending, recorded, asked, hashing, errors, until } = hashingOf([make('a'), make('b'), make('c')], { native });
    hashing.wake();
    hashing.wake();
    await expect
      .poll(() => recorded)
      .toEqual([
        [1, sha256('a')],
        [2, sha256('b')],
        [3, sha256('c')],
      ]);
    expect(asked).toHaveLength(3);
    expect(threads()).toBe(workers);
    pending.push({ id: 4, file: make('d') });
    await until(4);
    expect([recorded[3], hashing.bytesRead(), errors]).toEqual([[4, sha256('d')], 4, []]);
  });

  it('is hashed while this thread does something else', async () => {
    const content = randomBytes(20_000_000);
    const { recorded, hashing } = hashingOf([make('large', content)], { native });
    let turns = 0;
    hashing.wake();
    await expect
      .poll(
        () => {
          turns++;
          return recorded.length;
        },
        { interval: 1 },
      )
      .toBe(1);
    expect(turns).toBeGreaterThan(1);
    expect(recorded).toEqual([[1, sha256(content)]]);
  });

  it('stays so where nobody runs it any more or it was replaced; what cannot be read is recorded', async () => {
    const files = ['gone', 'replaced', 'vanished', 'device', 'larger', 'fine'].map((name) => make(name));
    rmSync(join(directory, 'replaced'));
    make('replaced', 'another');
    rmSync(join(directory, 'vanished'));
    const { recorded, until, hashing } = hashingOf(
      files.map((file) => (file.path.endsWith('device') ? fileAt('/dev/zero') : file)),
      { native, openPathOf: (file) => (file.path.endsWith('gone') ? null : file.path), fileLimitBytes: 4 },
    );
    hashing.wake();
    await until(3);
    expect(recorded).toEqual([
      [4, { error: 'not an ordinary file' }],
      [5, { error: 'larger than 4 bytes' }],
      [6, sha256('fine')],
    ]);
    expect(hashing.bytesRead()).toBe(4);
  });

  it('is tried less and less often where it is not what was seen', async () => {
    const tried: string[] = [];
    const { startEngine } = fakeThread(async (path) => {
      tried.push(path);
      return { result: null, bytesRead: 0 };
    });
    const { hashing } = hashingOf([make('changed')], { startEngine });
    for (let wake = 0; wake < 100; wake++) {
      hashing.wake();
      await new Promise((resolve) => setImmediate(resolve));
    }
    // At wakes 1, 3, 6, 11, 20, 37 and 70.
    expect(tried).toHaveLength(7);
  });

  it('is read no faster than it may', async () => {
    // Each piece takes 4 s at this rate.
    const content = randomBytes(4 * 262_144);
    const { recorded, hashing } = hashingOf([make('slow', content), make('next')], { native, bytesPerSecond: 65_536 });
    hashing.wake();
    await expect.poll(() => isOpen('slow')).toBe(true);
    expect([recorded, hashing.bytesRead()]).toEqual([[], 0]);
    hashing.stop();
    await expect.poll(() => isOpen('slow')).toBe(false);
  });

  it('is not read while hashing is paused, and what was interrupted is hashed afterwards', async () => {
    const content = randomBytes(2_000_000);
    const { recorded, hashing, asked } = hashingOf([make('slow', content)], { native, bytesPerSecond: 1_000_000 });
    hashing.wake();
    await expect.poll(() => isOpen('slow')).toBe(true);
    hashing.pause(true);
    await expect.poll(() => isOpen('slow')).toBe(false);
    await expect.poll(threads).toBe(0);
    hashing.wake();
    expect([recorded, asked.length, threads()]).toEqual([[], 1, 0]);
    // Until what was interrupted has said so, it is not begun again.
    await expect
      .poll(() => {
        hashing.pause(true);
        hashing.pause(false);
        return asked.length;
      })
      .toBeGreaterThan(1);
    await expect.poll(() => recorded).toEqual([[1, sha256(content)]]);
  });

  it('is not recorded after it was stopped, nor begun again', async () => {
    const { recorded, hashing, asked } = hashingOf([make('slow', randomBytes(2_000_000))], { native, bytesPerSecond: 65_536 });
    hashing.wake();
    await expect.poll(() => isOpen('slow')).toBe(true);
    hashing.stop();
    await expect.poll(() => isOpen('slow')).toBe(false);
    await expect.poll(threads).toBe(0);
    hashing.wake();
    hashing.pause(true);
    hashing.pause(false);
    expect([recorded, asked.length, threads()]).toEqual([[], 1, 0]);
  });
});

describe('a Worker', () => {
  it('ends when there was nothing to do for a while, and is there again when there is', async () => {
    const { pending, recorded, hashing } = hashingOf([make('a')], { idleMs: 10 });
    hashing.wake();
    await expect.poll(() => recorded.length).toBe(1);
    await expect.poll(threads).toBe(0);
    pending.push({ id: 2, file: make('b') });
    hashing.wake();
    await expect.poll(() => recorded.length).toBe(2);
  });

  it('is started again at the next wake after it died, which is told once', async () => {
    let started = 0;
    const startEngine: StartHashEngine = (settings) => {
      const isFirst = ++started === 1;
      const thread = startHashWorker(settings);
      // What no caller sends: the thread cannot even look at it.
      return isFirst ? { ...thread, hash: () => thread.hash(null as unknown as HashJob) } : thread;
    };
    const { errors, until, recorded } = hashingOf([make('x')], { startEngine });
    await until(1);
    expect(recorded).toEqual([[1, sha256('x')]]);
    expect(errors).toEqual([expect.objectContaining({ code: 'internal.bug', message: expect.stringContaining('the thread that hashes') })]);
    expect(started).toBe(2);
  });

  it('tells once, however often it dies, and gives up the file that it dies on', async () => {
    const { counts, startEngine } = fakeThread(async (path) => {
      if (path.endsWith('poison')) throw new Error('out of memory');
      return { result: { sha256: 'ab' }, bytesRead: 1 };
    });
    const { errors, recorded, until } = hashingOf([make('poison'), make('fine')], { startEngine });
    await until(2);
    expect(recorded).toEqual([
      [1, { error: 'the thread that hashes ended on it' }],
      [2, { sha256: 'ab' }],
    ]);
    expect(errors).toEqual([new Error('out of memory')]);
    expect(counts.started).toBe(3);
  });

  it('works on after an error of the store', async () => {
    let broken = true;
    const { errors, until, recorded } = hashingOf([make('x')], {
      openPathOf: ({ path }) => {
        if (broken) throw new Error('database is locked');
        return path;
      },
    });
    await expect
      .poll(() => {
        running.at(-1)?.wake();
        return errors;
      })
      .toEqual([new Error('database is locked')]);
    broken = false;
    await until(1);
    expect(recorded).toEqual([[1, sha256('x')]]);
  });
});

describe.each(engines)('with a real source and a real store, and %s', (_name, native) => {
  it('hashes what runs, deleted or not, and nothing again after a restart', async () => {
    const crew = gatherCrew();
    const path = join(directory, 'events.db');
    const run = { startTimeMs: 1, bootId: 'boot', hostname: 'h', osName: 'o', osVersion: '1', collectorVersion: '0', configHash: 'c' };
    const programs = ['kept', 'deleted'].map((name) => crew.copyOfSleep(name));
    const own = new Set(programs.map((program) => crew.start(program, ['1000']).pid));
    rmSync(programs[1] ?? '');
    /** Scans, stores, hashes until nothing is pending, and gives the bytes that were read. */
    const work = async (): Promise<number> => {
      const source = createTestSource({ openFileLimit: 1024, argvLimitBytes: 4096 });
      const events: EventsWriter = openEventsWriter(path, run);
      const store = (): void => {
        const scan = source.scan();
        events.recordScan({ ...scan, processes: scan.processes.filter(({ pid }) => own.has(pid)) }, 'scan', 'poll', NO_EVENTS);
      };
      store();
      const { hashing } = hashingOf([], { executables: events.executables, openPathOf: source.openPathOf, native });
      await expect
        .poll(() => {
          hashing.wake();
          return events.executables.counts();
        })
        .toEqual({ pending: 0, unreadable: 0 });
      hashing.stop();
      events.stop();
      source.close();
      return hashing.bytesRead();
    };
    try {
      const size = statSync(programs[0] ?? '').size;
      expect(await work()).toBe(2 * size);
      expect(await work()).toBe(0);
    } finally {
      await crew.close();
    }
  });
});
