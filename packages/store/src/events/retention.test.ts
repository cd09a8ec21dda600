import fc from 'fast-check';
import type { ProcessRecord } from '@sentineld/model/process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { command, executable, image, openStore, processEvent, record, type Row, type TestStore } from './fixtures/scans.fixture.ts';
import type { MaintenanceLimits, MaintenanceReport } from './writer.ts';

let store: TestStore;
beforeEach(() => {
  store = openStore();
});
afterEach(() => store.remove());

const START_MS = 1_700_000_000_000;
/** Of scan n; scans are a second apart. */
const timeOf = (scan: number): number => START_MS + scan * 1000;
const UNLIMITED: MaintenanceLimits = { ageMs: 1e12, sizeBytes: 1e12, nowMs: timeOf(1e6), maxRows: 1000, maxMs: 1e6 };

/** Keeps scans from the one with the number on. */
const from = (scan: number, changes: Partial<MaintenanceLimits> = {}): MaintenanceLimits => ({
  ...UNLIMITED,
  ageMs: 1_000_000,
  nowMs: timeOf(scan) + 1_000_000,
  ...changes,
});

function maintain(limits: MaintenanceLimits): MaintenanceReport[] {
  const reports: MaintenanceReport[] = [];
  do reports.push(store.writer().maintain(limits));
  while (reports.at(-1)?.more === true && reports.length < 10_000);
  expect(reports.at(-1)?.more).toBe(false);
  return reports;
}

const scanIds = (): number[] => store.rows('SELECT id FROM scan ORDER BY id').map((row) => Number(row['id']));

/** What may not be: rows that refer to what is gone, and rows that nobody can see any more. */
const REFERENCES: readonly (readonly [table: string, column: string, parent: string])[] = [
  ['process_image', 'command_id', 'command'],
  ['process_image', 'owner_id', 'process_owner'],
  ['process_image', 'context_id', 'process_context'],
  ['process_image', 'cwd_id', 'path'],
  ['process_image', 'executable_id', 'executable'],
  ['process_image', 'run_id', 'collector_run'],
  ['process_sample', 'image_id', 'process_image'],
  ['process_event', 'command_id', 'command'],
  ['process_event', 'parent_id', 'command'],
  ['process_event', 'run_id', 'collector_run'],
  ['command', 'exe_path_id', 'path'],
];
const FAULTS: Readonly<Record<string, string>> = Object.fromEntries(
  REFERENCES.map(([table, column, parent]) => [
    `${table}.${column}`,
    `SELECT 1 FROM ${table} WHERE ${column} IS NOT NULL AND ${column} NOT IN (SELECT id FROM ${parent})`,
  ]),
);
const LEFT_OVER: Readonly<Record<string, string>> = {
  images: 'SELECT 1 FROM process_image WHERE last_scan < (SELECT min(id) FROM scan)',
  events: 'SELECT 1 FROM process_event WHERE seq <= (SELECT events_after FROM scan ORDER BY id LIMIT 1)',
  epochs: 'SELECT 1 FROM epoch WHERE first_scan < (SELECT max(first_scan) FROM epoch WHERE first_scan <= (SELECT min(id) FROM scan))',
  commands: `SELECT 1 FROM command WHERE id < (SELECT min(first_command) FROM epoch) AND id NOT IN (SELECT command_id FROM process_image)`,
  contexts: `SELECT 1 FROM process_context WHERE id < (SELECT min(first_context) FROM epoch)
    AND id NOT IN (SELECT context_id FROM process_image WHERE context_id IS NOT NULL)`,
  executables: `SELECT 1 FROM executable WHERE used_scan < (SELECT min(first_scan) FROM epoch)
    AND id NOT IN (SELECT executable_id FROM process_image WHERE executable_id IS NOT NULL)`,
};
const violated = (checks: Readonly<Record<string, string>>): string[] =>
  Object.entries(checks)
    .filter(([, sql]) => store.rows(sql).length > 0)
    .map(([name]) => name);

/** A process in one scan of a made-up history. */
type Seen = { readonly pid: number; readonly life: number; readonly version: number; readonly pages: number };
type Step = { readonly processes: readonly Seen[]; readonly events: readonly number[]; readonly jump: boolean; readonly restart: boolean };

const small = (max: number): fc.Arbitrary<number> => fc.nat({ max });
const step: fc.Arbitrary<Step> = fc.record({
  processes: fc.uniqueArray(fc.record({ pid: fc.integer({ min: 1, max: 6 }), life: small(1), version: small(3), pages: small(2) }), {
    selector: ({ pid }) => pid,
    maxLength: 6,
  }),
  events: fc.array(small(3), { maxLength: 3 }),
  jump: fc.boolean(),
  restart: fc.boolean(),
});

