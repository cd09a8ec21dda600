import { decodeHostBytes } from '@sentineld/model/host-text';
import {
  PROCESS_STATUSES,
  type ControlGroup,
  type ExecutableFile,
  type Namespaces,
  type ProcessImage,
  type ProcessRecord,
  type ProcessStatus,
} from '@sentineld/model/process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { viewsAsOf } from './as-of.ts';
import { BOOT, executable, image, openStore, processEvent, record, type Row, type TestStore } from './fixtures/scans.fixture.ts';
import { currentViews } from './views.ts';

/** What may happen between two scans. `pid` is one of a few, so that things meet. */
type Event =
  | { readonly kind: 'start'; readonly pid: number; readonly image: ProcessImage }
  | { readonly kind: 'exit' | 'reuse' | 'copy' | 'event'; readonly pid: number }
  | { readonly kind: 'change'; readonly pid: number; readonly image: Partial<ProcessImage> }
  | {
      readonly kind: 'numbers';
      readonly pid: number;
      readonly cpuPercent: number | null;
      readonly memoryBytes: number;
      readonly status: ProcessStatus;
      readonly threads: number | null;
    }
  | { readonly kind: 'hash'; readonly index: number; readonly readable: boolean }
  | { readonly kind: 'fail' | 'restart' | 'reboot' };

const TEXTS = ['', 'sh', 'a b', '"', '\u001b[2J', decodeHostBytes(Uint8Array.of(0x61, 0xff)), '\u{1F600}'];
const text = fc.constantFrom(...TEXTS);
const pid = fc.integer({ min: 1, max: 8 });
/** Three paths over two files in two versions: hashes are shared by file and version, rows are not. */
const file = fc
  .tuple(fc.constantFrom('/a', '/b', '/c'), fc.constantFrom('1', '2'), fc.constantFrom('7', '8'))
  .map(([path, inode, ctimeNs]): ExecutableFile => executable(path, inode, { ctimeNs }));
const controlGroup = fc.record<ControlGroup>({
  path: text,
  containerId: fc.option(text),
  runtime: fc.option(fc.constantFrom('docker', 'lxc')),
  podId: fc.option(text),
  unit: fc.option(fc.constant('ssh.service')),
});
const namespaces = fc
  .constantFrom(0, 4_026_531_835)
  .map((first): Namespaces => ({ cgroup: first, ipc: 1, mnt: first + 1, net: first + 2, pid: first + 3, user: 2, uts: 3 }));
const changes = fc.record<Partial<ProcessImage>>(
  {
    ppid: fc.integer({ min: 0, max: 9 }),
    name: text,
    exe: fc.option(file),
    exeDeleted: fc.boolean(),
    argv: fc.option(fc.array(text, { maxLength: 3 })),
    userId: fc.option(fc.nat({ max: 2 })),
    userName: fc.option(text),
    groupId: fc.option(fc.nat({ max: 2 })),
    realUserId: fc.option(fc.nat({ max: 2 })),
    realGroupId: fc.option(fc.nat({ max: 2 })),
    loginUserId: fc.option(fc.constantFrom(0, 1000, 4_294_967_294)),
    redacted: fc.nat({ max: 2 }),
    cwd: fc.option(text),
    controlGroup: fc.option(controlGroup),
    namespaces: fc.option(namespaces),
    sessionId: fc.nat({ max: 2 }),
    ttyNumber: fc.constantFrom(0, -1, 34_816),
    unseen: fc.constantFrom([], [{ field: 'exe', reason: 'EACCES' }] as const),
  },
  { requiredKeys: [] },
);
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('start' as const), pid, image: changes.map((some) => image(some)) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('exit' as const, 'reuse' as const, 'copy' as const, 'event' as const), pid }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('change' as const), pid, image: changes }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('numbers' as const),
      pid,
      cpuPercent: fc.option(fc.constantFrom(0, 1.5, 99.9)),
      memoryBytes: fc.constantFrom(0, 4096, 2 ** 52, 1, 4097, 2 ** 52 + 1),
      status: fc.constantFrom<ProcessStatus[]>(...PROCESS_STATUSES),
      threads: fc.constantFrom(null, 0, 1, 2, 3, 1000, 4_194_304),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('hash' as const), index: fc.nat({ max: 5 }), readable: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('fail' as const, 'restart' as const, 'reboot' as const) }) },
);

/** The naive table: everything of every process at every scan. Hashes are as they are known at the end. */
type Naive = {
  readonly rows: Row[];
  /** What every view said right after each scan. */
  readonly said: { readonly scanId: number; readonly views: Readonly<Record<string, readonly Row[]>> }[];
  readonly files: Map<string, { sha256: string | null; readonly file: ExecutableFile }>;
};

const versionOf = ({ dev, inode, sizeBytes, mtimeNs, ctimeNs }: ExecutableFile): string =>
  [dev, inode, sizeBytes, mtimeNs, ctimeNs].join(':');
