import type { ScanCompleted } from '@sentineld/model/scan';
import { expect, it } from 'vitest';
import type { Evaluation } from './detect/evaluate-rule.ts';
import type { RuleEntry } from './rule-entry.ts';
import { createRulesApart } from './rules-apart.ts';

const entry = (id: string): RuleEntry => ({ rule: { id } }) as RuleEntry;
const SCAN = { scanId: 1 } as ScanCompleted;
const EVALUATION = { result: 'no_match' } as Evaluation;

it('runs one rule after the other, none twice at a time, and gives each result once', async () => {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  let told = 0;
  const apart = createRulesApart(() => told++);
  const offer = (id: string) =>
    apart.offer(entry(id), SCAN, async () => {
      begun.push(id);
      await new Promise<void>((resolve) => ends.push(resolve));
      return EVALUATION;
    });
  expect([offer('a'), offer('b'), offer('a')]).toEqual([true, true, false]);
  expect(begun).toEqual(['a']);
  ends.shift()?.();
  await expect.poll(() => begun).toEqual(['a', 'b']);
  expect(told).toBe(1);
  expect(apart.take().map(({ entry: { rule }, evaluation }) => [rule.id, evaluation])).toEqual([['a', EVALUATION]]);
  expect(apart.take()).toEqual([]);
  expect(offer('a')).toBe(true);
  apart.stop();
  ends.shift()?.();
  await new Promise((resolve) => setImmediate(resolve));
  expect([begun, told, apart.take()]).toEqual([['a', 'b'], 1, []]);
});
