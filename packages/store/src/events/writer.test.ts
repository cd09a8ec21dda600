import { decodeHostBytes, encodeHostText } from '@sentineld/model/host-text';
import type { ProcessImage, ProcessRecord } from '@sentineld/model/process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { executable, image, openStore, record, type TestStore } from './fixtures/scans.fixture.ts';
import { LIVE } from './scan-interval.ts';

let store: TestStore;
beforeEach(() => {
  store = openStore();
});
afterEach(() => store.remove());

const crowd = (size: number): ProcessRecord[] => Array.from({ length: size }, (_, index) => record(index + 1));
/** How many rows there are of each kind. */
const sizes = (): Record<string, number> =>
  Object.fromEntries(['scan', 'process_image', 'process_sample', 'executable'].map((table) => [table, store.count(table)]));

describe('rows are written for what changed', () => {
  it('the first scan writes an image and a sample of each process, and each file once', () => {
    expect(store.write(crowd(100))).toEqual({ scanId: 1, started: 100, changed: 0, stopped: 0, rowsWritten: 200 });
    expect(sizes()).toEqual({ scan: 1, process_image: 100, process_sample: 100, executable: 1 });
  });

  it('a scan that finds the same writes the row of the scan alone', () => {
    const processes = crowd(100);
    store.write(processes);
    const before = sizes();
    expect(store.write(processes)).toEqual({ scanId: 2, started: 0, changed: 0, stopped: 0, rowsWritten: 0 });
    expect(sizes()).toEqual({ ...before, scan: 2 });
  });

  it('and so does one that finds the same in other objects', () => {
    store.write(crowd(100));
    expect(store.write(crowd(100))).toMatchObject({ rowsWritten: 0, changed: 0 });
    expect(store.write(crowd(100).toReversed())).toMatchObject({ rowsWritten: 0, changed: 0 });
  });

  it.each<[string, Partial<ProcessRecord>]>([
    ['CPU share', { cpuPercent: 1.5 }],
    ['memory', { memoryBytes: 8192 }],
    ['state', { status: 'running' }],
    ['number of threads', { threads: 7 }],
    ['number of threads, to unknown', { threads: null }],
  ])('a process whose %s changed gets a sample', (_what, change) => {
    const processes = crowd(10);
    store.write(processes);
    Object.assign(processes[3] ?? {}, change);
    expect(store.write(processes)).toEqual({ scanId: 2, started: 0, changed: 0, stopped: 0, rowsWritten: 1 });
    expect(store.write(processes)).toMatchObject({ rowsWritten: 0 });
  });

  it.each<[string, Partial<ProcessImage>]>([
    ['parent', { ppid: 7 }],
    ['name', { name: 'bash' }],
    ['executable', { exe: executable('/bin/bash') }],
    ['executable, to none', { exe: null }],
    ['executable, replaced in place', { exe: executable('/bin/sh', '/bin/sh', { ctimeNs: '9' }) }],
    ['deletion', { exeDeleted: true }],
    ['arguments', { argv: ['sh', '-c', 'false'] }],
    ['arguments, to none', { argv: null }],
    ['user', { userId: 0 }],
    ['user name', { userName: null }],
    ['group', { groupId: 0 }],
    ['real user', { realUserId: 0 }],
    ['real group', { realGroupId: 0 }],
    ['login', { loginUserId: 1000 }],
    ['secrets', { redacted: 1 }],
    ['working directory', { cwd: '/' }],
    ['working directory, to none', { cwd: null }],
    ['control group', { controlGroup: { path: '/a', containerId: null, runtime: null, podId: null, unit: null } }],
    ['namespaces', { namespaces: { cgroup: 1, ipc: 2, mnt: 3, net: 4, pid: 5, user: 6, uts: 7 } }],
    ['session', { sessionId: 11 }],
    ['terminal', { ttyNumber: 34_816 }],
    ['visibility', { unseen: [{ field: 'exe', reason: 'EACCES' }] }],
  ])('a process whose %s changed ends one image and begins another', (_what, change) => {
    const processes = crowd(10);
    store.write(processes);
    const changed = processes[3];
    if (changed !== undefined) changed.image = { ...changed.image, ...change };
    expect(store.write(processes)).toEqual({ scanId: 2, started: 0, changed: 1, stopped: 0, rowsWritten: 3 });
    expect(
      store.rows('SELECT first_scan, last_scan, begun_by_change, ended_by_change FROM process_image WHERE pid = 4 ORDER BY id'),
    ).toEqual([
      { first_scan: 1, last_scan: 1, begun_by_change: 0, ended_by_change: 1 },
      { first_scan: 2, last_scan: LIVE, begun_by_change: 1, ended_by_change: null },
    ]);
    expect(store.write(processes)).toMatchObject({ rowsWritten: 0 });
  });

  it('a process that is gone ends its image', () => {
    const processes = crowd(10);
    store.write(processes);
    expect(store.write(processes.slice(2))).toEqual({ scanId: 2, started: 0, changed: 0, stopped: 2, rowsWritten: 2 });
    expect(store.rows('SELECT pid, last_scan FROM process_image WHERE ended_by_change = 0 ORDER BY pid')).toEqual([
      { pid: 1, last_scan: 1 },
      { pid: 2, last_scan: 1 },
    ]);
    expect(store.write([])).toMatchObject({ stopped: 8 });
    expect(store.write(processes)).toMatchObject({ started: 10 });
  });

  it('the counts of a scan are kept with it', () => {
    store.write(crowd(3));
    store.write([record(1), record(2, { image: image({ name: 'x' }) }), record(9)]);
    expect(store.rows('SELECT started, changed, stopped FROM scan ORDER BY id')).toEqual([
      { started: 3, changed: 0, stopped: 0 },
      { started: 1, changed: 1, stopped: 1 },
    ]);
  });
});