const keyOf = (exe: ExecutableFile): string => `${versionOf(exe)}:${exe.path}`;

function noteFile(naive: Naive, exe: ExecutableFile): void {
  if (naive.files.has(keyOf(exe))) return;
  const known = [...naive.files.values()].find((other) => other.sha256 !== null && versionOf(other.file) === versionOf(exe));
  naive.files.set(keyOf(exe), { sha256: known?.sha256 ?? null, file: exe });
}

function noteScan(naive: Naive, scanId: number, timestampMs: number, bootId: string, processes: readonly ProcessRecord[]): void {
  for (const { pid: number, startTicks, image: seen, cpuPercent, memoryBytes, threads, status } of processes) {
    if (seen.exe !== null) noteFile(naive, seen.exe);
    naive.rows.push({
      id: scanId * 4_194_304 + number,
      scan_id: scanId,
      timestamp_ms: timestampMs,
      pid: number,
      ppid: seen.ppid,
      name: seen.name,
      exe_path: seen.exe?.path ?? null,
      command_line: seen.argv === null ? null : JSON.stringify(seen.argv),
      start_time: seen.startTimeMs,
      cpu_percent: cpuPercent,
      memory_bytes: memoryBytes,
      status,
      // The file's key, to be replaced by what is known of it in the end.
      exe_hash: seen.exe === null ? null : keyOf(seen.exe),
      hash_algorithm: 'sha256',
      user_name: seen.userName,
      user_id: seen.userId,
      platform_data: JSON.stringify({
        boot_id: bootId,
        start_ticks: startTicks,
        gid: seen.groupId,
        session: seen.sessionId,
        tty: seen.ttyNumber,
        unseen: seen.unseen,
        tty_name: seen.ttyNumber === 34_816 ? 'pts/0' : null,
        real_uid: seen.realUserId,
        real_gid: seen.realGroupId,
        login_uid: seen.loginUserId,
        threads,
        redacted: seen.redacted,
        cwd: seen.cwd,
        cgroup: seen.controlGroup?.path ?? null,
        container_id: seen.controlGroup?.containerId ?? null,
        container_runtime: seen.controlGroup?.runtime ?? null,
        pod_id: seen.controlGroup?.podId ?? null,
        unit: seen.controlGroup?.unit ?? null,
        namespaces: seen.namespaces,
      }),
    });
  }
}

/** Plays the events on a machine of records that are changed in place, as a source does it; one scan after each group. */
function play(store: TestStore, groups: readonly (readonly Event[])[]): { readonly naive: Naive; readonly last: readonly ProcessRecord[] } {
  const naive: Naive = { rows: [], said: [], files: new Map() };
  const machine = new Map<number, ProcessRecord>();
  let ticks = 0;
  let boots = 0;
  let bootId = BOOT;
  let last: readonly ProcessRecord[] = [];
  const apply = (one: Event): void => {
    const process = 'pid' in one ? machine.get(one.pid) : undefined;
    if (one.kind === 'start' && process === undefined) machine.set(one.pid, record(one.pid, { startTicks: ++ticks, image: one.image }));
    if (one.kind === 'exit') machine.delete(one.pid);
    if (one.kind === 'reuse' && process !== undefined) machine.set(one.pid, { ...process, startTicks: ++ticks });
    if (one.kind === 'copy' && process !== undefined) process.image = structuredClone(process.image);
    if (one.kind === 'change' && process !== undefined) process.image = { ...process.image, ...one.image };
    if (one.kind === 'numbers' && process !== undefined) {
      Object.assign(process, { cpuPercent: one.cpuPercent, memoryBytes: one.memoryBytes, status: one.status, threads: one.threads });
    }
    if (one.kind === 'hash') {
      const waiting = store.writer().executables.pending()[one.index];
      if (waiting === undefined) return;
      const sha256 = `${naive.files.size}`.padStart(64, '0');
      store.writer().executables.recordHash(waiting.id, one.readable ? { sha256 } : { error: 'EIO' });
      const noted = naive.files.get(keyOf(waiting.file));
      if (noted !== undefined && one.readable) noted.sha256 = sha256;
    }
    if (one.kind === 'event') {
      const { startTicks = null, image: seen } = process ?? { image: image() };
      const { name, exe, argv, redacted } = seen;
      const ran = { name, exePath: exe?.path ?? null, argv, redacted };
      store.writer().recordEvents([processEvent(one.pid, { startTicks, command: ran })]);
    }
    if (one.kind === 'restart') store.restart();
    if (one.kind === 'reboot') {
      bootId = `boot-${++boots}`;
      store.restart(bootId);
      // The same pids and start times mean other processes now; the records are those of another run of the source.
      for (const [number, old] of machine) machine.set(number, structuredClone(old));
    }
    if (one.kind === 'fail') {
      const broken = record(1000, { image: image({ sessionId: null as unknown as number }) });
      expect(() => store.write([...machine.values()].slice(1).concat(broken))).toThrow(/NOT NULL/);
    }
  };
  for (const [index, group] of groups.entries()) {
    for (const one of group) apply(one);
    last = [...machine.values()];
    const timestampMs = 1_700_000_000_000 + index;
    const { scanId } = store.write(last, { startTimeMs: timestampMs });
    noteScan(naive, scanId, timestampMs, bootId, last);
    const views = currentViews().map(({ name }) => [name, sayings(store, name, name)] as const);
    naive.said.push({ scanId, views: Object.fromEntries(views) });
  }
  return { naive, last };
}

