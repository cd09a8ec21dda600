import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createGovernor, GOVERNOR_LEVELS, type BudgetStep, type Governor } from './governor.ts';

const MIB = 1_048_576;
const BUDGET = { cpuPercent: 5, memoryBytes: 100 * MIB };

type Load = {
  /** CPU per cent at a level. */
  readonly cpu: (level: number) => number;
  readonly rss: (level: number, second: number) => number;
};

/** A process that is measured every so many seconds and whose load follows the level. */
function simulate(load: Load, windowMs?: number, everySeconds = 1) {
  const steps: (BudgetStep & { readonly second: number })[] = [];
  let second = 0;
  let cpuMicroseconds = 0;
  const governor: Governor = createGovernor({
    budget: BUDGET,
    nowMs: () => second * 1000,
    cpuUsage: () => cpuMicroseconds,
    rssBytes: () => load.rss(governor.state().level, second),
    onStep: (step) => steps.push({ ...step, second }),
    ...(windowMs === undefined ? {} : { windowMs }),
  });
  return {
    governor,
    steps,
    run: (seconds: number): void => {
      for (const until = second + seconds; second < until; second += everySeconds) {
        cpuMicroseconds += load.cpu(governor.state().level) * 10_000 * everySeconds;
        governor.measure();
      }
    },
  };
}

const words = (steps: readonly BudgetStep[]): string[] => steps.map(({ to }) => to);
const SMALL = (): number => 50 * MIB;

describe('a process within its budget', () => {
  it('is left alone', () => {
    const { governor, steps, run } = simulate({ cpu: () => 4.9, rss: () => 99 * MIB });
    run(7200);
    expect(steps).toEqual([]);
    expect(governor.state()).toMatchObject({ level: 0, word: 'normal', sinceMs: 0, reason: null });
    expect(governor.state()).toMatchObject({ intervalFactor: 1, hashingPaused: false, enrichmentTrimmed: false });
    expect(governor.state().cpuPercent).toBeCloseTo(4.9);
    expect(governor.state().rssBytes).toBe(99 * MIB);
  });

  it('is not judged by its start, nor by one spike of memory', () => {
    let second = 0;
    const { steps, run } = simulate({ cpu: () => (second++ < 9 ? 100 : 1), rss: (_level, at) => (at % 20 === 0 ? 900 : 60) * MIB });
    run(600);
    expect(steps).toEqual([]);
  });

  it('is not judged by the seconds in which it scans', () => {
    // 1.4 s of CPU time every 30 s are 4.7 %.
    let second = 0;
    const { steps, run } = simulate({ cpu: () => (second++ % 30 < 2 ? 70 : 0), rss: SMALL });
    run(3600);
    expect(steps).toEqual([]);
  });

  it('is judged over longer where scans are far apart', () => {
    // 6 s of CPU time every 600 s are 1 %.
    const load = (): Load => {
      let second = 0;
      return { cpu: () => (second++ % 600 < 6 ? 100 : 0), rss: SMALL };
    };
    const [short, long] = [simulate(load()), simulate(load(), 1_200_000)];
    short.run(3600);
    long.run(3600);
    expect(long.steps).toEqual([]);
    expect(short.steps.length).toBeGreaterThan(0);
  });

  it('says nothing before it knows', () => {
    const { governor } = simulate({ cpu: () => 1, rss: SMALL });
    expect(governor.state()).toMatchObject({ cpuPercent: null, rssBytes: null });
    governor.measure();
    expect(governor.state()).toMatchObject({ cpuPercent: null, rssBytes: 50 * MIB });
  });
});

describe('a process over its budget', () => {
  it('does less, one step at a time, until it is within it', () => {
    const { governor, steps, run } = simulate({ cpu: (level) => [30, 16, 9, 4, 2][level] ?? 0, rss: SMALL });
    run(300);
    expect(words(steps)).toEqual(['interval_doubled', 'interval_quadrupled', 'hashing_paused']);
    expect(steps[0]).toMatchObject({ from: 'normal', rssBytes: 50 * MIB });
    expect(steps[0]?.cpuPercent).toBeCloseTo(30);
    expect(steps[0]?.reason).toMatch(/^\d+ ms of CPU time in \d+ s, the budget is 5 % of a core$/);
    expect(governor.state()).toMatchObject({
      level: 3,
      word: 'hashing_paused',
      hashingPaused: true,
      enrichmentTrimmed: false,
      intervalFactor: 4,
    });
    expect(governor.state().sinceMs).toBe((steps[2]?.second ?? 0) * 1000);
  });

  it('takes the sooner the more it is over', () => {
    const first = (cpu: number): number => {
      const { steps, run } = simulate({ cpu: () => cpu, rss: SMALL });
      run(200);
      return steps[0]?.second ?? Infinity;
    };
    expect(first(5.1)).toBeGreaterThan(60);
    expect(first(5.1)).toBeLessThan(80);
    expect(first(100)).toBeLessThanOrEqual(22);
  });

  it('does so for memory too, and stays at the last step where that does not help', () => {
    const { governor, steps, run } = simulate({ cpu: () => 1, rss: () => 120 * MIB });
    run(4000);
    expect(words(steps)).toEqual(GOVERNOR_LEVELS.slice(1));
    expect(steps[0]?.reason).toBe('120 MiB of resident memory, the budget is 100 MiB');
    expect(governor.state()).toMatchObject({ level: 4, enrichmentTrimmed: true, intervalFactor: 4 });
  });

  it('goes back step by step when the load is gone, not before', () => {
    let load = 60;
    const { governor, steps, run } = simulate({ cpu: () => load, rss: SMALL });
    run(400);
    expect(governor.state().level).toBe(4);
    load = 4;
    run(3600);
    // Within the budget, and not below 70 % of it.
    expect(governor.state().level).toBe(4);
    load = 1;
    const before = steps.length;
    run(3600);
    expect(words(steps.slice(before))).toEqual(['hashing_paused', 'interval_quadrupled', 'interval_doubled', 'normal']);
    const seconds = steps.slice(before).map(({ second }) => second);
    expect(seconds.every((second, at) => second - (seconds[at - 1] ?? 4000) >= 30)).toBe(true);
  });
});

describe('under a constant load', () => {
  it('comes to rest, whatever each step saves', () => {
    const share = fc.double({ min: 0.2, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 60, noNaN: true }),
        fc.tuple(share, share, share, share),
        fc.integer({ min: 20, max: 140 }),
        (cpu, saves, rss) => {
          const levels = [cpu];
          for (const save of saves) levels.push((levels.at(-1) ?? cpu) * save);
          const { steps, run } = simulate({ cpu: (level) => levels[level] ?? 0, rss: () => rss * MIB }, 60_000, 5);
          run(4 * 3600);
          expect(steps.length).toBeLessThanOrEqual(30);
          // Once it knows the load it tries to go back once an hour.
          const late = steps.filter(({ second }) => second > 3 * 3600);
          expect(late.length).toBeLessThanOrEqual(4);
        },
      ),
      { numRuns: 15 },
    );
  });
});
