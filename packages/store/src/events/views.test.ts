import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeHostBytes } from '@sentineld/model/host-text';
import type { ExecutableFile, ProcessImage, ProcessRecord } from '@sentineld/model/process';
import type { Scan } from '@sentineld/model/scan';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EVENTS_SCHEMA } from '../readable-schema.ts';
import { openEventsWriter, type CollectorRun, type EventsWriter } from './writer.ts';

const RUN: CollectorRun = {
  startTimeMs: 1,
  bootId: 'boot-1',
  hostname: 'h',
  osName: 'Linux',
  osVersion: '6',
  collectorVersion: '0.1.0',
  configHash: 'c',
};

let directory = '';
let path = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-events-'));
  path = join(directory, 'events.db');
});
afterEach(() => rmSync(directory, { recursive: true }));

const open = (run: Partial<CollectorRun> = {}): EventsWriter => openEventsWriter(path, { ...RUN, ...run });

const file = (name: string): ExecutableFile => ({
  path: `/bin/${name}`,
  dev: '1',
  inode: String(name.length),
  sizeBytes: 10,
  mtimeNs: '1',
  ctimeNs: '1',
});

function image(changes: Partial<ProcessImage> = {}): ProcessImage {
  return {
    ppid: 1, name: 'a', exe: file('a'), exeDeleted: false, argv: ['a', '-x'], startTimeMs: 1000, userId: 0, userName: 'root', groupId: 0,
    sessionId: 1, ttyNumber: 0, isKernelThread: false, unseen: [], ...changes,
  }; // prettier-ignore
}

const record = (pid: number, startTicks: number, of: ProcessImage, numbers: Partial<ProcessRecord> = {}): ProcessRecord => ({
  pid, startTicks, image: of, cpuPercent: 0, memoryBytes: 4096, status: 'sleeping', ...numbers,
}); // prettier-ignore

function scanOf(processes: readonly ProcessRecord[], startTimeMs = 5000): Scan {
  return {
    startTimeMs, endTimeMs: startTimeMs + 3, durationMs: 3, bootId: 'boot-1', loadAverage: 0.5, processes,
    coverage: {
      seen: processes.length, accessible: processes.length, exeUnreadable: 0, argvUnreadable: 0, argvTruncated: 0, vanished: 0, errors: 0,
      otherUsersHidden: false, reason: null,
    },
  }; // prettier-ignore
}

function rows<Row = Record<string, unknown>>(sql: string): Row[] {
  const db = new Database(path, { readonly: true });
  try {
    return db.prepare<[], Row>(sql).all();
  } finally {
    db.close();
  }
}

describe('the readable schema', () => {
  it.each(EVENTS_SCHEMA.tables)('$name has the columns it is frozen with', ({ name, columns }) => {
    open();
    const db = new Database(path, { readonly: true });
    expect(
      db
        .prepare(`SELECT * FROM ${name}`)
        .columns()
        .map((column) => column.name),
    ).toEqual(columns.map((column) => column.name));
    db.close();
  });

  it('is made of the hidden tables and nothing else', () => {
    open();
    const tables = rows<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").map(
      ({ name }) => name,
    );
    expect(new Set(tables)).toEqual(new Set([...EVENTS_SCHEMA.hiddenTables, 'system_metadata']));
  });
});

/** One process as the naive model keeps it: everything, in every scan. */
type ModelRow = {
  readonly pid: number;
  readonly name: string;
  readonly command_line: string;
  readonly exe_path: string | null;
  readonly cpu_percent: number | null;
  readonly memory_bytes: number;
  readonly status: string;
  readonly start_ticks: number;
};

/** A step turns some of eight pids on, off, into others, or only changes their numbers. */
const step = fc.array(
  fc.record({
    pid: fc.integer({ min: 1, max: 8 }),
    startTicks: fc.integer({ min: 1, max: 2 }),
    name: fc.constantFrom('a', 'b', 'ccc'),
    argument: fc.constantFrom('-x', '"', '\u001b[2J', decodeHostBytes(Uint8Array.of(0xff, 0x41)), ''),
    hasExe: fc.boolean(),
    cpu: fc.constantFrom(null, 0, 1.5),
    memory: fc.integer({ min: 0, max: 3 }),
    status: fc.constantFrom('sleeping' as const, 'running' as const),
  }),
  { maxLength: 8 },
);

