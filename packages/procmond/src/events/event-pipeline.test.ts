import type { ProcessEvent } from '@sentineld/model/process-event';
import type { QueuePolicy } from '@sentineld/runtime/config/config';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAncestry } from './ancestry.ts';
import { createEventPipeline } from './event-pipeline.ts';
import { createEventQueue } from './event-queue.ts';
import { NOTHING_KNOWN, type EventCounts, type RawEvent } from './event-source.ts';

/** The time of day is so far ahead of the clock by which events are stamped. */
const WALL_OFFSET_MS = 1_000_000;

function create({
  limit = 10_000,
  policy = 'drop-oldest',
  source = true,
}: { limit?: number; policy?: QueuePolicy; source?: boolean } = {}) {
  const world = {
    waiting: [] as RawEvent[],
    counts: { lost: 0, overruns: 0, argvMissed: 0, dropped: 0 } as EventCounts,
    batches: [] as (readonly ProcessEvent[])[],
    failing: null as Error | null,
    failures: [] as unknown[],
    broken: null as Error | null,
    sourceFailures: [] as unknown[],
    paused: false,
    told: 0,
    closed: 0,
    nowMs: 0,
  };
  const queue = createEventQueue({ limit, policy, timeoutMs: 1000, spill: null, nowMs: () => world.nowMs });
  const pipeline = createEventPipeline({
    source: source
      ? {
          tier: 'kernel',
          drain: (most) => {
            if (world.broken !== null) throw world.broken;
            return world.waiting.splice(0, most);
          },
          counts: () => world.counts,
          close: () => void world.closed++,
        }
      : null,
    queue,
    ancestry: createAncestry(() => null),
    redact: (argv) => ({
      argv: argv.map((word) => word.replace('hunter2', '[redacted]')),
      redacted: argv.join().includes('hunter2') ? 1 : 0,
    }),
    store: (batch) => {
      if (world.failing !== null) throw world.failing;
      world.batches.push(batch);
    },
    mayStore: () => !world.paused,
    onStored: () => void world.told++,
    onStoreFailed: (cause) => world.failures.push(cause),
    onSourceFailed: (cause) => world.sourceFailures.push(cause),
    monotonicMs: () => world.nowMs,
    wallMs: () => WALL_OFFSET_MS + world.nowMs,
  });
  return { world, pipeline, queue };
}

function exec(pid: number, argv: readonly string[] | null = [`p${pid}`], changes: Partial<RawEvent> = {}): RawEvent {
  return { ...NOTHING_KNOWN, kind: 'exec', monotonicMs: 10, pid, name: `p${pid}`, exePath: '/bin/p', argv, startTicks: pid, ...changes };
}
const exit = (pid: number, changes: Partial<RawEvent> = {}): RawEvent => ({
  ...NOTHING_KNOWN,
  kind: 'exit',
  monotonicMs: 20,
  pid,
  exitCode: 0,
  ...changes,
});
const fork = (pid: number, ppid: number): RawEvent => ({ ...NOTHING_KNOWN, kind: 'fork', monotonicMs: 5, pid, ppid });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe('events', () => {
  it('are stored with their time of day, who started them and how they ended', () => {
    const { world, pipeline } = create();
    world.nowMs = 50;
    world.waiting = [exec(1), fork(2, 1), exec(2, ['ls', '-l'], { userId: 5, groupId: 6 }), exit(2, { exitCode: null, exitSignal: 9 })];
    pipeline.flush();
    const [first, second, third] = world.batches.flat();
    expect(world.batches.flat()).toHaveLength(3);
    expect(first).toMatchObject({ kind: 'exec', timestampMs: WALL_OFFSET_MS + 10, pid: 1, parent: null });
    expect(second).toEqual({
      kind: 'exec',
      timestampMs: WALL_OFFSET_MS + 10,
      pid: 2,
      ppid: 1,
      startTicks: 2,
      userId: 5,
      groupId: 6,
      command: { name: 'p2', exePath: '/bin/p', argv: ['ls', '-l'], redacted: 0 },
      parent: { name: 'p1', exePath: '/bin/p', argv: ['p1'], redacted: 0 },
      exitCode: null,
      exitSignal: null,
    });
    expect(third).toMatchObject({
      kind: 'exit',
      pid: 2,
      ppid: 1,
      startTicks: 2,
      userId: 5,
      exitCode: null,
      exitSignal: 9,
      command: second?.command,
    });
  });

  it('have no secret left in them, nor do those whose parent had one', () => {
    const { world, pipeline } = create();
    world.waiting = [exec(1, ['sh', '--password=hunter2']), fork(2, 1), exec(2), exit(1)];
    pipeline.flush();
    expect(JSON.stringify(world.batches)).not.toContain('hunter2');
    expect(world.batches.flat()[0]?.command).toEqual({ name: 'p1', exePath: '/bin/p', argv: ['sh', '--password=[redacted]'], redacted: 1 });
    expect(world.batches.flat()[1]?.parent?.redacted).toBe(1);
  });

  it('of which nothing could be read are stored all the same', () => {
    const { world, pipeline } = create();
    world.waiting = [exec(1, null, { name: null, exePath: null }), exit(77, { ppid: 4 })];
    pipeline.flush();
    expect(world.batches.flat()).toMatchObject([
      { kind: 'exec', pid: 1, command: null },
      { kind: 'exit', pid: 77, ppid: 4, command: null },
    ]);
  });
});

