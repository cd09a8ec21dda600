import { describe, expect, it } from 'vitest';
import { startOf } from './event-window.ts';

const seen = (seq: number, store = 'here') => ({ store, seq, scanId: 1, scanMs: 1 });

describe('startOf', () => {
  it('goes on after the newest event that the rule saw', () => {
    expect(startOf(seen(50), { oldest: 1, newest: 80 }, 'here')).toEqual({ sinceSeq: 50, passedOver: null });
    expect(startOf(seen(80), { oldest: 1, newest: 80 }, 'here')).toEqual({ sinceSeq: 80, passedOver: null });
    // All that it saw, and no more, was deleted.
    expect(startOf(seen(50), { oldest: 51, newest: 80 }, 'here')).toEqual({ sinceSeq: 50, passedOver: null });
  });

  it('begins near the newest event where the rule is new, or the numbers are those of another file', () => {
    expect(startOf(null, { oldest: 1, newest: 80 }, 'here')).toEqual({ sinceSeq: 0, passedOver: null });
    expect(startOf(null, { oldest: 1, newest: 1_000_000 }, 'here')).toEqual({ sinceSeq: 990_000, passedOver: null });
    expect(startOf(seen(50, 'before'), { oldest: 1, newest: 80 }, 'here')).toEqual({ sinceSeq: 0, passedOver: null });
    // An older copy of the file was put back.
    expect(startOf(seen(500), { oldest: 1, newest: 80 }, 'here')).toEqual({ sinceSeq: 0, passedOver: null });
  });

  it('says what a rule that is far behind, or was away for long, will not see', () => {
    expect(startOf(seen(50), { oldest: 1, newest: 200_000 }, 'here')).toEqual({
      sinceSeq: 100_000,
      passedOver: 'the 100000 newest events were looked at, and none of those before them',
    });
    expect(startOf(seen(50), { oldest: 52, newest: 80 }, 'here')).toEqual({
      sinceSeq: 50,
      passedOver: 'older events were deleted before they were looked at',
    });
  });

  it('keeps its place where no events are stored', () => {
    expect(startOf(seen(50), null, 'here')).toEqual({ sinceSeq: 50, passedOver: null });
    expect(startOf(null, null, 'here')).toEqual({ sinceSeq: 0, passedOver: null });
  });
});