describe('process_snapshots', () => {
  it('says of every past scan what a table of full snapshots would, across restarts', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.boolean()), { minLength: 1, maxLength: 8 }), (steps) => {
        rmSync(path, { force: true });
        for (const suffix of ['-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
        let writer = open();
        const model = new Map<number, ModelRow[]>();
        for (const [entries, restart] of steps) {
          const byPid = new Map(entries.map((entry) => [entry.pid, entry]));
          const processes = [...byPid.values()].map((entry) =>
            record(
              entry.pid,
              entry.startTicks,
              image({ name: entry.name, argv: [entry.name, entry.argument], exe: entry.hasExe ? file(entry.name) : null }),
              {
                cpuPercent: entry.cpu,
                memoryBytes: entry.memory,
                status: entry.status,
              },
            ),
          );
          const { scanId } = writer.recordScan(scanOf(processes), 'c', 'poll');
          model.set(
            scanId,
            processes
              .map((process): ModelRow => ({
                pid: process.pid,
                name: process.image.name,
                command_line: JSON.stringify(process.image.argv),
                exe_path: process.image.exe?.path ?? null,
                cpu_percent: process.cpuPercent,
                memory_bytes: process.memoryBytes,
                status: process.status,
                start_ticks: process.startTicks,
              }))
              .toSorted((a, b) => a.pid - b.pid),
          );
          if (restart) writer = open();
        }
        for (const [scanId, expected] of model) {
          const found = rows<ModelRow>(
            `SELECT pid, name, command_line, exe_path, cpu_percent, memory_bytes, status, platform_data ->> 'start_ticks' AS start_ticks
             FROM process_snapshots WHERE scan_id = ${scanId} ORDER BY pid`,
          );
          expect(found).toEqual(expected);
        }
        const newest = Math.max(...model.keys());
        expect(rows('SELECT id, pid FROM processes ORDER BY pid')).toEqual(
          (model.get(newest) ?? []).map(({ pid }) => ({ id: newest * 4_194_304 + pid, pid })),
        );
      }),
      { numRuns: 60, seed: 7 },
    );
  });
});

describe('processes', () => {
  it('knows the parent of each process in the same scan', () => {
    open().recordScan(
      scanOf([
        record(1, 1, image({ ppid: 0, name: 'init', argv: ['/sbin/init', 'a b'], exe: file('init') })),
        record(2, 1, image({ ppid: 1 })),
        record(3, 1, image({ ppid: 77, argv: null })),
      ]),
      'c',
      'poll',
    );
    expect(rows('SELECT pid, parent_name, parent_exe, parent_cmdline, cmdline FROM processes ORDER BY pid')).toEqual([
      { pid: 1, parent_name: null, parent_exe: null, parent_cmdline: null, cmdline: '/sbin/init a b' },
      { pid: 2, parent_name: 'init', parent_exe: '/bin/init', parent_cmdline: '/sbin/init a b', cmdline: 'a -x' },
      { pid: 3, parent_name: null, parent_exe: null, parent_cmdline: null, cmdline: null },
    ]);
  });

  it('gives the hash once it is known', () => {
    const writer = open();
    writer.recordScan(scanOf([record(2, 1, image())]), 'c', 'poll');
    expect(rows('SELECT exe_hash, hash_algorithm FROM processes')).toEqual([{ exe_hash: null, hash_algorithm: 'sha256' }]);
    const [pending] = writer.executables.pending();
    writer.executables.recordHash(pending?.id ?? 0, { sha256: 'ab'.repeat(32) });
    expect(rows('SELECT exe_hash FROM processes')).toEqual([{ exe_hash: 'ab'.repeat(32) }]);
    expect(writer.executables.pending()).toEqual([]);
  });
});

describe('process_tree', () => {
  it('starts at those without a parent in the scan, and ends even where parents go round in a circle', () => {
    const tree = [
      record(1, 1, image({ ppid: 0, name: 'init' })),
      record(2, 1, image({ ppid: 1, name: 'sh' })),
      record(3, 1, image({ ppid: 2, name: 'ls' })),
      record(8, 1, image({ ppid: 9 })),
      record(9, 1, image({ ppid: 8 })),
    ];
    open().recordScan(scanOf(tree), 'c', 'poll');
    expect(rows('SELECT pid, root_pid, depth, path FROM process_tree ORDER BY pid')).toEqual([
      { pid: 1, root_pid: 1, depth: 0, path: 'init' },
      { pid: 2, root_pid: 1, depth: 1, path: 'init > sh' },
      { pid: 3, root_pid: 1, depth: 2, path: 'init > sh > ls' },
    ]);
  });
});

