import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LEVELS, LIVE, LIVE_NODE, nodeOfInterval, nodesAround } from './scan-interval.ts';

/** What the SQL of nodeAroundSql computes, in numbers that do not overflow. */
const nodeAround = (scan: number, level: number): number => Math.floor(scan / 2 ** (level + 1)) * 2 ** (level + 1) + 2 ** level;

const scanId = fc.integer({ min: 1, max: 2 ** 30 - 1 });

describe('nodeOfInterval', () => {
  it('hangs an interval at a node that lies in it and that is around every scan in it', () => {
    fc.assert(
      fc.property(scanId, scanId, fc.double({ min: 0, max: 1, noNaN: true }), (a, b, share) => {
        const [first, last] = a <= b ? [a, b] : [b, a];
        const node = nodeOfInterval(first, last);
        expect(node).toBeGreaterThanOrEqual(first);
        expect(node).toBeLessThanOrEqual(last);
        const scan = first + Math.floor((last - first) * share);
        // As many levels up as it has trailing zeros.
        const level = Math.log2(node & -node);
        expect(nodeAround(scan, level)).toBe(node);
        expect(nodesAround(scan)).toContain(node);
      }),
      { numRuns: 2000 },
    );
  });

  it('puts what is live above every scan', () => {
    fc.assert(
      fc.property(scanId, (scan) => {
        expect(nodeAround(scan, LEVELS - 1)).toBe(LIVE_NODE);
        expect(scan).toBeLessThan(LIVE);
      }),
    );
  });

  it('tells what ended before a scan: all below it but the nodes around it', () => {
    fc.assert(
      fc.property(scanId, scanId, scanId, (a, b, scan) => {
        const [first, last] = a <= b ? [a, b] : [b, a];
        const node = nodeOfInterval(first, last);
        if (node < scan && !nodesAround(scan).includes(node)) expect(last).toBeLessThan(scan);
        if (last < scan) expect(node).toBeLessThan(scan);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    [1, 1, 1],
    [6, 6, 6],
    [5, 9, 8],
    [1, 2 ** 30 - 1, 2 ** 29],
  ])('%i to %i', (first, last, node) => {
    expect(nodeOfInterval(first, last)).toBe(node);
  });

  it.each([
    [0, 1],
    [2, 1],
    [1, 2 ** 30],
  ])('refuses %i to %i', (first, last) => {
    expect(() => nodeOfInterval(first, last)).toThrow(RangeError);
  });
});
