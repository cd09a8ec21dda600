import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTimetable } from './timetable.ts';

const HOUR_MS = 3_600_000;
/** Three o'clock at night of the host. */
const THREE_MS = new Date(2026, 0, 2, 3, 0).getTime();

/** Runs a rule at each of these times where it is due, and gives the times at which it was. */
function runs(schedule: string, times: readonly { readonly monotonicMs: number; readonly wallMs: number }[]): number[] {
  const timetable = createTimetable(schedule);
  return times.flatMap((now, at) => {
    if (!timetable.isDue(now)) return [];
    timetable.ran(now);
    return [at];
  });
}

const steady = (count: number, stepMs: number, wallMs = THREE_MS) =>
  Array.from({ length: count }, (_, at) => ({ monotonicMs: at * stepMs, wallMs: wallMs + at * stepMs }));

describe('a rule without a schedule', () => {
  it('is due with every scan, and never waited for', () => {
    expect(runs('scan', steady(4, 1000))).toEqual([0, 1, 2, 3]);
    expect(createTimetable().nextMs({ monotonicMs: 0, wallMs: 5 })).toBeNull();
  });
});

describe('an interval', () => {
  it('is kept on the average by scans of another rhythm', () => {
    expect(runs('every 30s', steady(13, 10_000))).toEqual([0, 3, 6, 9, 12]);
    // Scans that come a little early do not make every second one of them pass.
    const early = Array.from({ length: 11 }, (_, at) => ({ monotonicMs: at * 29_990, wallMs: 0 }));
    expect(runs('every 30s', early).length).toBeGreaterThanOrEqual(9);
  });

  it('is not changed by a jump of the time of day, and makes up for nothing', () => {
    const jumping = steady(7, 10_000).map((now, at) => ({ ...now, wallMs: at % 2 === 0 ? 0 : now.wallMs * 2 }));
    expect(runs('every 30s', jumping)).toEqual([0, 3, 6]);
    const late = [0, 10_000, 500_000, 510_000, 520_000, 530_000].map((monotonicMs) => ({ monotonicMs, wallMs: 0 }));
    expect(runs('every 30s', late)).toEqual([0, 2, 5]);
  });

  it('says when it is due next', () => {
    const timetable = createTimetable('every 5m');
    const now = { monotonicMs: 1000, wallMs: THREE_MS };
    expect(timetable.nextMs(now)).toBe(THREE_MS);
    timetable.ran(now);
    expect(timetable.nextMs({ monotonicMs: 61_000, wallMs: THREE_MS + 60_000 })).toBe(THREE_MS + 300_000);
  });

  it('is never run more often than it says, whatever scans do', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 60 }), (steps) => {
        let monotonicMs = 0;
        const times = steps.map((step) => ({ monotonicMs: (monotonicMs += step), wallMs: 0 }));
        const lastMs = times.at(-1)?.monotonicMs ?? 0;
        expect(runs('every 30s', times).length).toBeLessThanOrEqual(1 + Math.ceil((lastMs - (times[0]?.monotonicMs ?? 0)) / 30_000));
      }),
    );
  });
});

describe('times of day', () => {
  const NIGHTLY = 'cron: 0 3 * * *';
  const at = (wallMs: number) => ({ monotonicMs: 0, wallMs });

  it('are met by the first scan from then on, once', () => {
    const times = steady(60 * 26, 60_000, THREE_MS - 90_000);
    expect(runs(NIGHTLY, times)).toEqual([2, 2 + 24 * 60]);
  });

  it('are not waited for at the start', () => {
    const timetable = createTimetable(NIGHTLY);
    expect(timetable.nextMs(at(THREE_MS - 1000))).toBe(THREE_MS);
    expect(timetable.isDue(at(THREE_MS - 1000))).toBe(false);
  });

  it('that went by are met once, when the clock jumps ahead', () => {
    const days = [THREE_MS - 60_000, THREE_MS + 10 * 24 * HOUR_MS, THREE_MS + 10 * 24 * HOUR_MS + 60_000].map(at);
    expect(runs(NIGHTLY, days)).toEqual([1]);
  });

  it('are reckoned anew when the clock is set back', () => {
    const ahead = THREE_MS + 365 * 24 * HOUR_MS;
    const times = [ahead, ahead + HOUR_MS, THREE_MS - HOUR_MS, THREE_MS, THREE_MS + 60_000].map(at);
    expect(runs(NIGHTLY, times)).toEqual([3]);
    const timetable = createTimetable(NIGHTLY);
    timetable.ran(at(ahead));
    expect(timetable.nextMs(at(THREE_MS - HOUR_MS))).toBe(THREE_MS);
  });
});
