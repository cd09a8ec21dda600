import { SentinelError } from '@sentineld/model/error';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createFakes, ledgerError } from './fixtures/fakes.fixture.ts';
import { createEpochs, type LedgerEpochs } from './ledger-epochs.ts';

beforeEach(() => void vi.useFakeTimers());
let epochs: LedgerEpochs | null = null;
afterEach(() => {
  epochs?.stop();
  vi.useRealTimers();
});

function create(settings: { intervalMs: number } = { intervalMs: 60_000 }) {
  const fakes = createFakes();
  epochs = createEpochs({ ledger: fakes.ledger, intervalMs: () => settings.intervalMs, nowMs: () => performance.now(), log: fakes.log });
  const closed = (): number => fakes.done.filter((word) => word === 'checkpoint').length;
  return { fakes, settings, closed, made: epochs };
}

describe('epochs', () => {
  it('are closed at the start and each time the interval is over, whether or not anything was recorded', () => {
    const { made, closed } = create();
    expect(closed()).toBe(0);
    made.start();
    expect(closed()).toBe(1);
    vi.advanceTimersByTime(59_999);
    expect(closed()).toBe(1);
    vi.advanceTimersByTime(1);
    expect(closed()).toBe(2);
    vi.advanceTimersByTime(600_000);
    expect(closed()).toBe(12);
    made.stop();
    vi.advanceTimersByTime(600_000);
    expect(closed()).toBe(12);
  });

  it('take a new interval within a minute, however long the old one was', () => {
    const { made, closed, settings } = create({ intervalMs: 86_400_000 });
    made.start();
    vi.advanceTimersByTime(7_200_000);
    expect(closed()).toBe(1);
    settings.intervalMs = 1000;
    vi.advanceTimersByTime(60_000);
    const before = closed();
    expect(before).toBeGreaterThan(1);
    vi.advanceTimersByTime(10_000);
    expect(closed()).toBe(before + 10);
  });

  it('go on while the ledger has failed or lives on its reserve, and are closed soon after', () => {
    const { made, closed, fakes } = create();
    fakes.broken = ledgerError('no space');
    made.start();
    vi.advanceTimersByTime(120_000);
    expect(closed()).toBe(0);
    fakes.broken = null;
    fakes.reserve = true;
    vi.advanceTimersByTime(120_000);
    expect([closed(), made.close()]).toEqual([0, false]);
    fakes.reserve = false;
    vi.advanceTimersByTime(5_000);
    expect(closed()).toBe(1);
    expect(fakes.logged).toEqual([]);
  });

  it('that cannot be closed are tried again, with the reason in the log', () => {
    const { made, closed, fakes } = create();
    fakes.failing.set('checkpoint', new SentinelError('state.held', { message: 'a lock is held' }));
    made.start();
    expect(fakes.logged).toEqual([{ level: 'error', name: 'ledger.epoch_not_closed', fields: { error: 'a lock is held' } }]);
    const sinceMs = Date.now();
    vi.advanceTimersByTime(5_000);
    expect(made.failure()).toEqual({ message: 'a lock is held', sinceMs });
    fakes.failing.clear();
    vi.advanceTimersByTime(5_000);
    expect([closed(), made.failure()]).toEqual([3, null]);
    // From then on by the interval.
    vi.advanceTimersByTime(59_999);
    expect(closed()).toBe(3);
    vi.advanceTimersByTime(1);
    expect([closed(), made.close()]).toEqual([4, true]);
  });
});
