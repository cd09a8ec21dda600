import type { ReadableTable } from '@sentineld/model/schema';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EVENTS_SCHEMA } from '../readable-schema.ts';
import { command, executable, image, openStore, processEvent, record, type Row, type TestStore } from './fixtures/scans.fixture.ts';

/** The columns that the product has promised since its first sketch, in their order. */
const PROMISED = [
  'id',
  'scan_id',
  'timestamp_ms',
  'pid',
  'ppid',
  'name',
  'exe_path',
  'command_line',
  'start_time',
  'cpu_percent',
  'memory_bytes',
  'status',
  'exe_hash',
  'hash_algorithm',
  'user_name',
  'user_id',
  'platform_data',
];

let store: TestStore;
beforeEach(() => {
  store = openStore();
});
afterEach(() => store.remove());

/** A machine with a bit of everything, in two scans; the second is some seconds later. */
function writeMachine(): void {
  store
    .writer()
    .recordEvents([
      processEvent(10),
      processEvent(77, { kind: 'exit', exitCode: 3 }),
      processEvent(78, { kind: 'exit', exitSignal: 9, command: command({ argv: null, redacted: 1 }) }),
    ]);
  const sh = image({
    ppid: 1,
    exe: executable('/bin/sh'),
    loginUserId: 1000,
    ttyNumber: 34_816,
    controlGroup: {
      path: '/kubepods/pod7/c0ffee',
      containerId: 'c0ffee',
      runtime: 'containerd',
      podId: 'pod7',
      unit: 'session-3.scope',
    },
    namespaces: { cgroup: 1, ipc: 2, mnt: 3, net: 4, pid: 5, user: 6, uts: 7 },
  });
  const before = [
    record(1, {
      image: image({
        ppid: 0,
        name: 'init',
        exe: executable('/sbin/init'),
        argv: ['/sbin/init', 'two words'],
        userId: 0,
        userName: 'root',
      }),
    }),
    record(2, {
      image: image({ ppid: 0, name: 'kthreadd', exe: null, argv: [], isKernelThread: true, userId: 0, userName: 'root' }),
      memoryBytes: 0,
    }),
    record(10, { image: sh }),
    record(11, { image: image({ ppid: 10, name: 'child', exe: executable('/bin/sh'), argv: ['', 'ä', '"'] }) }),
    record(12, {
      image: image({
        ppid: 99,
        name: 'x',
        exe: null,
        argv: null,
        userName: null,
        userId: null,
        groupId: null,
        unseen: [{ field: 'exe', reason: 'EACCES' }],
      }),
    }),
  ];
  store.write(before);
  const first = store
    .writer()
    .executables.pending()
    .find(({ file }) => file.path === '/bin/sh');
  if (first !== undefined) store.writer().executables.recordHash(first.id, { sha256: 'ab'.repeat(32) });
  const later = before.map((process) => ({ ...process, cpuPercent: 12.5 }));
  store.write(later, { startTimeMs: 1_700_000_105_000, endTimeMs: 1_700_000_105_020, loadAverage: null });
}

