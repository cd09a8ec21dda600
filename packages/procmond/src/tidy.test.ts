import { describe, expect, it } from 'vitest';
import { createTidy } from './tidy.ts';

describe('garbage', () => {
  it('is collected near the budget, and not again at once', () => {
    const world = { nowMs: 0, rss: 84, collected: 0 };
    const tidy = createTidy({
      memoryBytes: 100,
      rssBytes: () => world.rss,
      collect: () => ++world.collected > 0,
      nowMs: () => world.nowMs,
    });
    const steps = [
      [0, 84],
      [1000, 86],
      [2000, 99],
      [5999, 99],
      [6000, 99],
      [70_000, 10],
    ] as const;
    const counts = steps.map(([nowMs, rss]) => {
      Object.assign(world, { nowMs, rss });
      tidy();
      return world.collected;
    });
    expect(counts).toEqual([0, 1, 1, 1, 2, 2]);
  });
});