function imageOf(version: number): ProcessRecord['image'] {
  const unit = `v${version}.service`;
  return image({
    name: `v${version}`,
    argv: ['v', String(version)],
    cwd: `/v${version}`,
    userId: version,
    exe: version === 3 ? null : executable(`/bin/v${version}`),
    controlGroup: version === 2 ? null : { path: `/${unit}`, containerId: null, runtime: null, podId: null, unit },
  });
}

const EPOCH_SCANS = 4096;

/** Plays the steps, each a scan; a jump is to the last scans of an epoch. */
function play(steps: readonly Step[]): void {
  for (const { processes, events, jump, restart } of steps) {
    const newest = scanIds().at(-1) ?? 0;
    if (jump && newest > 0) {
      const next = (Math.floor(newest / EPOCH_SCANS) + 1) * EPOCH_SCANS - 3;
      if (next > newest) store.meddle(`UPDATE sqlite_sequence SET seq = ${next} WHERE name = 'scan'`);
    }
    if (restart) store.restart();
    store
      .writer()
      .recordEvents(
        events.map((version, index) =>
          processEvent(1 + index, { command: command({ name: `v${version}`, argv: ['v', String(version)] }) }),
        ),
      );
    store.write(
      processes.map(({ pid, life, version, pages }) =>
        record(pid, { startTicks: pid * 10 + life, image: imageOf(version), memoryBytes: pages * 4096 }),
      ),
      { startTimeMs: timeOf(store.count('scan') + 1) },
    );
  }
}

type Told = {
  readonly scans: readonly Row[];
  readonly snapshots: readonly Row[];
  readonly processes: readonly Row[];
  readonly events: readonly Row[];
};

/** Without the one column that says what else is kept. */
function whatIsTold(): Told {
  return {
    scans: store.rows('SELECT * FROM scan_metadata ORDER BY id'),
    snapshots: store.rows('SELECT * FROM process_snapshots ORDER BY id'),
    processes: store.rows('SELECT * FROM processes ORDER BY id'),
    events: store.rows('SELECT * FROM process_events ORDER BY seq').map(({ image_id: _image, ...row }) => row),
  };
}

/** Whether what is told now is what was told before of the scans that are kept, and of the events before these. */
function expectKept(before: Told): void {
  const kept = scanIds();
  const after = whatIsTold();
  expect(after.scans).toEqual(before.scans.filter((row) => Number(row['id']) >= (kept[0] ?? 0)));
  expect(after.snapshots).toEqual(before.snapshots.filter((row) => Number(row['scan_id']) >= (kept[0] ?? 0)));
  expect(after.processes).toEqual(before.processes);
  expect(after.events).toEqual(before.events.slice(before.events.length - after.events.length));
  const [{ seq = 0 } = {}] = store.rows('SELECT events_after AS seq FROM scan ORDER BY id LIMIT 1');
  expect(after.events.filter((row) => Number(row['seq']) > Number(seq))).toEqual(
    before.events.filter((row) => Number(row['seq']) > Number(seq)),
  );
  expect(violated(FAULTS)).toEqual([]);
}

