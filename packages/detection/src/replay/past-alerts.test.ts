import { describe, expect, it } from 'vitest';
import { createRepeats } from './past-alerts.ts';

describe('a repeat', () => {
  it('is what was seen within the window, and stays one for as long as it goes on', () => {
    const isAlert = createRepeats(100);
    expect([0, 60, 120, 219, 319].map((atMs) => isAlert('k', atMs))).toEqual([true, false, false, false, true]);
    expect(isAlert('other', 319)).toBe(true);
  });

  it('is none where there is no window, nor where the clock was far ahead', () => {
    const always = createRepeats(0);
    expect([1, 1, 2].map((atMs) => always('k', atMs))).toEqual([true, true, true]);
    const isAlert = createRepeats(100);
    expect([5000, 10, 20].map((atMs) => isAlert('k', atMs))).toEqual([true, true, false]);
  });
});