describe('a pid that is given again', () => {
  it('is another process, though everything else is the same', () => {
    const same = image();
    store.write([record(5, { startTicks: 100, image: same })]);
    expect(store.write([record(5, { startTicks: 200, image: same })])).toMatchObject({ started: 1, stopped: 1, changed: 0 });
    expect(store.rows('SELECT start_ticks, first_scan, last_scan, ended_by_change FROM process_image ORDER BY id')).toEqual([
      { start_ticks: 100, first_scan: 1, last_scan: 1, ended_by_change: 0 },
      { start_ticks: 200, first_scan: 2, last_scan: LIVE, ended_by_change: null },
    ]);
  });

  it('may be given again in each of many scans', () => {
    for (let ticks = 1; ticks <= 20; ticks++) store.write([record(5, { startTicks: ticks })]);
    expect(store.rows('SELECT scan_id, count(*) AS n FROM process_snapshots GROUP BY scan_id HAVING n <> 1')).toEqual([]);
    expect(store.count('process_image')).toBe(20);
  });

  it('is a fault of the source where one scan has it twice: nothing of that scan is kept', () => {
    store.write([record(5, { startTicks: 100 }), record(6)]);
    const before = sizes();
    expect(() => store.write([record(6), record(5, { startTicks: 100 }), record(5, { startTicks: 200 })])).toThrow(
      expect.objectContaining({ code: 'internal.bug', context: { pid: 5 } }),
    );
    expect(sizes()).toEqual(before);
    expect(store.write([record(5, { startTicks: 200 }), record(6)])).toMatchObject({ scanId: 2, started: 1, stopped: 1 });
  });
});

describe('a start of the collector', () => {
  it('goes on with the images there are', () => {
    store.write(crowd(50));
    const images = store.count('process_image');
    store.restart();
    // What the numbers were is not known any more: each gets a sample, and no image.
    expect(store.write(crowd(50))).toEqual({ scanId: 2, started: 0, changed: 0, stopped: 0, rowsWritten: 50 });
    expect(store.count('process_image')).toBe(images);
    expect(store.write(crowd(50))).toMatchObject({ rowsWritten: 0 });
    expect(store.rows('SELECT interval_ms FROM scan ORDER BY id').map((row) => row['interval_ms'])).toEqual([null, null, 0]);
  });

  it('notices what happened while it was away', () => {
    store.write(crowd(4));
    store.restart();
    const later = [record(1), record(2, { image: image({ exe: executable('/bin/other') }) }), record(3, { startTicks: 1 }), record(9)];
    expect(store.write(later)).toMatchObject({ started: 2, changed: 1, stopped: 2 });
  });

  it('goes on where everything is as hostile as it may be', () => {
    const odd = record(1, {
      image: image({
        name: '',
        argv: [],
        exe: null,
        userId: null,
        userName: null,
        groupId: null,
        unseen: [{ field: 'argv', reason: '"' }],
      }),
    });
    store.write([odd, record(2, { image: image({ argv: null, exeDeleted: true, name: 'a"b\\c\u2028' }) })]);
    store.restart();
    expect(store.write([odd, record(2, { image: image({ argv: null, exeDeleted: true, name: 'a"b\\c\u2028' }) })])).toMatchObject({
      started: 0,
      changed: 0,
      stopped: 0,
    });
  });

  it('in another boot ends all images, though pids and start times are the same', () => {
    store.write(crowd(3));
    store.restart('22222222-2222-4222-8222-222222222222');
    expect(store.rows('SELECT DISTINCT last_scan, ended_by_change FROM process_image')).toEqual([{ last_scan: 1, ended_by_change: 0 }]);
    expect(store.count('processes')).toBe(0);
    expect(store.write(crowd(3))).toMatchObject({ started: 3, changed: 0, stopped: 0 });
    expect(store.rows('SELECT id, boot_id FROM scan_metadata ORDER BY id').map((row) => String(row['boot_id'])[0])).toEqual(['1', '2']);
  });

  it('keeps the id of the installation', () => {
    const { hostId } = store.writer();
    expect(hostId).toMatch(/^[0-9a-f]{32}$/);
    store.restart();
    expect(store.writer().hostId).toBe(hostId);
    expect(store.count('collector_run')).toBe(2);
  });

  it('before the first scan has nothing to show', () => {
    for (const view of ['processes', 'process_snapshots', 'process_tree', 'scan_metadata', 'coverage']) expect(store.count(view)).toBe(0);
    store.restart('33333333-3333-4333-8333-333333333333');
    expect(store.write([]).scanId).toBe(1);
  });
});