describe('every readable table', () => {
  it.each(EVENTS_SCHEMA.tables.map((table): [string, ReadableTable] => [table.name, table]))(
    '%s has the columns that are described, of their types',
    (name, table) => {
      writeMachine();
      const columns = store.rows(`SELECT name FROM pragma_table_info('${name}')`).map((row) => row['name']);
      expect(columns).toEqual(table.columns.map((column) => column.name));
      const rows = store.rows(`SELECT * FROM ${name}`);
      expect(rows.length).toBeGreaterThan(0);
      const found = new Set<string>();
      for (const row of rows) {
        for (const { name: column, type, nullable } of table.columns) {
          const value = row[column];
          if (value === null) {
            expect([column, nullable]).toEqual([column, true]);
            continue;
          }
          const fits =
            type === 'TEXT' ? typeof value === 'string' : type === 'REAL' ? typeof value === 'number' : Number.isSafeInteger(value);
          expect([column, value, fits]).toEqual([column, value, true]);
          found.add(column);
        }
      }
      // Nothing of it is always NULL by mistake: coverage has a sentence only where something was withheld.
      expect(columns.filter((column) => !found.has(String(column)))).toEqual(name === 'coverage' ? ['reason'] : []);
    },
  );

  it('is a view over tables that may be touched and not named', () => {
    const named = (type: string) =>
      store
        .rows(`SELECT name FROM sqlite_schema WHERE type = ? AND name NOT LIKE 'sqlite_%' ORDER BY name`, type)
        .map((row) => row['name']);
    expect(named('view')).toEqual(EVENTS_SCHEMA.tables.map((table) => table.name).toSorted());
    expect(named('table')).toEqual([...EVENTS_SCHEMA.hiddenTables, 'system_metadata'].toSorted());
  });

  it('has a name for everything: no column of a hidden table is spelt like another thing', () => {
    expect(EVENTS_SCHEMA.tables.find((table) => table.name === 'process_snapshots')?.columns.map((column) => column.name)).toEqual(
      PROMISED,
    );
  });
});

describe('process_snapshots', () => {
  it('has a row of the seventeen columns for each process in each scan', () => {
    writeMachine();
    const rows = store.rows('SELECT * FROM process_snapshots WHERE pid = 11 ORDER BY scan_id');
    const row: Row = {
      id: 4_194_304 + 11,
      scan_id: 1,
      timestamp_ms: 1_700_000_100_000,
      pid: 11,
      ppid: 10,
      name: 'child',
      exe_path: '/bin/sh',
      command_line: '["","ä","\\""]',
      start_time: 1_700_000_000_000,
      cpu_percent: null,
      memory_bytes: 4096,
      status: 'sleeping',
      exe_hash: 'ab'.repeat(32),
      hash_algorithm: 'sha256',
      user_name: 'alice',
      user_id: 1000,
      platform_data:
        '{"boot_id":"11111111-1111-4111-8111-111111111111","start_ticks":1100,"gid":1000,"session":10,"tty":0,"unseen":[],"tty_name":null,"real_uid":1000,"real_gid":1000,"login_uid":null,"threads":1,"redacted":0,"cwd":"/home/alice","cgroup":null,"container_id":null,"container_runtime":null,"pod_id":null,"unit":null,"namespaces":null}',
    };
    expect(rows).toEqual([row, { ...row, id: 2 * 4_194_304 + 11, scan_id: 2, timestamp_ms: 1_700_000_105_000, cpu_percent: 12.5 }]);
    expect(Object.keys(rows[0] ?? {})).toEqual(PROMISED);
  });

  it('says what was withheld, and why', () => {
    writeMachine();
    const [row] = store.rows('SELECT exe_path, command_line, user_id, platform_data FROM process_snapshots WHERE pid = 12 AND scan_id = 1');
    expect(row).toMatchObject({ exe_path: null, command_line: null, user_id: null });
    expect(JSON.parse(String(row?.['platform_data']))).toMatchObject({ gid: null, unseen: [{ field: 'exe', reason: 'EACCES' }] });
  });

  it('has ids that stay unique up to the largest pid', () => {
    store.write([record(4_194_304 - 1), record(1)]);
    store.write([record(4_194_304 - 1), record(1)]);
    expect(store.rows('SELECT count(DISTINCT id) AS n FROM process_snapshots')).toEqual([{ n: 4 }]);
  });
});

