import { expect, it } from 'vitest';
import { createTimetable } from '../rules/timetable.ts';
import { createPastClock } from './past-clock.ts';

/** The scans at which a rule with this schedule would have been run. */
function runs(schedule: string | undefined, times: readonly number[]): number[] {
  const timetable = createTimetable(schedule);
  const clocksAt = createPastClock();
  return times.filter((atMs) => {
    const clocks = clocksAt(atMs);
    const isDue = timetable.isDue(clocks);
    if (isDue) timetable.ran(clocks);
    return isDue;
  });
}

it('is that of the scans: an interval begins with the first, and is kept on the average', () => {
  expect(runs(undefined, [5, 6, 7])).toEqual([5, 6, 7]);
  expect(
    runs(
      'every 5s',
      [0, 2, 4, 6, 8, 10, 12, 14, 16].map((second) => second * 1000),
    ),
  ).toEqual([0, 6000, 10_000, 16_000]);
});

it('stands still where the clock of the host was put back, and makes up for no gap', () => {
  expect(runs('every 5s', [0, 60_000, 62_000, 66_000])).toEqual([0, 60_000, 66_000]);
  expect(runs('every 5s', [900_000, 0, 2000, 6000])).toEqual([900_000, 6000]);
});

it('meets times of day again where the clock was put back', () => {
  const day = new Date(2026, 0, 2, 3, 0).getTime();
  const at = (minute: number): number => day + minute * 60_000;
  expect(runs('cron: 5 3 * * *', [at(4), at(6), at(-60), at(6)])).toEqual([at(6), at(6)]);
});
