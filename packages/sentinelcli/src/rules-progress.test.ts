import { expect, it } from 'vitest';
import { startTimedProgress } from './rules-progress.ts';

function draw(total: number, steps: readonly (readonly [done: number, ms: number])[], errIsTty = true): string[] {
  const written: string[] = [];
  let ms = 0;
  const progress = startTimedProgress({ err: (text) => written.push(text), errIsTty }, 'judging', total, () => ms);
  for (const [done, atMs] of steps) {
    ms = atMs;
    progress.step(done);
  }
  progress.end();
  return written;
}

it('says how long it will take once the time so far tells', () => {
  expect(
    draw(100, [
      [1, 400],
      [25, 10_000],
      [50, 300_000],
      [100, 600_000],
    ]),
  ).toEqual([
    `\rjudging ${'.'.repeat(24)} 1 %\u001b[K`,
    `\rjudging ######${'.'.repeat(18)} 25 %, 30 s left\u001b[K`,
    `\rjudging ############${'.'.repeat(12)} 50 %, 5 min left\u001b[K`,
    `\rjudging ${'#'.repeat(24)} 100 %, 0 s left\u001b[K`,
    '\r\u001b[K',
  ]);
});

it('says nothing where nobody looks on, or where there is nothing to do', () => {
  expect(draw(10, [[5, 10_000]], false)).toEqual([]);
  expect(draw(0, [])).toEqual([]);
});