describe('a scan that cannot be written', () => {
  it('leaves nothing behind, and the next one is right', () => {
    const processes = crowd(5);
    store.write(processes);
    const before = sizes();
    const broken = record(9, { image: image({ sessionId: null as unknown as number, exe: executable('/bin/new') }) });
    const changed = record(2, { image: image({ name: 'changed' }) });
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(() => store.write([...processes.slice(2), changed, record(8), broken])).toThrow(/NOT NULL/);
      expect(sizes()).toEqual(before);
    }
    expect(store.writer().executables.pending()).toEqual([]);
    const next = store.write([...processes.slice(2), changed, record(8)]);
    expect(next).toMatchObject({ scanId: 2, started: 1, changed: 1, stopped: 1 });
    expect(store.rows('SELECT pid, name FROM processes ORDER BY pid')).toEqual(
      [2, 3, 4, 5, 8].map((pid) => ({ pid, name: pid === 2 ? 'changed' : 'sh' })),
    );
    expect(store.rows('SELECT count(*) AS n FROM process_snapshots WHERE scan_id = 1')).toEqual([{ n: 5 }]);
    expect(store.writer().executables.pending()).toHaveLength(1);
  });

  it('the very first one too', () => {
    expect(() => store.write([record(1), record(2, { startTicks: null as unknown as number })])).toThrow(/NOT NULL/);
    expect(sizes()).toEqual({ scan: 0, process_image: 0, process_sample: 0, executable: 0 });
    expect(store.write([record(1)])).toMatchObject({ scanId: 1, started: 1 });
  });

  it('is written again once what stood in its way is gone', () => {
    store.write(crowd(2));
    store.meddle("CREATE TRIGGER stop BEFORE INSERT ON process_image BEGIN SELECT raise(ABORT, 'disk is full'); END");
    expect(() => store.write(crowd(3))).toThrow('disk is full');
    // What needs no new image can be written all the same.
    expect(store.write(crowd(2))).toMatchObject({ scanId: 2, started: 0, changed: 0 });
    store.meddle('DROP TRIGGER stop');
    expect(store.write(crowd(3))).toMatchObject({ scanId: 3, started: 1 });
  });
});

describe('host strings', () => {
  it('are kept byte for byte', () => {
    const bytes = (...list: readonly number[]): string => decodeHostBytes(Uint8Array.from(list));
    const hostile = [
      bytes(0x66, 0xff, 0x80),
      bytes(0xed, 0xa0, 0x80),
      bytes(0xf4, 0x8f, 0xbe, 0x80),
      '\u001b[2J\n\u202e',
      "'; DROP TABLE scan; --",
      '\u{10FFFF}',
      '\uFEFF',
      '',
    ];
    const processes = hostile.map((text, index) =>
      record(index + 1, { image: image({ name: text, argv: [text, `${text}x`], exe: executable(`/tmp/${text}`), userName: text }) }),
    );
    store.write(processes);
    const rows = store.rows('SELECT name, command_line, cmdline, exe_path, user_name FROM processes ORDER BY pid');
    for (const [index, text] of hostile.entries()) {
      expect(rows[index]).toEqual({
        name: text,
        command_line: JSON.stringify([text, `${text}x`]),
        cmdline: `${text} ${text}x`,
        exe_path: `/tmp/${text}`,
        user_name: text,
      });
    }
    expect([...encodeHostText(String(rows[0]?.['name']))]).toEqual([0x66, 0xff, 0x80]);
    store.restart();
    expect(store.write(processes)).toMatchObject({ started: 0, changed: 0 });
  });

  it('with a NUL in them, which no kernel gives, are not cut', () => {
    store.write([record(1, { image: image({ name: 'a\0b', argv: ['a\0b'] }) })]);
    expect(store.rows('SELECT name, command_line, length(CAST(name AS BLOB)) AS n FROM processes')).toEqual([
      { name: 'a\0b', command_line: '["a\\u0000b"]', n: 3 },
    ]);
  });
});
