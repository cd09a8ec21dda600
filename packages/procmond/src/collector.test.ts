import { NO_EVENTS, type EventCoverage } from '@sentineld/model/process-event';
import { ScanCompletedSchema } from '@sentineld/model/reply';
import type { ScanCompleted } from '@sentineld/model/scan';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createCollector, type Collector } from './collector.ts';
import { createFakes, ledgerError, scanOf, type Fakes } from './fixtures/fakes.fixture.ts';

afterEach(() => vi.restoreAllMocks());

function collect(fakes: Fakes, onScan: (scan: ScanCompleted) => void = () => undefined, intervalMs = 1000): Collector {
  return createCollector({ ...fakes, intervalMs: () => intervalMs, onScan, onTurn: () => undefined });
}

const ROUND = [
  'check',
  'append process_scan_start',
  'flush',
  'scan',
  'record scan- poll',
  'stored',
  'end interval',
  'append process_scan_complete',
];

describe('a scan', () => {
  it('is framed by two entries of the ledger, and told once it is on disk', () => {
    const fakes = createFakes();
    const told: ScanCompleted[] = [];
    const collector = collect(fakes, (scan) => {
      fakes.done.push('told');
      told.push(scan);
    });
    const completed = collector.scanOnce();
    expect(fakes.done).toEqual([...ROUND, 'told']);
    expect(told).toEqual([completed]);
    expect(completed).toEqual({
      event: 'scan.completed',
      scanId: 1,
      correlationId: expect.stringMatching(/^scan-[0-9a-f]{16}$/),
      timestampMs: 1000,
      durationMs: 9.9,
      processes: 3,
      accessible: 2,
      started: 1,
      changed: 2,
      stopped: 3,
      reducedVisibility: null,
      events: NO_EVENTS,
    });
    expect(collector.state).toEqual({ scans: 1, last: completed, failure: null });
    expect(ScanCompletedSchema.parse(JSON.parse(JSON.stringify(completed)))).toEqual(completed);
  });

  it('has one correlation id in both entries and in the log, another one in the next', () => {
    const fakes = createFakes(() => scanOf({ reason: 'something is hidden' }));
    const collector = collect(fakes);
    const ids = [collector.scanOnce(), collector.scanOnce()].map((scan) => scan?.correlationId);
    expect(new Set(ids).size).toBe(2);
    expect(fakes.entries.map(({ data }) => data['correlation_id'])).toEqual([ids[0], ids[0], ids[1], ids[1]]);
    expect(fakes.entries[1]?.data).toEqual({
      correlation_id: ids[0],
      scan_id: 1,
      duration_ms: 9.9,
      processes: 3,
      accessible: 2,
      started: 1,
      changed: 2,
      stopped: 3,
      vanished: 4,
      errors: 5,
      rows_written: 11,
      execs: 0,
      exits: 0,
    });
    expect(fakes.logged[0]).toMatchObject({
      name: 'scan.completed',
      fields: { correlationId: ids[0], reducedVisibility: 'something is hidden' },
    });
  });
});

describe('a scan that fails', () => {
  it.each(['append process_scan_start', 'scan', 'record', 'append process_scan_complete'])(
    'in "%s" is told by the state, and the next is tried',
    (step) => {
      const fakes = createFakes();
      const told: unknown[] = [];
      const collector = collect(fakes, (scan) => told.push(scan));
      const now = vi.spyOn(Date, 'now').mockReturnValue(5000);
      fakes.failing.set(step, new Error('disk is full'));
      expect(collector.scanOnce()).toBeNull();
      expect(collector.state).toEqual({ scans: 0, last: null, failure: { message: 'disk is full', sinceMs: 5000 } });
      expect(fakes.logged).toEqual([{ level: 'error', name: 'scan.failed', fields: { error: 'disk is full' } }]);
      // Since when, of all failures in a row.
      now.mockReturnValue(9000);
      fakes.failing.set(step, new Error('still full'));
      collector.scanOnce();
      expect(collector.state.failure).toEqual({ message: 'still full', sinceMs: 5000 });
      fakes.failing.clear();
      expect(collector.scanOnce()).not.toBeNull();
      expect(collector.state).toMatchObject({ scans: 1, failure: null });
      expect(told).toHaveLength(1);
    },
  );

  it('keeps the last one that did not', () => {
    const fakes = createFakes();
    const collector = collect(fakes);
    const first = collector.scanOnce();
    fakes.failing.set('record', new Error('x'));
    collector.scanOnce();
    expect(collector.state.last).toBe(first);
  });

  it('does not scan while the ledger takes nothing', () => {
    const fakes = createFakes();
    fakes.broken = ledgerError('no space');
    fakes.failing.set('reopen', ledgerError('no space yet'));
    const collector = collect(fakes);
    collector.scanOnce();
    expect(fakes.done).toEqual(['reopen']);
    expect(collector.state.failure?.message).toBe('no space yet');
    fakes.failing.clear();
    collector.scanOnce();
    expect(fakes.done).toEqual(['reopen', 'reopen', ...ROUND]);
    collector.scanOnce();
    expect(fakes.done.filter((step) => step === 'reopen')).toHaveLength(2);
  });

  it('is none where it was stored and only a listener failed', () => {
    const fakes = createFakes();
    const collector = collect(fakes, () => {
      throw new Error('listener');
    });
    expect(collector.scanOnce()).not.toBeNull();
    expect(collector.state).toMatchObject({ scans: 1, failure: null });
    expect(fakes.logged).toContainEqual(expect.objectContaining({ level: 'error', fields: { error: 'listener' } }));
  });
});