/** Rows in an order of their own, without hashes: these are as they are known when one asks. */
function sayings(store: TestStore, from: string, view: string): readonly Row[] {
  const order = { process_tree: 'pid', process_events: 'seq', coverage: 'scan_id' }[view] ?? 'id';
  return store.rows(`SELECT * FROM ${from} ORDER BY ${order}`).map(({ exe_hash: _hash, ...row }) => row);
}

function withHashes({ rows, files }: Naive): Row[] {
  return rows
    .map((row): Row => ({ ...row, exe_hash: row['exe_hash'] === null ? null : (files.get(String(row['exe_hash']))?.sha256 ?? null) }))
    .toSorted((a, b) => Number(a['id']) - Number(b['id']));
}

describe('process_snapshots', () => {
  it('is, at every past scan and in every column, what a full copy of each scan would be', () => {
    fc.assert(
      fc.property(fc.array(fc.array(event, { maxLength: 6 }), { minLength: 1, maxLength: 10 }), (groups) => {
        const store = openStore();
        try {
          const { naive, last } = play(store, groups);
          expect(store.rows('SELECT * FROM process_snapshots ORDER BY id')).toEqual(withHashes(naive));
          // The newest scan, with its parents, from the same table.
          const byPid = new Map(last.map((process) => [process.pid, process.image]));
          const expected = last.toSorted((a, b) => a.pid - b.pid);
          expect(
            store.rows('SELECT pid, scan_id, cmdline, parent_name, parent_exe, parent_cmdline, exe_deleted FROM processes ORDER BY pid'),
          ).toEqual(
            expected.map(({ pid: number, image: seen }) => ({
              pid: number,
              scan_id: groups.length,
              cmdline: seen.argv?.join(' ') ?? null,
              parent_name: byPid.get(seen.ppid)?.name ?? null,
              parent_exe: byPid.get(seen.ppid)?.exe?.path ?? null,
              parent_cmdline: byPid.get(seen.ppid)?.argv?.join(' ') ?? null,
              exe_deleted: seen.exeDeleted ? 1 : 0,
            })),
          );
          for (const { scanId, views } of naive.said) {
            for (const { name, sql } of viewsAsOf(scanId))
              expect(sayings(store, `(${sql})`, name), `${name} of ${scanId}`).toEqual(views[name]);
          }
          // Nothing is left over: one live image for each process, each sample belongs to an image that held then.
          expect(store.rows('SELECT count(*) AS n FROM process_image WHERE last_scan = 2147483647')).toEqual([{ n: last.length }]);
          expect(store.rows('SELECT 1 FROM process_image WHERE last_scan < first_scan')).toEqual([]);
          expect(
            store.rows(
              'SELECT 1 FROM process_sample x JOIN process_image i ON i.id = x.image_id WHERE x.scan_id NOT BETWEEN i.first_scan AND i.last_scan',
            ),
          ).toEqual([]);
          expect(store.rows('SELECT sum(seen) AS n FROM scan')).toEqual([{ n: naive.rows.length }]);
        } finally {
          store.remove();
        }
      }),
      { numRuns: 60 },
    );
  });

  it('counts the rows that it says it wrote', () => {
    fc.assert(
      fc.property(fc.array(fc.array(event, { maxLength: 6 }), { minLength: 1, maxLength: 6 }), (groups) => {
        const store = openStore();
        try {
          const machine = new Map<number, ProcessRecord>();
          let ticks = 0;
          for (const group of groups) {
            for (const one of group) {
              if (one.kind === 'start') machine.set(one.pid, record(one.pid, { startTicks: ++ticks, image: one.image }));
              if (one.kind === 'exit') machine.delete(one.pid);
              const process = 'pid' in one ? machine.get(one.pid) : undefined;
              if (one.kind === 'change' && process !== undefined) process.image = { ...process.image, ...one.image };
            }
            const ended = (): number =>
              Number(store.rows('SELECT count(*) AS n FROM process_image WHERE ended_by_change IS NOT NULL')[0]?.['n']);
            const before = store.count('process_image') + store.count('process_sample') + ended();
            const { rowsWritten, started, changed } = store.write([...machine.values()]);
            expect(store.count('process_image') + store.count('process_sample') + ended() - before).toBe(rowsWritten);
            expect(rowsWritten).toBeGreaterThanOrEqual(2 * started + 3 * changed);
          }
        } finally {
          store.remove();
        }
      }),
      { numRuns: 20 },
    );
  });
});