describe('processes', () => {
  it('is the newest scan with parents, arguments as one text, and marks', () => {
    writeMachine();
    const rows = store.rows(
      'SELECT pid, scan_id, cmdline, parent_name, parent_exe, parent_cmdline, exe_deleted, is_kthread, cpu_percent FROM processes ORDER BY pid',
    );
    const common = { scan_id: 2, exe_deleted: 0, is_kthread: 0, cpu_percent: 12.5 };
    const orphan = { parent_name: null, parent_exe: null, parent_cmdline: null };
    expect(rows).toEqual([
      { pid: 1, cmdline: '/sbin/init two words', ...orphan, ...common },
      { pid: 2, cmdline: '', ...orphan, ...common, is_kthread: 1 },
      { pid: 10, cmdline: 'sh -c true', parent_name: 'init', parent_exe: '/sbin/init', parent_cmdline: '/sbin/init two words', ...common },
      { pid: 11, cmdline: ' ä "', parent_name: 'sh', parent_exe: '/bin/sh', parent_cmdline: 'sh -c true', ...common },
      { pid: 12, cmdline: null, ...orphan, ...common },
    ]);
  });

  it('has the parent of now, not of when the process started, and none that is gone', () => {
    store.write([record(10, { image: image({ name: 'old' }) }), record(11, { image: image({ ppid: 10 }) })]);
    store.write([record(10, { image: image({ name: 'new' }) }), record(11, { image: image({ ppid: 10 }) })]);
    const parent = () => store.rows('SELECT parent_name FROM processes WHERE pid = 11');
    expect(parent()).toEqual([{ parent_name: 'new' }]);
    store.write([record(11, { image: image({ ppid: 10 }) })]);
    expect(parent()).toEqual([{ parent_name: null }]);
  });

  it('marks an executable that was deleted', () => {
    store.write([record(1, { image: image({ exeDeleted: true }) })]);
    expect(store.rows('SELECT exe_deleted, exe_path FROM processes')).toEqual([{ exe_deleted: 1, exe_path: '/bin/sh' }]);
  });

  it('is empty after a scan that saw nobody', () => {
    store.write([record(1)]);
    store.write([]);
    expect(store.count('processes')).toBe(0);
    expect(store.count('process_snapshots')).toBe(1);
  });
});

describe('scan_metadata and coverage', () => {
  it('say of each scan what it found and what it missed', () => {
    writeMachine();
    store.write([], {
      startTimeMs: 1_700_000_110_000,
      endTimeMs: 1_700_000_110_001,
      durationMs: 0.4,
      bootId: 'b',
      loadAverage: 1.5,
      coverage: {
        seen: 7,
        accessible: 6,
        exeUnreadable: 5,
        argvUnreadable: 4,
        argvTruncated: 3,
        vanished: 2,
        errors: 1,
        otherUsersHidden: true,
        reason: 'half',
      },
    });
    const counts = { execs: 0, exits: 0, events_lost: 0, events_overruns: 0, argv_missed: 0, events_dropped: 0, events_stored: 0 };
    const noEvents = { events_tier: 'off', ...counts };
    expect(store.rows('SELECT * FROM coverage WHERE scan_id = 3')).toEqual([
      {
        scan_id: 3,
        timestamp_ms: 1_700_000_110_000,
        interval_ms: 5000,
        source: 'poll',
        processes_seen: 7,
        fully_visible: 6,
        exe_unreadable: 5,
        argv_unreadable: 4,
        argv_truncated: 3,
        vanished: 2,
        errors: 1,
        other_users_hidden: 1,
        hashes_pending: 0,
        hashes_unreadable: 0,
        reason: 'half',
        ...noEvents,
      },
    ]);
    expect(store.rows('SELECT hashes_pending FROM coverage ORDER BY scan_id').map((row) => row['hashes_pending'])).toEqual([2, 1, 0]);
    expect(store.rows('SELECT * FROM scan_metadata WHERE id = 3')).toEqual([
      {
        id: 3,
        start_time: 1_700_000_110_000,
        end_time: 1_700_000_110_001,
        duration_ms: 0,
        total_processes: 7,
        accessible_processes: 6,
        errors: 1,
        hostname: 'host',
        os_name: 'Linux',
        os_version: '6.1',
        load_average: 1.5,
        collector_version: '0.1.0',
        config_hash: 'c0ffee',
        boot_id: '11111111-1111-4111-8111-111111111111',
        correlation_id: 'scan-3',
        started: 0,
        changed: 0,
        stopped: 5,
        ...noEvents,
      },
    ]);
  });
});
