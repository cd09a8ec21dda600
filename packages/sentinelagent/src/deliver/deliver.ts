/**
 * Hands pending deliveries to their sinks and records what each said. Deliveries are in the store before the first
 * attempt, so those that an end of the program left open are made after the next start.
 */
import { messageOf } from '@sentineld/model/error';
import type { Logger } from '@sentineld/runtime/log/logger';
import type { AgentWriter, PendingDelivery } from '@sentineld/store/agent/writer';
import type { OpenSink, SendResult } from './sink.ts';

/** An alert that a sink refused this often is a dead letter. */
const MAX_ATTEMPTS = 3;

export type Deliverer = {
  /** Tries every open delivery once; returns when all that are open now were tried. */
  readonly drain: () => Promise<void>;
  /** Deliveries given up since the start. */
  readonly failed: () => number;
};

export function createDeliverer(
  store: Pick<AgentWriter, 'pendingDeliveries' | 'recordAttempt'>,
  sinks: ReadonlyMap<string, OpenSink>,
  log: Logger,
): Deliverer {
  let failed = 0;
  let queue: Promise<void> = Promise.resolve();
  const deliver = async (delivery: PendingDelivery): Promise<void> => {
    const sink = sinks.get(delivery.sinkName);
    const startedMs = performance.now();
    const result: SendResult =
      sink === undefined ? { ok: false, error: 'the sink is not configured any more' } : await attempt(sink, delivery);
    const last = sink === undefined || delivery.attemptCount + 1 >= MAX_ATTEMPTS;
    const status = result.ok ? 'success' : last ? 'failed' : 'retrying';
    store.recordAttempt(delivery.deliveryId, {
      status,
      responseTimeMs: Math.round(performance.now() - startedMs),
      error: result.ok ? null : result.error,
    });
    const { alert } = delivery;
    const fields = { alertId: alert.id, ruleId: alert.ruleId, sink: delivery.sinkName, status, correlationId: alert.correlationId };
    if (result.ok) log.info(fields, 'alert.delivered');
    else log.warn({ ...fields, error: result.error }, 'alert.delivery_failed');
    if (status === 'failed') failed++;
  };
  const drainOnce = async (): Promise<void> => {
    for (let after = 0; ;) {
      const page = store.pendingDeliveries({ afterDeliveryId: after, limit: 100 });
      for (const delivery of page) {
        await deliver(delivery);
        after = delivery.deliveryId;
      }
      if (page.length === 0) return;
    }
  };
  return {
    // One at a time, so that no delivery is made twice by two drains.
    drain: () => {
      // A drain that failed, on a full disk for instance, does not keep later ones from being tried.
      queue = queue.catch(() => undefined).then(drainOnce);
      return queue;
    },
    failed: () => failed,
  };
}

async function attempt(sink: OpenSink, delivery: PendingDelivery): Promise<SendResult> {
  try {
    return await sink.send(delivery.alert);
  } catch (cause) {
    return { ok: false, error: messageOf(cause) };
  }
}
