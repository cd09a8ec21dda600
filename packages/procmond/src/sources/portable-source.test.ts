import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRedactor } from '@sentineld/model/redact';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPortableSource, type PortableOptions, type PortableSource } from './portable-source.ts';
import type { Listing, PortableRow } from './portable-row.ts';

const BOOT = 1_700_000_000_000;
const row = (changes: Partial<PortableRow> = {}): PortableRow => ({
  pid: 10,
  ppid: 1,
  name: 'app',
  path: null,
  command: 'app --port 1',
  user: 'bob',
  userId: 501,
  startedMs: BOOT + 5000,
  cpuPercent: 1.5,
  memoryBytes: 4096,
  state: 'sleeping',
  isKernel: false,
  ...changes,
});
const first = row({ pid: 1, ppid: 0, name: 'launchd', startedMs: BOOT });
let lacks: readonly string[] = [];
const listing = (rows: readonly PortableRow[]): Listing => ({ rows, lacks });

let next: () => Promise<Listing> = () => Promise.resolve(listing([]));
const rows = (...list: PortableRow[]): void => {
  next = () => Promise.resolve(listing([first, ...list]));
};
let nowMs = BOOT + 60_000;
const sourceOf = (changes: Partial<PortableOptions> = {}): PortableSource =>
  createPortableSource({
    name: 'test',
    firstPid: 1,
    list: () => next(),
    split: (command) => command.split(' '),
    redact: createRedactor({ enabled: true, names: [], patterns: [] }),
    commandLimit: 1000,
    now: () => nowMs,
    ...changes,
  });

beforeEach(() => {
  lacks = [];
  nowMs = BOOT + 60_000;
});

describe('a scan of a listing', () => {
  it('has what the rows tell, and null for what they do not', async () => {
    rows(row());
    const source = sourceOf();
    await source.prepare();
    const scan = source.scan();
    expect(scan).toMatchObject({ bootId: `test-${BOOT}`, startTimeMs: nowMs, endTimeMs: nowMs });
    expect(scan.processes[1]).toEqual({
      pid: 10,
      startTicks: 5000,
      cpuPercent: 1.5,
      memoryBytes: 4096,
      threads: null,
      status: 'sleeping',
      image: {
        ppid: 1,
        name: 'app',
        exe: null,
        exeDeleted: false,
        argv: ['app', '--port', '1'],
        redacted: 0,
        startTimeMs: BOOT + 5000,
        userId: 501,
        userName: 'bob',
        groupId: null,
        realUserId: null,
        realGroupId: null,
        loginUserId: null,
        sessionId: 0,
        ttyNumber: 0,
        cwd: null,
        controlGroup: null,
        namespaces: null,
        isKernelThread: false,
        unseen: [{ field: 'exe', reason: 'not listed' }],
      },
    });
    expect(source.lookUp(10)).toBe(scan.processes[1]);
    expect([source.lookUp(11), source.notes()]).toEqual([null, []]);
  });

  it('takes secrets out of the arguments', async () => {
    rows(row({ command: 'app --password hunter2 x' }));
    const source = sourceOf();
    await source.prepare();
    expect(source.scan().processes[1]?.image).toMatchObject({ argv: ['app', '--password', '[redacted]', 'x'], redacted: 1 });
  });

  it('names what is withheld and counts it', async () => {
    rows(
      row({ pid: 11, command: null, user: null, userId: null, memoryBytes: null, cpuPercent: null }),
      row({ pid: 12, command: 'x'.repeat(1001), startedMs: null }),
      row({ pid: 13, state: 'zombie', command: '(app)' }),
      row({ pid: 14, isKernel: true, command: null, path: '/k' }),
      row({ pid: Number.NaN }),
      row({ pid: 15, ppid: -1 }),
      row({ pid: 1.5 }),
    );
    lacks = ['owners are guessed'];
    const source = sourceOf();
    await source.prepare();
    const { processes, coverage } = source.scan();
    expect(processes.map(({ pid, image, memoryBytes, cpuPercent }) => [pid, image.argv?.length ?? null, memoryBytes, cpuPercent])).toEqual([
      [1, 3, 4096, 1.5],
      [11, null, 0, null],
      [12, 1, 4096, 1.5],
      [13, 0, 4096, 1.5],
      [14, 0, 4096, 1.5],
    ]);
    expect(processes[2]).toMatchObject({ startTicks: 0, image: { startTimeMs: BOOT } });
    expect(processes[1]?.image.unseen.map(({ field }) => field)).toEqual(['exe', 'argv', 'owner']);
    expect(processes.slice(3).map(({ image }) => image.unseen)).toEqual([[], []]);
    expect(coverage).toMatchObject({
      seen: 5,
      accessible: 2,
      exeUnreadable: 3,
      argvUnreadable: 1,
      argvTruncated: 1,
      errors: 3,
      vanished: 0,
    });
    expect(coverage.otherUsersHidden).toBe(false);
    expect(coverage.reason).toMatch(/not listed.*withheld.*are cut.*3 processes could not be read.*start of 1 of 5.*owners are guessed$/);
  });

  it('keeps the younger of two that have one pid', async () => {
    rows(row({ name: 'old' }), row({ name: 'new', startedMs: BOOT + 9000 }), row({ name: 'older', startedMs: null }));
    const source = sourceOf();
    await source.prepare();
    const { processes, coverage } = source.scan();
    expect([processes.map(({ image }) => image.name), coverage.vanished]).toEqual([['launchd', 'new'], 2]);
  });

  it('knows a process again, and tells it from another one of its pid', async () => {
    rows(row());
    const source = sourceOf();
    await source.prepare();
    const before = source.scan().processes[1];
    const image = before?.image;
    rows(row({ memoryBytes: 8192 }));
    await source.prepare();
    expect(source.scan().processes[1]).toBe(before);
    expect([before?.memoryBytes, before?.image === image]).toEqual([8192, true]);
    rows(row({ command: 'other' }));
    await source.prepare();
    expect(source.scan().processes[1]).toBe(before);
    expect(before?.image === image).toBe(false);
    rows(row({ startedMs: BOOT + 7000 }));
    await source.prepare();
    expect(source.scan().processes[1]).not.toBe(before);
    rows();
    await source.prepare();
    expect([source.scan().processes.length, source.lookUp(10)]).toEqual([1, null]);
  });
});

