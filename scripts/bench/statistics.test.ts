import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { growthOf, median, rounded } from './statistics.ts';

describe('median', () => {
  it.each([
    [[3], 3],
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[1, 1, 1, 1000], 1],
  ])('of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected);
  });

  it('leaves as many values above as below, whatever their order', () => {
    const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(values, (list) => {
        const middle = median(list);
        expect(list.filter((value) => value < middle).length).toBeLessThanOrEqual(list.length / 2);
        expect(list.filter((value) => value > middle).length).toBeLessThanOrEqual(list.length / 2);
        // Zero and minus zero are one value.
        expect(median(list.toReversed()) === middle).toBe(true);
      }),
    );
  });

  it('refuses to be taken of nothing', () => {
    expect(() => median([])).toThrow('nothing was measured');
  });
});

describe('growth', () => {
  it('is the rise of a straight line over its span', () => {
    const samples = Array.from({ length: 76 }, (_, i) => ({ atMs: 150_000 + i * 2000, value: 80 + i * 0.02 }));
    expect(growthOf(samples)).toBeCloseTo(1.5, 9);
  });

  it('is small for a saw that always falls back, though its last value is high', () => {
    const samples = Array.from({ length: 100 }, (_, i) => ({ atMs: i * 2000, value: 80 + (i % 10) }));
    expect(Math.abs(growthOf(samples))).toBeLessThan(1);
  });

  it('is nothing for fewer than two samples', () => {
    expect(growthOf([])).toBe(0);
    expect(growthOf([{ atMs: 5, value: 80 }])).toBe(0);
  });
});

it('rounds to four digits', () => {
  expect([rounded(0.123456), rounded(28.456), rounded(1_132_456), rounded(0)]).toEqual([0.1235, 28.46, 1_132_000, 0]);
});
