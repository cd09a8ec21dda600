import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProcessEvent } from '@sentineld/model/process-event';
import { QUEUE_POLICIES, type QueuePolicy } from '@sentineld/runtime/config/config';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OVERHANG, createEventQueue, type EventQueue } from './event-queue.ts';
import { command, exec, exit, pids, range } from './fixtures/events.fixture.ts';
import { openSpill, type SpillFiles } from './spill.ts';

let directory = '';
let nowMs = 0;
const spills: SpillFiles[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-queue-'));
  nowMs = 0;
});
afterEach(() => {
  for (const spill of spills.splice(0)) spill.close();
  rmSync(directory, { recursive: true });
});

function spillAt(name = 'spill', limitBytes = 1_000_000): SpillFiles {
  const spill = openSpill({ directory: join(directory, name), limitBytes, onProblem: () => undefined });
  spills.push(spill);
  return spill;
}

function queueOf(policy: QueuePolicy, limit = 100, spill: SpillFiles | null = null): EventQueue {
  return createEventQueue({ limit, policy, timeoutMs: 1000, spill, nowMs: () => nowMs });
}

function offer(queue: EventQueue, from: number, to: number): string[] {
  return range(from, to).map((pid) => queue.offer(exec(pid)));
}

function takeAll(queue: EventQueue, max = 64): number[] {
  const all: number[] = [];
  for (let batch = queue.takeBatch(max); batch.length > 0; batch = queue.takeBatch(max)) {
    all.push(...pids(batch));
    queue.confirm();
  }
  return all;
}

function expectExact(queue: EventQueue): void {
  const { offered, found, stored, dropped, shed } = queue.counts();
  expect(offered + found).toBe(stored + dropped + shed + queue.length());
}

describe('a queue with room', () => {
  it.each(QUEUE_POLICIES)('gives what it was offered, in order (%s)', (policy) => {
    const queue = queueOf(policy, 100, spillAt());
    expect(new Set(offer(queue, 1, 50))).toEqual(new Set(['taken']));
    expect([queue.length(), queue.isBlocked()]).toEqual([50, false]);
    expect(takeAll(queue, 7)).toEqual(range(1, 50));
    expect(queue.counts()).toEqual({ offered: 50, stored: 50, dropped: 0, spilled: 0, replayed: 0, shed: 0, found: 0 });
  });

  it('has a batch that was not stored in front again, before what came meanwhile', () => {
    const queue = queueOf('drop-oldest');
    offer(queue, 1, 10);
    expect(pids(queue.takeBatch(4))).toEqual([1, 2, 3, 4]);
    offer(queue, 11, 12);
    queue.giveBack();
    expect(queue.length()).toBe(12);
    expect(takeAll(queue, 5)).toEqual(range(1, 12));
  });

  it('gives one batch at a time', () => {
    const queue = queueOf('drop-oldest');
    offer(queue, 1, 2);
    queue.takeBatch(1);
    expect(() => queue.takeBatch(1)).toThrow(expect.objectContaining({ code: 'internal.bug' }));
  });
});

describe('drop-oldest', () => {
  it('drops the oldest for the newest', () => {
    const queue = queueOf('drop-oldest');
    expect(new Set(offer(queue, 1, 250))).toEqual(new Set(['taken']));
    expect(queue.counts()).toMatchObject({ offered: 250, dropped: 150 });
    expect(takeAll(queue)).toEqual(range(151, 250));
    expectExact(queue);
  });

  it('drops nothing that is being stored', () => {
    const queue = queueOf('drop-oldest');
    offer(queue, 1, 100);
    queue.takeBatch(60);
    offer(queue, 101, 150);
    queue.confirm();
    // 61 to 100 went, and then the oldest of the new.
    expect(takeAll(queue)).toEqual(range(111, 150));
    offer(queue, 1, 100);
    queue.takeBatch(100);
    expect(offer(queue, 101, 101)).toEqual(['dropped']);
    queue.confirm();
    expectExact(queue);
  });
});

