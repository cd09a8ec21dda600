import { describe, expect, it } from 'vitest';
import { createSinkPause } from './sink-pause.ts';

/** A pause with a clock that the test moves. */
function pause() {
  const clock = { nowMs: 5_000 };
  return { clock, ...createSinkPause(() => clock.nowMs) };
}

describe('createSinkPause', () => {
  it('leaves a sink alone that refused, and no other', () => {
    const { clock, refused, leftMs, state } = pause();
    expect([leftMs(), state()]).toEqual([0, null]);
    refused('no route', false);
    expect([leftMs(), state()]).toEqual([1_000, { error: 'no route', isFull: false, forMs: 0 }]);
    clock.nowMs += 400;
    expect([leftMs(), state()?.forMs]).toEqual([600, 400]);
    clock.nowMs += 5_000;
    // It may be tried again, and still has taken nothing.
    expect([leftMs(), state()?.forMs]).toEqual([0, 5_400]);
  });

  it('waits twice as long each time, and never longer than a minute', () => {
    const { clock, refused, leftMs } = pause();
    const waits = Array.from({ length: 9 }, () => {
      refused('no route', false);
      const waitMs = leftMs();
      clock.nowMs += waitMs;
      return waitMs;
    });
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });

  it('begins anew after the sink took something', () => {
    const { refused, accepted, leftMs, state } = pause();
    refused('no route', false);
    refused('no route', false);
    accepted();
    expect([leftMs(), state()]).toEqual([0, null]);
    refused('no route', false);
    expect(leftMs()).toBe(1_000);
  });

  it('counts the time without space from when there was none, not from another refusal before it', () => {
    const { clock, refused, state } = pause();
    refused('no route', false);
    clock.nowMs += 10_000;
    refused('ENOSPC', true);
    clock.nowMs += 3_000;
    refused('ENOSPC again', true);
    expect(state()).toEqual({ error: 'ENOSPC again', isFull: true, forMs: 3_000 });
    clock.nowMs += 1_000;
    refused('no route', false);
    expect(state()).toEqual({ error: 'no route', isFull: false, forMs: 0 });
  });

  it('takes no notice of the time of day', () => {
    // A clock that nobody sets may begin anywhere, also below zero.
    const clock = { nowMs: -7_000 };
    const { refused, leftMs } = createSinkPause(() => clock.nowMs);
    expect(leftMs()).toBe(0);
    refused('no route', false);
    expect(leftMs()).toBe(1_000);
  });
});