describe('the rhythm', () => {
  it('stores what came within a quarter of a second, a thousand at once, and tells of it', () => {
    const { world, pipeline } = create();
    const pass = (ms: number): void => {
      world.nowMs += ms;
      vi.advanceTimersByTime(ms);
    };
    pipeline.start();
    world.waiting = Array.from({ length: 2500 }, (_, i) => exec(i + 1));
    pass(250);
    expect(world.batches.map(({ length }) => length)).toEqual([1000, 1000, 500]);
    expect(world.told).toBeGreaterThan(0);
    world.told = 0;
    pass(1000);
    expect([world.batches.length, world.told]).toEqual([3, 0]);
    world.waiting = [exec(1)];
    pipeline.stop();
    expect(world.batches.at(-1)).toHaveLength(1);
    expect([world.closed, vi.getTimerCount()]).toEqual([1, 0]);
  });

  it('has nothing to do without a source', () => {
    const { pipeline } = create({ source: false });
    pipeline.start();
    expect(vi.getTimerCount()).toBe(0);
    pipeline.flush();
    expect(pipeline.interval()).toMatchObject({ tier: 'off', execs: 0 });
    pipeline.stop();
  });
});

describe('a store that takes nothing', () => {
  it('gets the same events in their order once it does', () => {
    const { world, pipeline, queue } = create();
    world.failing = new Error('full');
    world.waiting = [exec(1), exec(2)];
    pipeline.flush();
    expect(world.failures).toEqual([world.failing]);
    world.failing = null;
    world.paused = true;
    world.waiting = [exec(3)];
    pipeline.flush();
    expect([world.batches.length, queue.length()]).toEqual([0, 3]);
    world.paused = false;
    pipeline.flush();
    expect(world.batches.flat().map(({ pid }) => pid)).toEqual([1, 2, 3]);
    expect(pipeline.total()).toMatchObject({ execs: 3, stored: 3, dropped: 0 });
  });

  it('costs the oldest events, and each that goes is counted', () => {
    const { world, pipeline } = create({ limit: 100 });
    world.paused = true;
    world.waiting = Array.from({ length: 250 }, (_, i) => exec(i + 1));
    pipeline.flush();
    world.paused = false;
    pipeline.flush();
    expect(world.batches.flat().map(({ pid }) => pid)).toEqual(Array.from({ length: 100 }, (_, i) => i + 151));
    expect(pipeline.interval()).toMatchObject({ execs: 250, stored: 100, dropped: 150 });
  });

  it('leaves events where they are while the queue blocks', () => {
    const { world, pipeline } = create({ limit: 100, policy: 'block-with-timeout' });
    world.paused = true;
    world.waiting = Array.from({ length: 3000 }, (_, i) => exec(i + 1));
    pipeline.flush();
    expect(world.waiting).toHaveLength(2000);
    pipeline.flush();
    expect(world.waiting).toHaveLength(2000);
    world.nowMs = 1001;
    pipeline.flush();
    expect(world.waiting).toHaveLength(0);
    world.paused = false;
    pipeline.flush();
    const { execs, stored, dropped } = pipeline.total();
    expect([execs, stored + dropped]).toEqual([3000, 3000]);
    expect(world.batches.flat()[0]?.pid).toBe(1);
  });
});

describe('a source that breaks', () => {
  it('is said once, and from then on there are no events', () => {
    const { world, pipeline } = create();
    world.waiting = [exec(1)];
    pipeline.flush();
    world.broken = new Error('the socket is gone');
    pipeline.flush();
    pipeline.flush();
    expect(world.sourceFailures).toEqual([world.broken]);
    expect(pipeline.total()).toMatchObject({ tier: 'off', execs: 1, stored: 1 });
    pipeline.stop();
    expect(world.closed).toBe(1);
  });
});

describe('the coverage of an interval', () => {
  it('is what happened since the last one ended, losses of the source and of the queue together', () => {
    const { world, pipeline } = create();
    world.waiting = [exec(1), exit(1)];
    world.counts = { lost: 3, overruns: 1, argvMissed: 2, dropped: 4 };
    pipeline.flush();
    const first = { tier: 'kernel', execs: 1, exits: 1, lost: 3, overruns: 1, argvMissed: 2, dropped: 4, stored: 2 };
    expect(pipeline.interval()).toEqual(first);
    expect(pipeline.interval()).toEqual(first);
    pipeline.endInterval();
    world.waiting = [exec(2)];
    world.counts = { lost: 5, overruns: 1, argvMissed: 2, dropped: 4 };
    pipeline.flush();
    expect(pipeline.interval()).toEqual({ tier: 'kernel', execs: 1, exits: 0, lost: 2, overruns: 0, argvMissed: 0, dropped: 0, stored: 1 });
    expect(pipeline.total()).toMatchObject({ execs: 2, lost: 5, stored: 3 });
  });

  it('leaves nothing out that the source counts while the scan before is stored', () => {
    const { world, pipeline } = create();
    world.counts = { lost: 1, overruns: 0, argvMissed: 0, dropped: 30 };
    expect(pipeline.interval()).toMatchObject({ lost: 1, dropped: 30 });
    world.counts = { lost: 2, overruns: 0, argvMissed: 0, dropped: 1000 };
    pipeline.endInterval();
    expect(pipeline.interval()).toMatchObject({ lost: 1, dropped: 970 });
  });
});