describe('block-with-timeout', () => {
  it('blocks while it is full, takes what was drained already, and goes on when there is room', () => {
    const queue = queueOf('block-with-timeout');
    offer(queue, 1, 99);
    expect(queue.isBlocked()).toBe(false);
    offer(queue, 100, 100);
    expect(queue.isBlocked()).toBe(true);
    expect(offer(queue, 101, 102)).toEqual(['wait', 'wait']);
    queue.takeBatch(50);
    queue.confirm();
    expect(queue.isBlocked()).toBe(false);
    expect(takeAll(queue)).toEqual(range(51, 102));
    expect(queue.counts()).toMatchObject({ offered: 102, stored: 102, dropped: 0 });
  });

  it('takes no more beyond the limit than one drain', () => {
    const queue = queueOf('block-with-timeout');
    expect(offer(queue, 1, 100 + OVERHANG + 5).filter((word) => word === 'dropped')).toHaveLength(5);
    expectExact(queue);
  });

  it('drops new ones once it was full for the timeout, and waits anew after there was room', () => {
    const queue = queueOf('block-with-timeout');
    offer(queue, 1, 100);
    expect(queue.isBlocked()).toBe(true);
    nowMs = 999;
    expect([queue.isBlocked(), ...offer(queue, 101, 101)]).toEqual([true, 'wait']);
    nowMs = 1000;
    expect([queue.isBlocked(), ...offer(queue, 102, 104)]).toEqual([false, 'dropped', 'dropped', 'dropped']);
    queue.takeBatch(2);
    queue.confirm();
    expect(offer(queue, 105, 106)).toEqual(['taken', 'wait']);
    expect(queue.counts()).toMatchObject({ offered: 106, dropped: 3, stored: 2 });
    expectExact(queue);
  });
});

describe('spill-to-disk', () => {
  it('writes what finds no room to files, and gives all of it in order', () => {
    const queue = queueOf('spill-to-disk', 100, spillAt());
    offer(queue, 1, 500);
    expect(queue.counts()).toMatchObject({ spilled: 400, dropped: 0 });
    expect(queue.length()).toBe(500);
    expect(pids(queue.takeBatch(30))).toEqual(range(1, 30));
    expect(queue.spillSequence()).toBeNull();
    queue.confirm();
    expect(queue.takeBatch(90)).toHaveLength(90);
    // 101 was the first that was spilled, and 120 is the last of this batch.
    expect(queue.spillSequence()).toBe(20);
    queue.giveBack();
    // There is room in memory, and still nothing overtakes.
    offer(queue, 501, 510);
    expect(takeAll(queue)).toEqual(range(31, 510));
    expect(queue.counts()).toMatchObject({ offered: 510, stored: 510, spilled: 410, replayed: 410 });
    offer(queue, 511, 520);
    expect(queue.counts().spilled).toBe(410);
    expect(takeAll(queue)).toEqual(range(511, 520));
  });

  it('goes on after a restart with what was spilled and not stored', () => {
    const first = queueOf('spill-to-disk', 100, spillAt());
    offer(first, 1, 300);
    first.takeBatch(100);
    first.confirm();
    first.takeBatch(50);
    first.confirm();
    // The process ends here: what was in memory only is lost, what was on disk is not.
    const next = queueOf('spill-to-disk', 100, spillAt());
    offer(next, 301, 302);
    expect(next.counts()).toMatchObject({ found: 150, offered: 2 });
    expect(takeAll(next)).toEqual(range(151, 302));
    expectExact(next);
  });

  it('drops what finds no room on disk either, or has no disk', () => {
    const queue = queueOf('spill-to-disk', 100, spillAt('small', 20_000));
    const words = offer(queue, 1, 500);
    expect(words.at(-1)).toBe('dropped');
    expectExact(queue);
    const taken = range(1, 500).filter((pid) => words[pid - 1] === 'taken');
    expect(takeAll(queue)).toEqual(taken);
    const without = queueOf('spill-to-disk', 100, null);
    expect(offer(without, 1, 101).at(-1)).toBe('dropped');
    expectExact(without);
  });
});

