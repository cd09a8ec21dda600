import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CHANGED_SINCE, viewsOfChanges } from './as-of.ts';
import { image, openStore, record, type TestStore } from './fixtures/scans.fixture.ts';

let store: TestStore;
beforeEach(() => {
  store = openStore();
});
afterEach(() => store.remove());

/** The text of the view, with the number of a scan in the place of the function that a reader has. */
const changesSince = (scan: number): string => (viewsOfChanges()[0]?.sql ?? '').replaceAll(`${CHANGED_SINCE}()`, String(scan));
const pidsSince = (scan: number): unknown[] =>
  store
    .rows(changesSince(scan))
    .map(({ pid }) => pid)
    .toSorted();

const processOf = (pid: number, ppid: number, name: string) => record(pid, { image: image({ ppid, name }) });

describe('the view of changes', () => {
  it('has what is new, what changed, and the children of both; with 0 it is the view of processes', () => {
    store.write([processOf(1, 0, 'init'), processOf(2, 1, 'sh'), processOf(3, 2, 'child'), processOf(4, 1, 'still')]);
    store.write([
      processOf(1, 0, 'init'),
      processOf(2, 1, 'renamed'),
      processOf(3, 2, 'child'),
      processOf(4, 1, 'still'),
      processOf(5, 4, 'new'),
    ]);
    expect(pidsSince(2)).toEqual([]);
    expect(pidsSince(1)).toEqual([2, 3, 5]);
    expect(pidsSince(0)).toEqual([1, 2, 3, 4, 5]);
    const all = store.rows('SELECT * FROM processes ORDER BY pid');
    expect(store.rows(`SELECT * FROM (${changesSince(0)}) ORDER BY pid`)).toEqual(all);
    expect(store.rows(`SELECT * FROM (${changesSince(1)}) ORDER BY pid`)).toEqual(all.filter(({ pid }) => [2, 3, 5].includes(Number(pid))));
  });

  it('leaves out what has gone, and looks at living images alone', () => {
    for (let scan = 0; scan < 20; scan++) store.write([processOf(1, 0, 'init'), processOf(100 + scan, 1, 'short')]);
    expect(pidsSince(19)).toEqual([119]);
    expect(pidsSince(5)).toEqual([119]);
    const plan = store.rows(`EXPLAIN QUERY PLAN ${changesSince(5)}`).map(({ detail }) => String(detail));
    expect(plan.filter((step) => /^SCAN (i|q|p)\b/.test(step))).toEqual([]);
  });
});
