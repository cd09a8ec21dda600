import { expect, it } from 'vitest';
import { createPastSchedule } from './past-schedule.ts';

function runs(schedule: string | undefined, times: readonly number[]): number[] {
  const past = createPastSchedule(schedule);
  return times.filter((atMs) => {
    const isDue = past.isDue(atMs);
    if (isDue) past.ran(atMs);
    return isDue;
  });
}

const SECOND = 1000;
const every2s = (from: number, count: number): number[] => Array.from({ length: count }, (_, at) => from + at * 2 * SECOND);

it('a rule without a schedule is run over every scan', () => {
  expect(runs(undefined, [5, 6, 7])).toEqual([5, 6, 7]);
  expect(runs('scan', [5, 6, 7])).toEqual([5, 6, 7]);
});

it('an interval is kept on the average, and begins at the first scan', () => {
  expect(runs('every 5s', every2s(0, 9))).toEqual([0, 6000, 10_000, 16_000]);
});

it('an interval is not made up for after a gap, and outlives a clock that was put back', () => {
  expect(runs('every 5s', [0, 60_000, 62_000, 66_000])).toEqual([0, 60_000, 66_000]);
  expect(runs('every 5s', [900_000, 0, 2000, 6000])).toEqual([900_000, 0, 6000]);
});

it('a time of day is met by the first scan from it on', () => {
  const day = new Date(2026, 0, 2, 3, 0).getTime();
  const at = (minute: number, second: number): number => day + minute * 60 * SECOND + second * SECOND;
  expect(runs('cron: */5 * * * *', [at(1, 0), at(4, 59), at(5, 1), at(5, 31), at(17, 0), at(19, 0)])).toEqual([at(5, 1), at(17, 0)]);
  // Put back by an hour the clock comes to the same times again.
  expect(runs('cron: 5 3 * * *', [at(4, 0), at(6, 0), at(-60, 0), at(6, 0)])).toEqual([at(6, 0), at(6, 0)]);
});
