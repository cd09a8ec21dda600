import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LIVE_LEVEL, LIVE_NODE, placeOfInterval } from './scan-interval.ts';

/** What the SQL of nodeAroundSql computes, in numbers that do not overflow. */
const nodeAround = (scan: number, level: number): number => Math.floor(scan / 2 ** (level + 1)) * 2 ** (level + 1) + 2 ** level;

const scanId = fc.integer({ min: 1, max: 2 ** 31 - 1 });

describe('placeOfInterval', () => {
  it('hangs an interval at a node that lies in it and that is around every scan in it', () => {
    fc.assert(
      fc.property(scanId, scanId, fc.double({ min: 0, max: 1, noNaN: true }), (a, b, share) => {
        const [first, last] = a <= b ? [a, b] : [b, a];
        const { level, node } = placeOfInterval(first, last);
        expect(node).toBeGreaterThanOrEqual(first);
        expect(node).toBeLessThanOrEqual(last);
        const scan = first + Math.floor((last - first) * share);
        expect(nodeAround(scan, level)).toBe(node);
      }),
      { numRuns: 2000 },
    );
  });

  it('puts what is live above every scan', () => {
    fc.assert(
      fc.property(scanId, (scan) => {
        expect(nodeAround(scan, LIVE_LEVEL)).toBe(LIVE_NODE);
      }),
    );
  });

  it.each([
    [1, 1, { level: 0, node: 1 }],
    [6, 6, { level: 1, node: 6 }],
    [5, 9, { level: 3, node: 8 }],
    [1, 2 ** 31 - 1, { level: 30, node: 2 ** 30 }],
  ])('%i to %i', (first, last, place) => {
    expect(placeOfInterval(first, last)).toEqual(place);
  });

  it.each([
    [0, 1],
    [2, 1],
    [1, 2 ** 31],
  ])('refuses %i to %i', (first, last) => {
    expect(() => placeOfInterval(first, last)).toThrow(RangeError);
  });
});
