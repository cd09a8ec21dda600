import { expect, it } from 'vitest';
import { eventStart } from './event-start.ts';
import type { PastScan } from './past-scans.ts';

const scan = (eventsUntil: number): PastScan => ({ id: 9, startMs: 0, intervalMs: 1, eventsUntil, missed: [] });

it.each([
  ['comes after the last that the rule saw', 40, 50, 1, 40, []],
  ['is 10,000 before the newest where the rule is new', null, 12_345, 1, 2345, []],
  ['is the first there is', null, 50, 1, 0, []],
  ['is the first again where the numbers began anew', 60, 50, 1, 0, []],
  ['comes after what is too much', 5, 200_000, 1, 100_000, ['passed_over']],
  ['is none that was deleted', 40, 50, 45, 40, ['deleted']],
  ['may be the oldest that is kept', 40, 50, 41, 40, []],
  ['is none where none is kept', 40, 50, null, 40, ['deleted']],
  ['is none where nothing happened', 50, 50, 90, 50, []],
] as const)('the first event %s', (_, seen, until, oldest, sinceSeq, unseen) => {
  expect(eventStart(seen, scan(until), oldest)).toEqual({ sinceSeq, unseen });
});
