import type { ProcessRecord } from '@sentineld/model/process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AS_OF_SCAN_SQL, viewsAsOf } from './as-of.ts';
import { executable, image, openStore, processEvent, record, type TestStore } from './fixtures/scans.fixture.ts';
import { currentViews } from './views.ts';

let store: TestStore;
beforeEach(() => {
  store = openStore();
});
afterEach(() => store.remove());

const plan = (sql: string, ...parameters: readonly number[]): string[] =>
  store.rows(`EXPLAIN QUERY PLAN ${sql}`, ...parameters).map((row) => String(row['detail']));

/** Steps that look at every row of what grows with time. */
const fullScans = (steps: readonly string[]): string[] =>
  steps.filter((step) => /^SCAN (i|p|q|x|y|c|pc|e|s|process_\w+|scan|command|executable|path)\b/.test(step));

describe('the scan of a moment', () => {
  const scanAt = (ms: number): unknown => store.rows(AS_OF_SCAN_SQL, ms)[0]?.['id'];

  it('is the newest that had begun', () => {
    for (const startTimeMs of [1000, 2000, 2000, 3000]) store.write([], { startTimeMs });
    expect([999, 1000, 1999, 2000, 2999, 3000, 9000].map(scanAt)).toEqual([undefined, 1, 1, 3, 3, 4, 4]);
  });

  it('is one whose clock said that time, also where the clock was put back', () => {
    for (const startTimeMs of [1000, 2000, 90_000, 3000, 4000]) store.write([], { startTimeMs }, 500);
    expect([1500, 3500, 5000, 90_000].map(scanAt)).toEqual([1, 4, 5, 3]);
  });

  it('is found by an index', () => {
    expect(plan(AS_OF_SCAN_SQL, 1)).toEqual(['SEARCH scan USING COVERING INDEX scan_time (start_time_ms<?)']);
  });
});

const processOf = (pid: number): ProcessRecord =>
  record(pid, { image: image({ ppid: pid === 1 ? 0 : 1, name: `p${pid}`, exe: executable(`/bin/${pid}`), cwd: `/${pid}`, userId: pid }) });

describe('views of a past scan', () => {
  it('have the names and columns of those of now', () => {
    store.writer().recordEvents([processEvent(1)]);
    store.write([record(1)]);
    const past = viewsAsOf(1);
    expect(past.map(({ name }) => name)).toEqual(currentViews().map(({ name }) => name));
    for (const { name, sql } of past)
      expect(Object.keys(store.rows(sql)[0] ?? {})).toEqual(Object.keys(store.rows(`SELECT * FROM ${name}`)[0] ?? {}));
  });

  it('are empty for a scan that is not there, and refuse what is no id', () => {
    store.write([record(1)]);
    for (const { name, sql } of viewsAsOf(9))
      if (name.startsWith('process') && name !== 'process_snapshots') expect(store.rows(sql)).toEqual([]);
    for (const id of [0, -1, 1.5, Number.NaN, '1; DROP TABLE scan' as unknown as number]) expect(() => viewsAsOf(id)).toThrow(RangeError);
  });

  describe.each([
    ['a file that was never analysed', ''],
    ['a file with statistics of every table', 'ANALYZE'],
  ])('in %s', (_what, statement) => {
    beforeEach(() => {
      for (let scan = 0; scan < 40; scan++) {
        store.writer().recordEvents([processEvent(1000 + scan)]);
        store.write(Array.from({ length: 60 }, (_, index) => processOf(index < 50 ? index + 1 : index + 1 + scan)));
      }
      if (statement !== '') store.meddle(statement);
    });

    it.each(['processes', 'process_tree'])('%s looks at no row of another time', (view) => {
      const sql = viewsAsOf(20).find(({ name }) => name === view)?.sql ?? '';
      expect(store.rows(sql)).toHaveLength(60);
      expect(fullScans(plan(`SELECT * FROM (${sql})`))).toEqual([]);
      expect(fullScans(plan(`SELECT count(*) FROM (${sql}) WHERE name LIKE '%x%' OR exe_path = '/x'`))).toEqual([]);
      expect(fullScans(plan(`SELECT * FROM ${view}`))).toEqual([]);
      expect(fullScans(plan(`SELECT pid FROM ${view} WHERE name = 'x' AND exe_path LIKE '%x'`))).toEqual([]);
    });

    it('process_snapshots of a scan and of a pid look at no row of others', () => {
      for (const condition of ['scan_id = 20', 'pid = 7']) {
        expect(fullScans(plan(`SELECT * FROM process_snapshots WHERE ${condition}`))).toEqual([]);
      }
    });
  });
});
