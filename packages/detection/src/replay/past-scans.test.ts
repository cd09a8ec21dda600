import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openReader, type Reader } from '@sentineld/store/reader';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readPastScans } from './past-scans.ts';

let directory: string;
let reader: Reader;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-past-'));
  const path = join(directory, 'events.db');
  const database = new DatabaseSync(path);
  database.exec(`CREATE TABLE process_event (seq INTEGER PRIMARY KEY);
    CREATE TABLE scan (id INTEGER PRIMARY KEY, start_time_ms INTEGER, interval_ms INTEGER, events_until INTEGER, events_tier TEXT,
      events_lost INTEGER, events_dropped INTEGER, events_overruns INTEGER);
    INSERT INTO process_event VALUES (17), (18);
    INSERT INTO scan VALUES (3, 1000, NULL, 10, 'kernel', 0, 0, 0), (4, 2000, 1000, 15, 'kernel', 2, 1, 0),
      (5, 3000, NULL, 15, 'off', 0, 0, 0), (7, 4000, 1000, 20, 'trace', 0, 0, 4)`);
  database.close();
  reader = openReader({ databases: [{ schema: 'main', path }], schema: EVENTS_SCHEMA, functions: new Set() });
});
afterEach(() => {
  reader.close();
  rmSync(directory, { recursive: true });
});

describe('the scans of a range', () => {
  it('say what became of the events before each', () => {
    expect(readPastScans(reader, 0, 9000)).toEqual({
      before: null,
      oldestEvent: 17,
      scans: [
        { id: 3, startMs: 1000, intervalMs: null, eventsUntil: 10, missed: [] },
        { id: 4, startMs: 2000, intervalMs: 1000, eventsUntil: 15, missed: ['lost', 'dropped'] },
        { id: 5, startMs: 3000, intervalMs: null, eventsUntil: 15, missed: ['away', 'no_source'] },
        { id: 7, startMs: 4000, intervalMs: 1000, eventsUntil: 20, missed: ['overrun'] },
      ],
    });
  });

  it('begin at its beginning, end before its end, and know the scan before them', () => {
    const { scans, before } = readPastScans(reader, 2000, 4000);
    expect([before?.id, scans.map(({ id }) => id)]).toEqual([3, [4, 5]]);
  });

  it('may be none', () => {
    expect(readPastScans(reader, 9000, 9001)).toEqual({ scans: [], before: null, oldestEvent: 17 });
  });
});