describe('adaptive-throttling', () => {
  const same = (pid: number, changes: Partial<ProcessEvent> = {}): ProcessEvent =>
    exec(pid, { ppid: 7, command: command('/bin/same'), ...changes });
  const fill = (queue: EventQueue, to: number): void => void offer(queue, queue.length() + 1, to);
  const kept = (queue: EventQueue, events: readonly ProcessEvent[]): number[] =>
    pids(events.filter((event) => queue.offer(event) === 'taken'));

  it('past a half lets exits go that tell nothing', () => {
    const queue = queueOf('adaptive-throttling', 1000);
    expect(kept(queue, [exit(1)])).toEqual([1]);
    fill(queue, 501);
    expect(kept(queue, [exit(2, 0), exit(3, 1), exit(4, null, 9), same(5), same(6)])).toEqual([3, 4, 5, 6]);
    expect(queue.counts()).toMatchObject({ shed: 1, dropped: 0 });
  });

  it('past three quarters keeps 1 in 2 of repeated execs, then 1 in 4, then 1 in 8', () => {
    const queue = queueOf('adaptive-throttling', 1000);
    fill(queue, 751);
    expect(
      kept(
        queue,
        range(1, 8).map((pid) => same(pid)),
      ),
    ).toEqual([1, 3, 5, 7]);
    // Another parent, another file, or no file known: not repeated.
    expect(kept(queue, [same(9, { ppid: 8 }), same(10, { command: command('/bin/other') })])).toEqual([9, 10]);
    expect(
      kept(
        queue,
        range(11, 13).map((pid) => same(pid, { command: null })),
      ),
    ).toEqual([11, 12, 13]);
    fill(queue, 876);
    expect(
      kept(
        queue,
        range(1, 8).map((pid) => same(pid)),
      ),
    ).toEqual([1, 5]);
    fill(queue, 938);
    expect(
      kept(
        queue,
        range(1, 16).map((pid) => same(pid)),
      ),
    ).toEqual([1, 9]);
    expectExact(queue);
  });

  it('drops when it is full, and is as before once it has drained', () => {
    const queue = queueOf('adaptive-throttling', 100);
    fill(queue, 100);
    expect(queue.offer(exec(1))).toBe('dropped');
    expect(queue.counts()).toMatchObject({ dropped: 1, shed: 0 });
    queue.takeBatch(60);
    queue.confirm();
    expect(kept(queue, [exit(1), same(2), same(3), same(4)])).toEqual([1, 2, 3, 4]);
    expectExact(queue);
  });

  it('decides the same for the same events', () => {
    const run = (): number[] => {
      const queue = queueOf('adaptive-throttling', 100);
      return kept(
        queue,
        range(1, 500).map((pid) => (pid % 3 === 0 ? exit(pid, pid % 2) : same(pid, { ppid: pid % 5 }))),
      );
    };
    expect(run()).toEqual(run());
  });
});

describe('whatever happens', () => {
  type Step = { readonly do: 'offer' | 'store' | 'fail' | 'wait'; readonly count: number };
  const steps = fc.array(
    fc.record<Step>({ do: fc.constantFrom('offer', 'offer', 'store', 'fail', 'wait'), count: fc.integer({ min: 1, max: 60 }) }),
    { maxLength: 60 },
  );
  let run = 0;

  it.each(QUEUE_POLICIES)('every event is accounted for, and what comes out is in order (%s)', (policy) => {
    fc.assert(
      fc.property(steps, fc.boolean(), (list, small) => {
        const spill = policy === 'spill-to-disk' ? spillAt(`run-${++run}`, small ? 8_000 : 1_000_000) : null;
        const queue = queueOf(policy, 40, spill);
        let offered = 0;
        const refused = new Set<number>();
        const stored: number[] = [];
        for (const step of list) {
          if (step.do === 'offer') {
            for (let at = 0; at < step.count; at++) {
              const event = offered % 4 === 3 ? exit(++offered) : exec(++offered, { command: command(`/bin/${offered % 3}`) });
              if (queue.offer(event) === 'dropped') refused.add(offered);
            }
          } else if (step.do === 'wait') nowMs += step.count * 50;
          else {
            const batch = pids(queue.takeBatch(step.count));
            if (step.do === 'store') {
              stored.push(...batch);
              queue.confirm();
            } else queue.giveBack();
          }
          expectExact(queue);
          expect(queue.counts().offered).toBe(offered);
        }
        const all = [...stored, ...takeAll(queue)];
        expect(all).toEqual(all.toSorted((a, b) => a - b));
        const { dropped, shed } = queue.counts();
        expect([all.length + dropped + shed, queue.length()]).toEqual([offered, 0]);
        expect(all.some((pid) => refused.has(pid))).toBe(false);
        if (policy !== 'drop-oldest') expect(all.length).toBe(offered - refused.size);
        spill?.close();
        spills.length = 0;
      }),
      { numRuns: 60 },
    );
  });
});
