import { readFileSync, statSync, writeFileSync } from 'node:fs';
import type { ProcessRecord } from '@sentineld/model/process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore, record, RUN, type TestStore } from './fixtures/scans.fixture.ts';
import { openEventsWriter } from './writer.ts';

let store: TestStore;
beforeEach(() => {
  store = openStore();
});
afterEach(() => store.remove());

const crowd = (size: number): ProcessRecord[] => Array.from({ length: size }, (_, index) => record(index + 1));

describe('the time since the scan before', () => {
  it('is not what the time of day jumped by', () => {
    const first = 1_700_000_000_000;
    const times = [first, first + 63_072_000_000, first - 3_600_000];
    for (const startTimeMs of times) store.write(crowd(1), { startTimeMs }, 500);
    expect(store.rows('SELECT start_time_ms AS at, interval_ms AS ms FROM scan ORDER BY id')).toEqual([
      { at: times[0], ms: null },
      { at: times[1], ms: 500 },
      { at: times[2], ms: 500 },
    ]);
  });
});

describe('a file that is damaged where the newest processes are', () => {
  it('is refused as such, and not a byte of it is changed', () => {
    store.write(crowd(200));
    store.writer().stop();
    const copy = `${store.path}.copy`;
    const bytes = readFileSync(store.path);
    const [{ page = 0 } = {}] = store.rows("SELECT rootpage AS page FROM sqlite_schema WHERE name = 'process_image'");
    writeFileSync(copy, bytes.fill(0xa5, (Number(page) - 1) * 4096, Number(page) * 4096), { mode: 0o640 });
    expect(() => openEventsWriter(copy, RUN)).toThrow(expect.objectContaining({ code: 'store.corrupt' }));
    expect(readFileSync(copy).equals(bytes)).toBe(true);
    expect(statSync(`${copy}-wal`, { throwIfNoEntry: false })?.size ?? 0).toBe(0);
  });
});