describe('the listing', () => {
  it('is needed for a scan', async () => {
    const source = sourceOf();
    expect(() => source.scan()).toThrow(/no listing was made yet/);
    next = () => Promise.reject(new Error('ps: not found'));
    await source.prepare();
    expect(() => source.scan()).toThrow(
      expect.objectContaining({ code: 'source.unavailable', message: expect.stringContaining('ps: not found') }),
    );
  });

  it('is used again where there is no newer one, and its age is told', async () => {
    rows(row());
    const source = sourceOf();
    await source.prepare();
    expect(source.scan().coverage.reason).not.toContain('old');
    nowMs += 30_000;
    next = () => Promise.reject(new Error('ps: not found'));
    await source.prepare();
    const { processes, coverage } = source.scan();
    expect(processes).toHaveLength(2);
    expect(coverage.reason).toContain('the listing is 30 s old (ps: not found)');
    rows(row());
    await source.prepare();
    expect(source.scan().coverage.reason).not.toContain('old');
  });

  it('that does not come is not waited for, nor asked for twice; it is used once it comes', async () => {
    rows(row());
    const source = sourceOf({ patienceMs: 10 });
    await source.prepare();
    const { promise, resolve } = Promise.withResolvers<Listing>();
    let asked = 0;
    next = () => {
      asked++;
      return promise;
    };
    await source.prepare();
    await source.prepare();
    expect([asked, source.scan().processes.length]).toEqual([1, 2]);
    expect(source.scan().coverage.reason).toContain('it takes longer than 0 s');
    resolve(listing([first]));
    await expect.poll(() => source.scan().processes.length).toBe(1);
    expect(source.scan().coverage.reason).not.toContain('longer');
  });
});

describe('the file that runs', () => {
  let directory = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sentineld-portable-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const scanned = async (source: PortableSource): Promise<ReturnType<PortableSource['lookUp']>> => {
    await source.prepare();
    source.scan();
    return source.lookUp(10);
  };

  it('is the one of its path, and stays what it was when another takes the path', async () => {
    const path = join(directory, 'app');
    writeFileSync(path, 'one');
    rows(row({ path }));
    const source = sourceOf();
    const exe = (await scanned(source))?.image.exe;
    expect(exe).toMatchObject({ path, sizeBytes: 3 });
    if (exe === null || exe === undefined) throw new Error('no executable');
    expect(source.openPathOf(exe)).toBe(path);
    writeFileSync(`${path}+`, 'two');
    renameSync(`${path}+`, path);
    expect((await scanned(source))?.image).toMatchObject({ exe, exeDeleted: false });
    expect(source.openPathOf(exe)).toBeNull();
    rmSync(path);
    expect((await scanned(source))?.image).toMatchObject({ exe, exeDeleted: true });
    expect(source.openPathOf(exe)).toBeNull();
  });

  it('is named unseen where it is not there or is none', async () => {
    rows(row({ path: join(directory, 'none') }));
    expect((await scanned(sourceOf()))?.image.unseen).toEqual([{ field: 'exe', reason: 'ENOENT' }]);
    rows(row({ path: directory }));
    expect((await scanned(sourceOf()))?.image.unseen).toEqual([{ field: 'exe', reason: 'no regular file' }]);
  });

  it('is looked at once in a scan, and not while trimmed', async () => {
    const looks: string[] = [];
    const look: NonNullable<PortableOptions['look']> = (path) => {
      looks.push(path);
      return { file: { path, dev: '1', inode: '2', sizeBytes: 3, mtimeNs: '4', ctimeNs: '5' }, reason: '' };
    };
    rows(row({ path: '/a' }), row({ pid: 11, path: '/a' }));
    const source = sourceOf({ look });
    await scanned(source);
    expect(looks).toEqual(['/a']);
    source.trim(true);
    rows(row({ path: '/a' }), row({ pid: 12, path: '/a' }));
    await scanned(source);
    expect(looks).toEqual(['/a']);
    expect(source.lookUp(10)?.image.exe?.path).toBe('/a');
    expect(source.lookUp(12)?.image).toMatchObject({ exe: null, unseen: [{ field: 'exe', reason: 'trimmed' }] });
    source.trim(false);
    await scanned(source);
    expect(source.lookUp(12)?.image).toMatchObject({ exe: { path: '/a' }, unseen: [] });
  });
});
