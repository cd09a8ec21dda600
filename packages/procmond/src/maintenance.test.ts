import type { AuditEvent } from '@sentineld/model/audit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createFakes } from './fixtures/fakes.fixture.ts';
import { createMaintenance, type MaintenanceOptions } from './maintenance.ts';

type Report = ReturnType<MaintenanceOptions['events']['maintain']>;
const report = (changes: Partial<Report> = {}): Report => ({
  rowsDeleted: 0,
  deletedByTable: {},
  pagesFreed: 0,
  more: false,
  oldestScanId: 5,
  ...changes,
});

function create(reports: readonly (Report | Error)[], mayDelete = true) {
  const left = [...reports];
  const asked: unknown[] = [];
  const recorded: AuditEvent[] = [];
  const fakes = createFakes();
  const maintenance = createMaintenance({
    events: {
      maintain: (limits) => {
        asked.push(limits);
        const next = left.shift() ?? report();
        if (next instanceof Error) throw next;
        return next;
      },
    },
    limits: () => ({ ageMs: 100, sizeBytes: 200 }),
    trustedNow: () => 300,
    mayDelete: () => mayDelete,
    record: (event) => recorded.push(event),
    log: fakes.log,
  });
  return { maintenance, asked, recorded, fakes };
}

afterEach(() => vi.useRealTimers());

describe('maintenance', () => {
  it('asks for a small slice by the clock that is believed', () => {
    const { maintenance, asked } = create([]);
    expect(maintenance.slice()).toBe(false);
    expect(asked).toEqual([{ ageMs: 100, sizeBytes: 200, nowMs: 300, maxRows: 5000, maxMs: 50 }]);
  });

  it('makes one entry of all slices in a row, and none where nothing was deleted', () => {
    const { maintenance, recorded } = create([
      report(),
      report({ rowsDeleted: 5000, deletedByTable: { scan: 10, process_image: 4990 }, more: true }),
      report({ rowsDeleted: 7, deletedByTable: { scan: 7 }, pagesFreed: 3, oldestScanId: 9 }),
      report(),
    ]);
    const more = [1, 2, 3, 4].map(() => maintenance.slice());
    expect(more).toEqual([false, true, false, false]);
    expect(recorded).toEqual([
      { action: 'retention', data: { rows_deleted: { scan: 17, process_image: 4990 }, pages_freed: 3, oldest_scan: 9 } },
    ]);
  });

  it('deletes nothing while it may not', () => {
    const { maintenance, asked } = create([], false);
    expect(maintenance.slice()).toBe(false);
    expect(asked).toEqual([]);
  });

  it('goes on in a second while there is more, in a minute otherwise, also after a failure', () => {
    vi.useFakeTimers();
    const { maintenance, asked, fakes } = create([
      report({ rowsDeleted: 1, deletedByTable: { scan: 1 }, more: true }),
      new Error('locked'),
      report(),
    ]);
    maintenance.start();
    vi.advanceTimersByTime(59_999);
    expect(asked).toHaveLength(0);
    vi.advanceTimersByTime(1);
    expect(asked).toHaveLength(1);
    vi.advanceTimersByTime(1000);
    expect(asked).toHaveLength(2);
    expect(fakes.logged).toEqual([{ level: 'error', name: 'retention.failed', fields: { error: 'locked' } }]);
    vi.advanceTimersByTime(60_000);
    expect(asked).toHaveLength(3);
    maintenance.stop();
    vi.advanceTimersByTime(600_000);
    expect(asked).toHaveLength(3);
  });
});