describe('what a scan writes', () => {
  it('is one row where nothing changed, and one row per changed process where only numbers did', () => {
    const writer = open();
    const processes = [record(1, 1, image()), record(2, 1, image())];
    expect(writer.recordScan(scanOf(processes), 'c', 'poll')).toMatchObject({ started: 2, changed: 0, stopped: 0, rowsWritten: 4 });
    expect(writer.recordScan(scanOf(processes), 'c', 'poll')).toMatchObject({ started: 0, changed: 0, stopped: 0, rowsWritten: 0 });
    expect(
      writer.recordScan(scanOf([record(1, 1, processes[0]?.image ?? image(), { memoryBytes: 1 }), ...processes.slice(1)]), 'c', 'poll'),
    ).toMatchObject({ rowsWritten: 1 });
  });

  it('tells started, changed and stopped, a reused pid among them', () => {
    const writer = open();
    writer.recordScan(scanOf([record(1, 1, image()), record(2, 1, image()), record(3, 1, image())]), 'c', 'poll');
    const next = [record(1, 1, image({ argv: ['b'] })), record(2, 9, image()), record(4, 1, image())];
    expect(writer.recordScan(scanOf(next), 'c', 'poll')).toMatchObject({ started: 2, changed: 1, stopped: 2 });
    expect(rows('SELECT started, changed, stopped FROM scan_metadata ORDER BY id DESC LIMIT 1')).toEqual([
      { started: 2, changed: 1, stopped: 2 },
    ]);
  });

  it('goes on after a restart as if there had been none, and ends everything after a reboot', () => {
    const processes = [record(1, 1, image()), record(2, 1, image())];
    open().recordScan(scanOf(processes), 'c', 'poll');
    expect(open().recordScan(scanOf([record(1, 1, image()), record(2, 1, image())]), 'c', 'poll')).toMatchObject({
      started: 0,
      changed: 0,
      stopped: 0,
      rowsWritten: 2,
    });
    const rebooted = open({ bootId: 'boot-2' });
    expect(rows('SELECT count(*) AS n FROM processes')).toEqual([{ n: 0 }]);
    expect(rebooted.recordScan(scanOf([record(1, 1, image())]), 'c', 'poll')).toMatchObject({ started: 1 });
    expect(rows("SELECT platform_data ->> 'boot_id' AS boot FROM processes")).toEqual([{ boot: 'boot-2' }]);
  });

  it('is nothing at all where it cannot be written whole, and the next scan is right', () => {
    const writer = open();
    writer.recordScan(scanOf([record(1, 1, image())]), 'c', 'poll');
    const broken: ProcessImage = { ...image(), ...(JSON.parse('{"name": null}') as Partial<ProcessImage>) };
    expect(() => writer.recordScan(scanOf([record(2, 1, image({ name: 'new' })), record(3, 1, broken)]), 'c', 'poll')).toThrow(/NOT NULL/);
    expect(rows('SELECT pid FROM processes')).toEqual([{ pid: 1 }]);
    expect(writer.recordScan(scanOf([record(1, 1, image()), record(2, 1, image())]), 'c', 'poll')).toMatchObject({
      started: 1,
      changed: 0,
      stopped: 0,
    });
    expect(rows('SELECT pid FROM processes ORDER BY pid')).toEqual([{ pid: 1 }, { pid: 2 }]);
  });

  it('stores an executable once, and its hash for every name of the same file', () => {
    const writer = open();
    writer.recordScan(scanOf([record(1, 1, image()), record(2, 1, image())]), 'c', 'poll');
    const [pending] = writer.executables.pending();
    writer.executables.recordHash(pending?.id ?? 0, { sha256: 'cd'.repeat(32) });
    writer.recordScan(
      scanOf([record(1, 1, image()), record(3, 1, image({ exe: { ...file('a'), path: '/bin/other-name' } }))]),
      'c',
      'poll',
    );
    expect(rows('SELECT path, sha256 FROM executable ORDER BY id')).toEqual([
      { path: '/bin/a', sha256: 'cd'.repeat(32) },
      { path: '/bin/other-name', sha256: 'cd'.repeat(32) },
    ]);
    expect(writer.executables.counts()).toEqual({ pending: 0, unreadable: 0 });
  });
});
