import { expect, it } from 'vitest';
import { judgeNoise } from './noise.ts';

const DAY = 86_400_000;

it.each([
  ['a quiet day', 0, 0, DAY, 'within'],
  ['a day that is full', 5, 1, DAY, 'within'],
  ['a day whose scans end a second early', 5, 1, DAY - 1000, 'within'],
  ['one alert too many', 6, 0, DAY, 'above'],
  ['one high alert too many', 2, 2, DAY, 'above'],
  ['a week', 35, 7, 7 * DAY, 'within'],
  ['a loud week', 36, 0, 7 * DAY, 'above'],
  ['an hour with nothing', 0, 0, DAY / 24, 'within_so_far'],
  ['an hour that uses up the budget of a day', 6, 0, DAY / 24, 'above'],
  ['no time at all', 0, 0, 0, 'not_measured'],
] as const)('%s', (_, alerts, high, coveredMs, verdict) => {
  expect(judgeNoise(alerts, high, coveredMs)).toEqual({ verdict, alerts, high, hostDays: coveredMs / DAY });
});
