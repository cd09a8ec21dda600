import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { sinceBootMs, watchLoop, type LoopWatch } from './loop-watch.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = 1_700_000_000_000;

const watches: LoopWatch[] = [];
afterEach(() => {
  for (const watch of watches.splice(0)) watch.stop();
});

/** Two clocks that a test moves, and what was told. */
function watchOf(lastSeenMs: number | null = START) {
  const clock = { now: 5000, wall: START };
  const stalls: number[] = [];
  const jumps: number[] = [];
  const watch = watchLoop({
    nowMs: () => clock.now,
    wallMs: () => clock.wall,
    lastSeenMs,
    onStall: (durationMs) => stalls.push(durationMs),
    onTimeJump: (jumpMs) => jumps.push(jumpMs),
  });
  watches.push(watch);
  const pass = (ms: number): void => {
    clock.now += ms;
    clock.wall += ms;
  };
  return {
    clock,
    stalls,
    jumps,
    watch,
    pass,
    /** Time goes by, a turn each `everyMs`. */
    run: (ms: number, everyMs = 1000): void => {
      for (let at = 0; at < ms; at += everyMs) {
        pass(everyMs);
        watch.tick();
      }
    },
  };
}

describe('a stall', () => {
  it('is a turn that is late by more than the limit', () => {
    const { stalls, jumps, pass, watch, run } = watchOf();
    run(60_000);
    pass(6000);
    watch.tick();
    expect(stalls).toEqual([]);
    pass(11_000);
    watch.tick();
    expect(stalls).toEqual([10_000]);
    run(60_000);
    expect([stalls, jumps]).toEqual([[10_000], []]);
  });

  it('is seen by a timer of its own, until it is stopped', () => {
    vi.useFakeTimers();
    try {
      const { stalls, pass, watch } = watchOf();
      pass(20_000);
      vi.advanceTimersByTime(1000);
      expect(stalls).toEqual([19_000]);
      watch.stop();
      pass(20_000);
      vi.advanceTimersByTime(10_000);
      expect(stalls).toHaveLength(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it('is told after SIGSTOP and SIGCONT', async () => {
    const program = new URL('fixtures/loop-watch.fixture.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, ['--conditions=sentineld-source', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()));
    try {
      await expect.poll(() => said).toContain('watching');
      child.kill('SIGSTOP');
      await sleep(2500);
      child.kill('SIGCONT');
      await expect.poll(() => said).toMatch(/^stall \d{4,}$/m);
      expect(said).not.toContain('jump');
    } finally {
      child.kill('SIGKILL');
    }
  });
});

describe('a jump of the time of day', () => {
  it.each([90_000, -90_000, 40 * DAY])('is told with its sign, once (%d ms)', (jump) => {
    const { clock, jumps, stalls, run } = watchOf();
    run(10_000);
    clock.wall += jump;
    run(10_000);
    expect([jumps, stalls]).toEqual([[jump], []]);
  });

  it('is told where it comes in small parts, and not where clocks differ a little', () => {
    const { clock, jumps, run } = watchOf();
    for (let part = 0; part < 5; part++) {
      clock.wall += 7000;
      run(1000);
    }
    expect(jumps).toEqual([35_000]);
    clock.wall += 20_000;
    run(1000);
    clock.wall -= 20_000;
    run(1000);
    expect(jumps).toHaveLength(1);
  });
});

describe('the time that is trusted', () => {
  it('is the time of day while nobody sets it', () => {
    const { clock, watch, run } = watchOf();
    run(DAY, 60_000);
    expect(watch.trustedNow()).toBe(clock.wall);
    clock.wall += HOUR / 2;
    expect(watch.trustedNow()).toBe(clock.wall);
  });

  it('does not follow a jump forward, at once or after a tick, for 24 hours', () => {
    const { clock, watch, run } = watchOf();
    run(HOUR, 60_000);
    clock.wall += 40 * DAY;
    expect(watch.trustedNow()).toBe(START + HOUR);
    run(23 * HOUR, 60_000);
    expect(watch.trustedNow()).toBe(START + 24 * HOUR);
    run(HOUR + 60_000, 60_000);
    expect(watch.trustedNow()).toBe(clock.wall);
  });

  it('waits for 24 hours again after another jump', () => {
    const { clock, watch, run } = watchOf();
    clock.wall += 40 * DAY;
    run(23 * HOUR, 60_000);
    clock.wall += DAY;
    run(23 * HOUR, 60_000);
    expect(watch.trustedNow()).toBe(START + 46 * HOUR);
    run(2 * HOUR, 60_000);
    expect(watch.trustedNow()).toBe(clock.wall);
  });

  it('is not led forward in jumps that are believed one by one', () => {
    const { clock, watch, run } = watchOf();
    for (let jump = 0; jump < 10; jump++) {
      clock.wall += HOUR * 0.9;
      run(1000);
    }
    expect(watch.trustedNow()).toBe(START + 10_000);
  });

  it('takes a time that was set back as it is, and is not led by setting it forward again', () => {
    const { clock, watch, run } = watchOf();
    clock.wall -= 10 * DAY;
    run(1000);
    expect(watch.trustedNow()).toBe(START - 10 * DAY + 1000);
    clock.wall += 10 * DAY;
    run(1000);
    expect(watch.trustedNow()).toBe(START - 10 * DAY + 2000);
  });

  it('at the start stays with the newest scan where the time of day is more than 7 days beyond it', () => {
    const ahead = watchOf(START - 8 * DAY);
    expect(ahead.watch.trustedNow()).toBe(START - 8 * DAY);
    ahead.run(25 * HOUR, 60_000);
    expect(ahead.watch.trustedNow()).toBe(ahead.clock.wall);
    expect(watchOf(START - 6 * DAY).watch.trustedNow()).toBe(START);
    expect(watchOf(START + 6 * DAY).watch.trustedNow()).toBe(START);
    expect(watchOf(null).watch.trustedNow()).toBe(START);
  });
});

it('time since boot goes on', async () => {
  const before = sinceBootMs();
  await sleep(50);
  expect(sinceBootMs()).toBeGreaterThan(before);
});
