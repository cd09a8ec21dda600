import { silentLogger } from '@sentineld/runtime/log/logger';
import type { DeliveryAttempt, PendingDelivery } from '@sentineld/store/agent/writer';
import { describe, expect, it } from 'vitest';
import { exampleAlert } from './alert.fixture.ts';
import { createDeliverer } from './deliver.ts';
import type { SendResult } from './sink.ts';

function fakeStore(sinkNames: readonly string[]) {
  const rows = sinkNames.map((sinkName, index) => ({
    deliveryId: index + 1,
    sinkName,
    attemptCount: 0,
    status: 'pending' as string,
    error: null as string | null,
  }));
  return {
    rows,
    pendingDeliveries: ({ afterDeliveryId = 0 }: { afterDeliveryId?: number } = {}): PendingDelivery[] =>
      rows
        .filter((row) => row.deliveryId > afterDeliveryId && (row.status === 'pending' || row.status === 'retrying'))
        .map((row) => ({ ...row, sinkType: row.sinkName, alert: exampleAlert() })),
    recordAttempt: (id: number, attempt: DeliveryAttempt) => {
      const row = rows.find(({ deliveryId }) => deliveryId === id);
      if (row === undefined) throw new Error('no such delivery');
      row.attemptCount++;
      row.status = attempt.status;
      row.error = attempt.error;
    },
  };
}

const sink = (send: () => Promise<SendResult>) => ({ send, close: () => undefined });

describe('createDeliverer', () => {
  it('delivers to every sink, whatever another one does', async () => {
    const store = fakeStore(['bad', 'good', 'throws']);
    const sinks = new Map([
      ['bad', sink(async () => ({ ok: false, error: 'refused' }))],
      ['good', sink(async () => ({ ok: true }))],
      ['throws', sink(async () => Promise.reject(new Error('broken')))],
    ]);
    const deliverer = createDeliverer(store, sinks, silentLogger());
    await deliverer.drain();
    expect(store.rows.map((row) => [row.status, row.error])).toEqual([
      ['retrying', 'refused'],
      ['success', null],
      ['retrying', 'broken'],
    ]);
  });

  it('gives up after three attempts and counts it', async () => {
    const store = fakeStore(['bad']);
    const deliverer = createDeliverer(store, new Map([['bad', sink(async () => ({ ok: false, error: 'no' }))]]), silentLogger());
    for (let i = 0; i < 5; i++) await deliverer.drain();
    expect(store.rows[0]).toMatchObject({ status: 'failed', attemptCount: 3 });
    expect(deliverer.failed()).toBe(1);
  });

  it('gives up at once where the sink is not configured any more', async () => {
    const store = fakeStore(['gone']);
    await createDeliverer(store, new Map(), silentLogger()).drain();
    expect(store.rows[0]).toMatchObject({ status: 'failed', error: 'the sink is not configured any more' });
  });

  it('makes no delivery twice when drained twice at once', async () => {
    const store = fakeStore(['slow', 'slow']);
    let sent = 0;
    const slow = sink(async () => {
      sent++;
      await new Promise((resolve) => setImmediate(resolve));
      return { ok: true };
    });
    const deliverer = createDeliverer(store, new Map([['slow', slow]]), silentLogger());
    await Promise.all([deliverer.drain(), deliverer.drain()]);
    expect(sent).toBe(2);
  });
});
