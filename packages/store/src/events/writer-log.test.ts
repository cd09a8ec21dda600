import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_EVENTS, type ProcessEvent } from '@sentineld/model/process-event';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEventsWriter, type EventsWriter } from './writer.ts';

const RUN = {
  startTimeMs: 1000,
  bootId: 'boot',
  hostname: 'host',
  osName: 'Linux',
  osVersion: '6',
  collectorVersion: '1',
  configHash: 'h',
};
let directory = '';
let path = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-writer-log-'));
  path = join(directory, 'events.db');
});
afterEach(() => rmSync(directory, { recursive: true }));

const open = (): EventsWriter => openEventsWriter(path, RUN);

function event(pid: number): ProcessEvent {
  const command = { name: 'p', exePath: `/bin/p${pid}`, argv: ['p', 'x'.repeat(2000), String(pid)], redacted: 0 };
  return {
    kind: 'exec',
    timestampMs: pid,
    pid,
    ppid: 1,
    startTicks: pid,
    userId: 0,
    groupId: 0,
    command,
    parent: null,
    exitCode: null,
    exitSignal: null,
  };
}

const batch = (first: number): ProcessEvent[] => Array.from({ length: 1000 }, (_, i) => event(first + i));
const walSize = (): number => (existsSync(`${path}-wal`) ? statSync(`${path}-wal`).size : 0);

describe('the log', () => {
  it('grows while somebody reads an old state, and is emptied afterwards', () => {
    const writer = open();
    writer.recordEvents(batch(0));
    const reader = new Database(path, { readonly: true });
    reader.prepare('BEGIN').run();
    reader.prepare('SELECT count(*) FROM scan').get();
    for (let i = 1; i < 10; i++) writer.recordEvents(batch(i * 1000));
    expect(walSize()).toBeGreaterThan(12_000_000);
    expect([writer.checkpoint().busy, writer.wal().bytes]).toEqual([true, walSize()]);
    reader.prepare('COMMIT').run();
    expect(writer.checkpoint().busy).toBe(false);
    expect(walSize()).toBeLessThan(8_388_609);
  });
});

describe('what is kept beside the events', () => {
  it('is the newest number of the spill files whose events were stored, with them or not at all', () => {
    const writer = open();
    expect([writer.spillStoredUpTo, writer.trustedMs]).toEqual([null, null]);
    writer.recordEvents([event(1)], 41);
    writer.recordEvents([event(2)]);
    const broken = { ...event(3), pid: 'no number' } as unknown as ProcessEvent;
    expect(() => writer.recordEvents([broken], 99)).toThrow('process_event');
    expect(open().spillStoredUpTo).toBe(41);
  });

  it('is the time that retention believed last', () => {
    const writer = open();
    const limits = { ageMs: 3_600_000, sizeBytes: 1e9, maxRows: 100, maxMs: 50 };
    writer.maintain({ ...limits, nowMs: 5000.4 });
    writer.maintain({ ...limits, nowMs: 6000 });
    expect(open().trustedMs).toBe(6000);
  });

  it('tells its size and how old it is', () => {
    const writer = open();
    expect(writer.size()).toMatchObject({ oldestScanMs: null, newestScanMs: null });
    const coverage = { seen: 0, accessible: 0, exeUnreadable: 0, argvUnreadable: 0, argvTruncated: 0, vanished: 0, errors: 0 };
    for (const startTimeMs of [7000, 8000]) {
      const scan = { startTimeMs, endTimeMs: startTimeMs, durationMs: 1, bootId: 'boot', loadAverage: null, processes: [] };
      writer.recordScan({ ...scan, coverage: { ...coverage, otherUsersHidden: false, reason: null } }, 'scan-1', 'poll', NO_EVENTS);
    }
    expect(writer.size()).toMatchObject({ oldestScanMs: 7000, newestScanMs: 8000 });
    expect(writer.size().sizeBytes).toBeGreaterThan(4096);
  });
});