describe('the events of an interval', () => {
  const LOSS: EventCoverage = { ...NO_EVENTS, tier: 'kernel', execs: 40, exits: 39, lost: 3, overruns: 1, argvMissed: 2, stored: 79 };

  it('are stored and told with the scan that ends it, and a loss is an entry of its own', () => {
    const fakes = createFakes();
    fakes.interval = LOSS;
    const completed = collect(fakes).scanOnce();
    expect(completed?.events).toEqual(LOSS);
    expect(fakes.done).toContain('record scan- kernel');
    expect(fakes.entries.map(({ action }) => action)).toEqual(['process_scan_start', 'process_scan_complete', 'events_lost']);
    expect(fakes.entries[1]?.data).toMatchObject({ execs: 40, exits: 39 });
    const { correlationId } = completed ?? {};
    expect(fakes.entries[2]?.data).toEqual({
      correlation_id: correlationId,
      tier: 'kernel',
      lost: 3,
      overruns: 1,
      dropped: 0,
      argv_missed: 2,
    });
  });

  it('belong to the next scan where this one could not be stored', () => {
    const fakes = createFakes();
    fakes.failing.set('record', new Error('x'));
    const collector = collect(fakes);
    collector.scanOnce();
    expect(fakes.done).not.toContain('end interval');
    fakes.failing.clear();
    collector.scanOnce();
    expect(fakes.done.filter((step) => step === 'end interval')).toHaveLength(1);
  });
});

describe('storage that is paused', () => {
  it('is told what failed, and that a scan was stored again', () => {
    const fakes = createFakes();
    fakes.failing.set('record', new Error('full'));
    const collector = collect(fakes);
    collector.scanOnce();
    expect(fakes.done.slice(-2)).toEqual(['record scan- poll', 'failed']);
    fakes.failing.clear();
    fakes.pause = { kind: 'no_room', reason: 'full', sinceMs: 0 };
    fakes.done.length = 0;
    fakes.entries.length = 0;
    collector.scanOnce();
    expect(fakes.done.filter((step) => step !== 'flush')).toEqual([
      'check',
      'scan',
      'record scan- poll',
      'stored',
      'end interval',
      'append process_scan_start',
      'append process_scan_complete',
    ]);
  });

  it('is left alone, and nothing is scanned, while its log cannot be emptied', () => {
    const fakes = createFakes();
    fakes.failing.set('check', new Error('the log is held'));
    const collector = collect(fakes);
    expect(collector.scanOnce()).toBeNull();
    expect(fakes.done).toEqual(['check']);
    expect(collector.state.failure?.message).toBe('the log is held');
  });
});

describe('a source that has to prepare', () => {
  it('is waited for, and scanned also where it could not', async () => {
    const fakes = createFakes();
    let fail = false;
    const source = {
      scan: fakes.source.scan,
      prepare: async () => void (fail ? await Promise.reject(new Error('x')) : fakes.done.push('prepare')),
    };
    const collector = createCollector({ ...fakes, source, intervalMs: () => 5, onScan: () => undefined, onTurn: () => undefined });
    collector.start();
    expect(fakes.done).toEqual(['prepare']);
    await expect.poll(() => collector.state.scans).toBeGreaterThan(1);
    fail = true;
    const scans = collector.state.scans;
    await expect.poll(() => collector.state.scans).toBeGreaterThan(scans + 1);
    collector.stop();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const stoppedAt = collector.state.scans;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(collector.state.scans).toBe(stoppedAt);
  });
});

describe('the rhythm', () => {
  /** Runs the collector on a clock of its own: each scan takes as long as the list says; gives back when each began. */
  function begins(durations: readonly number[], intervalMs: number): number[] {
    let nowMs = 500;
    const began: number[] = [];
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
    const left = [...durations];
    const fakes = createFakes(() => {
      began.push(nowMs);
      nowMs += left.shift() ?? 0;
      return scanOf();
    });
    const waiting: { readonly run: () => void; readonly atMs: number }[] = [];
    vi.spyOn(globalThis, 'setTimeout').mockImplementation(((run: () => void, delayMs: number) => {
      expect(delayMs).toBeGreaterThanOrEqual(0);
      waiting.push({ run, atMs: nowMs + delayMs });
      return undefined;
    }) as never);
    const collector = collect(fakes, () => undefined, intervalMs);
    collector.start();
    while (left.length > 0) {
      expect(waiting).toHaveLength(1);
      const next = waiting.shift();
      nowMs = Math.max(nowMs, next?.atMs ?? 0);
      next?.run();
    }
    collector.stop();
    return began.map((atMs) => atMs - 500);
  }

  it('is from start to start', () => {
    expect(begins([10, 300, 10, 999, 10], 1000)).toEqual([0, 1000, 2000, 3000, 4000]);
  });

  it('starts anew after a scan that took longer, and makes up for nothing', () => {
    expect(begins([10, 3500, 10, 10], 1000)).toEqual([0, 1000, 4500, 5500]);
  });

  it('goes on where scans fail', () => {
    vi.useFakeTimers();
    try {
      const fakes = createFakes();
      fakes.failing.set('scan', new Error('x'));
      const collector = collect(fakes);
      collector.start();
      vi.advanceTimersByTime(3000);
      expect(fakes.done.filter((step) => step === 'scan')).toHaveLength(4);
      collector.stop();
      vi.advanceTimersByTime(10_000);
      expect(fakes.done.filter((step) => step === 'scan')).toHaveLength(4);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('ends with a scan that stops it', () => {
    vi.useFakeTimers();
    try {
      const fakes = createFakes();
      const collector: Collector = collect(fakes, () => collector.stop());
      collector.start();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});
