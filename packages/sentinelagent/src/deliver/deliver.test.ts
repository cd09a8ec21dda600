import { silentLogger } from '@sentineld/runtime/log/logger';
import type { DeliveryAttempt, PendingDelivery, PendingOptions } from '@sentineld/store/agent/writer';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { exampleAlert } from './alert.fixture.ts';
import { createDeliverer, type Deliverer } from './deliver.ts';
import type { OpenSink, SendResult } from './sink.ts';

const DAY_MS = 86_400_000;

function fakeStore(sinkNames: readonly string[]) {
  const rows = sinkNames.map((sinkName, index) => ({
    deliveryId: index + 1,
    sinkName,
    attemptCount: 0,
    status: 'pending' as string,
    error: null as string | null,
  }));
  const isOpen = (row: { readonly status: string }): boolean => row.status === 'pending' || row.status === 'retrying';
  return {
    rows,
    pendingDeliveries: ({ afterDeliveryId = 0, withoutSinks = [] }: PendingOptions = {}): PendingDelivery[] =>
      rows
        .filter((row) => row.deliveryId > afterDeliveryId && isOpen(row) && !withoutSinks.includes(row.sinkName))
        .map((row) => ({ ...row, sinkType: row.sinkName, alert: exampleAlert({ id: row.deliveryId }) })),
    recordAttempt: (id: number, attempt: DeliveryAttempt) => {
      const row = rows.find(({ deliveryId }) => deliveryId === id);
      if (row === undefined) throw new Error('no such delivery');
      row.attemptCount++;
      row.status = attempt.status;
      row.error = attempt.error;
    },
    giveUp: (sinkName: string, error: string) => {
      const given = rows.filter((row) => row.sinkName === sinkName && isOpen(row));
      for (const row of given) Object.assign(row, { status: 'failed', error });
      return given.length;
    },
  };
}

/** Answers in turn; the last answer again and again. Knows when it was asked, in seconds. */
function fakeSink(...answers: readonly SendResult[]) {
  const asked: number[] = [];
  const sink: OpenSink = {
    send: async () => {
      asked.push(Math.round(performance.now() / 1000));
      return answers[Math.min(asked.length, answers.length) - 1] ?? OK;
    },
    note: async () => OK,
    close: () => undefined,
  };
  return { ...sink, asked };
}

const OK: SendResult = { ok: true };
const REFUSED: SendResult = { ok: false, error: 'refused' };
const FULL: SendResult = { ok: false, error: 'ENOSPC', isFull: true };

const opened: Deliverer[] = [];
function open(store: ReturnType<typeof fakeStore>, sinks: Readonly<Record<string, OpenSink>>): Deliverer {
  const deliverer = createDeliverer({
    store,
    sinks: new Map(Object.entries(sinks)),
    log: silentLogger(),
    nowMs: () => performance.now(),
  });
  opened.push(deliverer);
  return deliverer;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  for (const deliverer of opened.splice(0)) deliverer.stop();
  vi.useRealTimers();
});

describe('createDeliverer', () => {
  it('delivers to every sink, whatever another one does', async () => {
    const store = fakeStore(['bad', 'good', 'throws']);
    const throws: OpenSink = { ...fakeSink(), send: async () => Promise.reject(new Error('broken')) };
    await open(store, { bad: fakeSink(REFUSED), good: fakeSink(OK), throws }).drain();
    expect(store.rows.map((row) => [row.status, row.error])).toEqual([
      ['retrying', 'refused'],
      ['success', null],
      ['retrying', 'broken'],
    ]);
  });

  it('leaves a sink that refuses alone for 1 s, then 2 s, however often it is asked to drain', async () => {
    const store = fakeStore(['bad']);
    const bad = fakeSink(REFUSED);
    const deliverer = open(store, { bad });
    for (let i = 0; i < 5; i++) await deliverer.drain();
    expect([store.rows[0]?.status, bad.asked]).toEqual(['retrying', [0]]);
    await vi.advanceTimersByTimeAsync(3_500);
    expect([store.rows[0]?.status, bad.asked]).toEqual(['failed', [0, 1, 3]]);
    expect(deliverer.state()).toMatchObject({ failed: 1, newestFailure: 'alert 1 to bad: refused' });
  });

  it('waits for space by itself, at least every minute, without counting attempts or giving anything up', async () => {
    const store = fakeStore(['file', 'file']);
    const file = fakeSink(FULL);
    const deliverer = open(store, { file });
    await deliverer.drain();
    expect(deliverer.state().refusing).toEqual([{ sink: 'file', error: 'ENOSPC', isFull: true, forMs: 0 }]);
    await vi.advanceTimersByTimeAsync(183_500);
    expect(file.asked).toEqual([0, 1, 3, 7, 15, 31, 63, 123, 183]);
    expect(store.rows.map(({ status, attemptCount }) => [status, attemptCount])).toEqual([
      ['pending', 0],
      ['pending', 0],
    ]);
    expect(deliverer.state().failed).toBe(0);
  });

  it('delivers all that waited once there is space again, and says nothing of the sink any more', async () => {
    const store = fakeStore(['file', 'file', 'file']);
    const deliverer = open(store, { file: fakeSink(FULL, FULL, OK) });
    await deliverer.drain();
    await vi.advanceTimersByTimeAsync(3_500);
    expect(store.rows.map(({ status }) => status)).toEqual(['success', 'success', 'success']);
    expect(deliverer.state()).toEqual({ failed: 0, newestFailure: '', refusing: [] });
  });

  it('gives up after a day without space, as dead letters that it counts, and tries later ones again', async () => {
    const store = fakeStore(['file', 'file']);
    const file = fakeSink(FULL);
    const deliverer = open(store, { file });
    await deliverer.drain();
    await vi.advanceTimersByTimeAsync(DAY_MS - 60_000);
    expect(store.rows.map(({ status }) => status)).toEqual(['pending', 'pending']);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(store.rows.map(({ status, error }) => [status, error])).toEqual([
      ['failed', 'no space for a day: ENOSPC'],
      ['failed', 'no space for a day: ENOSPC'],
    ]);
    expect(deliverer.state()).toMatchObject({ failed: 2, newestFailure: '2 alerts to file: no space for a day: ENOSPC' });
  });

  it('does not send again what the store could not record', async () => {
    const store = fakeStore(['good']);
    const good = fakeSink(OK);
    const { recordAttempt } = store;
    store.recordAttempt = () => {
      throw new Error('disk full');
    };
    const deliverer = open(store, { good });
    await expect(deliverer.drain()).rejects.toThrow('disk full');
    await expect(deliverer.drain()).rejects.toThrow('disk full');
    store.recordAttempt = recordAttempt;
    await deliverer.drain();
    expect([store.rows[0]?.status, good.asked.length]).toEqual(['success', 1]);
  });

  it('gives up at once where the sink is not configured any more', async () => {
    const store = fakeStore(['gone']);
    await open(store, {}).drain();
    expect(store.rows[0]).toMatchObject({ status: 'failed', error: 'the sink is not configured any more' });
  });

  it('makes no delivery twice when drained twice at once', async () => {
    const store = fakeStore(['slow', 'slow']);
    let sent = 0;
    const slow: OpenSink = {
      ...fakeSink(),
      send: async () => {
        sent++;
        await Promise.resolve();
        return OK;
      },
    };
    const deliverer = open(store, { slow });
    await Promise.all([deliverer.drain(), deliverer.drain()]);
    expect(sent).toBe(2);
  });
});