describe('retention', () => {
  it('of any history leaves every kept scan as it was, after each slice and for what is written then', () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 2, maxLength: 12 }),
        small(12),
        fc.constantFrom(1, 3, 20, 1000),
        fc.array(step, { maxLength: 3 }),
        (steps, keep, maxRows, later) => {
          const own = openStore();
          const outer = store;
          store = own;
          try {
            play(steps);
            const before = whatIsTold();
            for (let slices = 0; slices < 2000; slices++) {
              const report = store.writer().maintain(from(keep + 1, { maxRows }));
              expect(report.rowsDeleted).toBeLessThanOrEqual(maxRows);
              expectKept(before);
              expect(report.oldestScanId).toBe(scanIds()[0]);
              if (!report.more) break;
            }
            const newest = before.scans.at(-1);
            expect(scanIds()).toEqual(
              before.scans.filter((row) => Number(row['start_time']) >= timeOf(keep + 1) || row === newest).map((row) => row['id']),
            );
            expect(violated(LEFT_OVER)).toEqual([]);
            play(later);
            const after = whatIsTold().snapshots;
            const kept = before.snapshots.filter((row) => scanIds().includes(Number(row['scan_id'])));
            expect(after.slice(0, kept.length)).toEqual(kept);
            expect(after).toHaveLength(kept.length + later.reduce((sum, { processes }) => sum + processes.length, 0));
            expect(violated(FAULTS)).toEqual([]);
          } finally {
            store.remove();
            store = outer;
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it('says by table what went, and at the end that nothing is left to do', () => {
    for (let scan = 1; scan <= 10; scan++) {
      store.writer().recordEvents([processEvent(scan)]);
      store.write([record(1, { memoryBytes: scan * 4096 }), record(scan + 1)], { startTimeMs: timeOf(scan) });
    }
    const [report] = maintain(from(8));
    // Old samples of a process that goes on stay until the oldest scan has moved on a good deal.
    expect(report).toMatchObject({
      deletedByTable: { scan: 7, process_image: 7, process_sample: 7, process_event: 7 },
      rowsDeleted: 28,
      oldestScanId: 8,
      more: false,
    });
    expect(maintain(from(8))).toMatchObject([{ rowsDeleted: 0 }]);
    expect(store.rows('SELECT seq FROM process_events').map((row) => row['seq'])).toEqual([8, 9, 10]);
  });

  it('takes old samples of a process that goes on, except for the one that tells what it was', () => {
    for (let scan = 1; scan <= 100; scan++)
      store.write([record(1, { memoryBytes: (1 + Math.floor(scan / 5)) * 4096 })], { startTimeMs: timeOf(scan) });
    const before = whatIsTold();
    maintain(from(82));
    expect(store.rows('SELECT min(scan_id) AS first, count(*) AS n FROM process_sample')).toEqual([{ first: 80, n: 5 }]);
    expectKept(before);
  });

  it('never takes the newest scan, however old it is', () => {
    for (let scan = 1; scan <= 5; scan++) store.write([record(1), record(2)], { startTimeMs: timeOf(scan) });
    maintain(from(1_000));
    expect(scanIds()).toEqual([5]);
    expect(store.count('processes')).toBe(2);
  });

  it('takes scans whose time was wrong with their neighbours, and none for a clock that is wrong now', () => {
    const times = [1, 2, 900_000, 3, 4, 5].map(timeOf);
    for (const startTimeMs of times) store.write([record(1)], { startTimeMs });
    maintain({ ...from(4), nowMs: 0 });
    expect(scanIds()).toHaveLength(6);
    maintain(from(4, { ageMs: 1000, nowMs: timeOf(5) }));
    expect(scanIds()).toEqual([5, 6]);
  });

  it('makes room by the oldest scans, down to the newest', () => {
    for (let scan = 1; scan <= 60; scan++) {
      store.write(
        Array.from({ length: 40 }, (_, index) => record(scan * 100 + index, { image: image({ argv: ['x'.repeat(200), String(scan)] }) })),
        { startTimeMs: timeOf(scan) },
      );
    }
    const used = (): number =>
      Number(
        store.rows('SELECT (p.page_count - f.freelist_count) * 4096 AS n FROM pragma_page_count p, pragma_freelist_count f')[0]?.['n'],
      );
    const all = used();
    maintain({ ...UNLIMITED, sizeBytes: all * 0.9 });
    expect(used()).toBeLessThanOrEqual(all * 0.9);
    expect(scanIds().length).toBeGreaterThan(10);
    const reports = maintain({ ...UNLIMITED, sizeBytes: 1 });
    expect(scanIds()).toEqual([60]);
    expect(store.count('process_image')).toBe(40);
    expect(reports.reduce((sum, { pagesFreed }) => sum + pagesFreed, 0)).toBeGreaterThan(0);
  });

  it('takes the oldest events where the newest scan is all that is left', () => {
    store.write([record(1)]);
    for (let batch = 0; batch < 50; batch++) store.writer().recordEvents(Array.from({ length: 100 }, (_, index) => processEvent(index)));
    maintain({ ...UNLIMITED, sizeBytes: 1, maxRows: 700 });
    expect(store.count('process_event')).toBe(0);
    store.writer().recordEvents([processEvent(1)]);
    expect(store.rows('SELECT seq FROM process_events')).toEqual([{ seq: 5001 }]);
  });

  it('stops after its time, and goes on in the next slice', () => {
    for (let scan = 1; scan <= 10; scan++) store.write([record(scan)], { startTimeMs: timeOf(scan) });
    expect(store.writer().maintain(from(9, { maxMs: 0 }))).toMatchObject({ rowsDeleted: 0, more: true });
    expect(scanIds()).toHaveLength(10);
    maintain(from(9));
    expect(scanIds()).toEqual([9, 10]);
  });

  it('that fails undoes its slice, and the next one is right', () => {
    for (let scan = 1; scan <= 10; scan++) store.write([record(scan)], { startTimeMs: timeOf(scan) });
    store.meddle("CREATE TRIGGER stop BEFORE DELETE ON process_image BEGIN SELECT raise(ABORT, 'not now'); END");
    expect(() => store.writer().maintain(from(9))).toThrow('not now');
    expect([scanIds().length, store.count('process_sample')]).toEqual([10, 10]);
    store.meddle('DROP TRIGGER stop');
    maintain(from(9));
    expect([scanIds(), store.count('process_sample')]).toEqual([[9, 10], 2]);
  });

  it('of nothing does nothing', () => {
    expect(store.writer().maintain(UNLIMITED)).toEqual({
      rowsDeleted: 0,
      deletedByTable: {},
      pagesFreed: 0,
      oldestScanId: null,
      more: false,
    });
  });
});
