import type { ProcessRecord } from '@sentineld/model/process';
import type { EventCoverage } from '@sentineld/model/process-event';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { image, openStore, record, type TestStore } from './fixtures/scans.fixture.ts';

let store: TestStore;
beforeEach(() => {
  store = openStore();
});
afterEach(() => store.remove());

/** One process of a container, at a terminal. */
function writeContainer(): void {
  const controlGroup = {
    path: '/kubepods/pod7/c0ffee',
    containerId: 'c0ffee',
    runtime: 'containerd',
    podId: 'pod7',
    unit: 'session-3.scope',
  };
  const namespaces = { cgroup: 1, ipc: 2, mnt: 3, net: 4, pid: 5, user: 6, uts: 7 };
  store.write([record(10, { image: image({ loginUserId: 1000, ttyNumber: 34_816, controlGroup, namespaces }) })]);
}

describe('coverage of events', () => {
  const LOSS: EventCoverage = { tier: 'kernel', execs: 9, exits: 8, lost: 12, overruns: 3, argvMissed: 2, dropped: 1, stored: 16 };

  it('is stored with the scan, and a loss is said in a sentence', () => {
    store.write([], {}, 0, LOSS);
    const columns = 'events_tier, execs, exits, events_lost, events_overruns, argv_missed, events_dropped, events_stored';
    const row = {
      events_tier: 'kernel',
      execs: 9,
      exits: 8,
      events_lost: 12,
      events_overruns: 3,
      argv_missed: 2,
      events_dropped: 1,
      events_stored: 16,
    };
    expect(store.rows(`SELECT ${columns} FROM coverage`)).toEqual([row]);
    expect(store.rows(`SELECT ${columns} FROM scan_metadata`)).toEqual([row]);
    expect(store.rows('SELECT reason FROM coverage')).toEqual([
      { reason: '12 events were lost before they could be read; 1 event was dropped before it could be stored' },
    ]);
  });

  it('follows what was withheld of processes', () => {
    const coverage = {
      seen: 0,
      accessible: 0,
      exeUnreadable: 0,
      argvUnreadable: 0,
      argvTruncated: 0,
      vanished: 0,
      errors: 0,
      otherUsersHidden: true,
      reason: 'half',
    };
    store.write([], { coverage }, 0, { ...LOSS, lost: 1, dropped: 0 });
    expect(store.rows('SELECT reason FROM coverage')).toEqual([{ reason: 'half; 1 event was lost before it could be read' }]);
  });
});

describe('what is known of a process', () => {
  it('is in plain columns of processes, and in platform_data of both', () => {
    writeContainer();
    const [row] = store.rows('SELECT * FROM processes WHERE pid = 10');
    expect(row).toMatchObject({
      cwd: '/home/alice',
      real_user_id: 1e3,
      login_user_id: 1e3,
      container_id: 'c0ffee',
      cgroup: '/kubepods/pod7/c0ffee',
      unit: 'session-3.scope',
      threads: 1,
      tty: 'pts/0',
      redacted: 0,
      pid_namespace: 5,
      mnt_namespace: 3,
      net_namespace: 4,
    });
    expect(JSON.parse(String(row?.['platform_data']))).toMatchObject({
      tty: 34816,
      tty_name: 'pts/0',
      container_runtime: 'containerd',
      pod_id: 'pod7',
      login_uid: 1e3,
      namespaces: {
        cgroup: 1,
        ipc: 2,
        mnt: 3,
        net: 4,
        pid: 5,
        user: 6,
        uts: 7,
      },
    });
    expect(store.rows('SELECT platform_data FROM process_snapshots WHERE pid = 10 AND scan_id = 1')).toEqual([
      { platform_data: row?.['platform_data'] },
    ]);
  });

  it.each([
    [0, null],
    [-1, null],
    [34_816, 'pts/0'],
    [34_817, 'pts/1'],
    [137 * 256 + 5, 'pts/261'],
    [(1 << 20) | (136 << 8) | 2, 'pts/258'],
    [4 * 256 + 1, 'tty1'],
    [4 * 256 + 65, 'ttyS1'],
    [5 * 256 + 1, '5:1'],
  ])('terminal %i is %s', (ttyNumber, tty) => {
    store.write([record(1, { image: image({ ttyNumber }) })]);
    expect(store.rows('SELECT tty FROM processes')).toEqual([{ tty }]);
  });

  it('is one row for those that share it', () => {
    const namespaces = { cgroup: 1, ipc: 2, mnt: 3, net: 4, pid: 5, user: 6, uts: 7 };
    const sharing = (): ProcessRecord[] =>
      [1, 2, 3, 4].map((pid) => record(pid, { image: image({ namespaces: pid % 2 === 0 ? namespaces : { ...namespaces } }) }));
    store.write(sharing());
    store.write([...sharing(), record(9, { image: image({ namespaces: { ...namespaces, net: 8 }, cwd: '/tmp', userId: 7 }) })]);
    const tables = ['process_context', 'process_owner', 'command', 'path'];
    // Two paths beside that of the executable, which commands name too.
    expect(tables.map((table) => store.count(table))).toEqual([2, 2, 1, 3]);
  });
});
