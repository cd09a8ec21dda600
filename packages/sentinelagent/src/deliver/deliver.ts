/**
 * Hands pending deliveries to their sinks and records what each said. Deliveries are in the store before the first
 * attempt, so those that an end of the program left open are made after the next start. A sink that refuses is left
 * alone for a while, longer each time; what is given up stays in the store as a dead letter.
 */
import { messageOf } from '@sentineld/model/error';
import type { Logger } from '@sentineld/runtime/log/logger';
import type { AgentWriter, PendingDelivery } from '@sentineld/store/agent/writer';
import { createSinkPause, type RefusalState } from './sink-pause.ts';
import type { OpenSink, SendResult } from './sink.ts';

/** An alert that a sink refused this often is a dead letter. Want of space is no attempt. */
const MAX_ATTEMPTS = 3;
/** A sink that had no space for a day gives up what waits for it. */
const LONGEST_FULL_MS = 86_400_000;
const PAGE = 100;

export type Deliverer = {
  /** Tries every open delivery whose sink is not left alone; returns when all that are open now were tried. */
  readonly drain: () => Promise<void>;
  readonly state: () => DeliveryState;
  /** Tries nothing more by itself. */
  readonly stop: () => void;
};

export type DeliveryState = {
  /** Deliveries given up since the start. */
  readonly failed: number;
  /** The newest of them and why, in words; empty where there is none. */
  readonly newestFailure: string;
  /** Sinks that took nothing the last time. */
  readonly refusing: readonly (RefusalState & { readonly sink: string })[];
};

export type DelivererOptions = {
  readonly store: Pick<AgentWriter, 'pendingDeliveries' | 'recordAttempt' | 'giveUp'>;
  readonly sinks: ReadonlyMap<string, OpenSink>;
  readonly log: Logger;
  /** Milliseconds of a clock that nobody sets. */
  readonly nowMs: () => number;
};

export function createDeliverer(options: DelivererOptions): Deliverer {
  const outlets = new Map([...options.sinks].map(([name, sink]) => [name, { sink, pause: createSinkPause(options.nowMs) }]));
  const failures = { count: 0, newest: '' };
  const deliver = createDelivery(options, outlets, failures);
  const drainOnce = async (): Promise<void> => {
    for (let after = 0; ;) {
      const paused = [...outlets].filter(([, { pause }]) => pause.leftMs() > 0).map(([name]) => name);
      const page = options.store.pendingDeliveries({ afterDeliveryId: after, limit: PAGE, withoutSinks: paused });
      for (const delivery of page) {
        await deliver(delivery);
        after = delivery.deliveryId;
      }
      if (page.length === 0) return;
    }
  };
  let queue: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const drain = (): Promise<void> => {
    // One at a time, so that no delivery is made twice by two drains. One that failed, on a full disk for instance,
    // does not keep later ones from being tried.
    queue = queue.catch(() => undefined).then(() => drainOnce().finally(tryAgainLater));
    return queue;
  };
  const tryAgainLater = (): void => {
    clearTimeout(timer);
    const waits = [...outlets.values()].map(({ pause }) => pause.leftMs()).filter((ms) => ms > 0);
    if (waits.length === 0 || stopped) return;
    const again = (): void => void drain().catch((cause: unknown) => options.log.error({ error: messageOf(cause) }, 'delivery.failed'));
    timer = setTimeout(again, Math.min(...waits)).unref();
  };
  return {
    drain,
    state: () => ({ failed: failures.count, newestFailure: failures.newest, refusing: refusingOf(outlets) }),
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

type Outlets = ReadonlyMap<string, { readonly sink: OpenSink; readonly pause: ReturnType<typeof createSinkPause> }>;

function refusingOf(outlets: Outlets): DeliveryState['refusing'] {
  return [...outlets].flatMap(([sink, { pause }]) => {
    const state = pause.state();
    return state === null ? [] : [{ sink, ...state }];
  });
}

/** One attempt of one delivery, where its sink is not left alone, with what follows from it. */
function createDelivery({ store, log }: DelivererOptions, outlets: Outlets, failures: { count: number; newest: string }) {
  /** Delivered, and not recorded because the store failed: not to be sent again for that. */
  const unrecorded = new Set<number>();
  const fail = (count: number, newest: string): void => {
    failures.count += count;
    failures.newest = newest;
  };
  return async ({ deliveryId, sinkName, attemptCount, alert }: PendingDelivery): Promise<void> => {
    const outlet = outlets.get(sinkName);
    if (outlet !== undefined && outlet.pause.leftMs() > 0) return;
    const startedMs = performance.now();
    const result = unrecorded.has(deliveryId) ? DELIVERED : await attempt(outlet?.sink, alert);
    const fields = { alertId: alert.id, ruleId: alert.ruleId, sink: sinkName, correlationId: alert.correlationId };
    if (result.ok) {
      outlet?.pause.accepted();
      unrecorded.add(deliveryId);
      store.recordAttempt(deliveryId, { status: 'success', responseTimeMs: performance.now() - startedMs, error: null });
      unrecorded.delete(deliveryId);
      return log.info(fields, 'alert.delivered');
    }
    const { error, isFull = false } = result;
    outlet?.pause.refused(error, isFull);
    log.warn({ ...fields, error }, 'alert.delivery_failed');
    if (isFull) {
      if ((outlet?.pause.state()?.forMs ?? 0) < LONGEST_FULL_MS) return undefined;
      const count = store.giveUp(sinkName, `no space for a day: ${error}`);
      return fail(count, `${count} alerts to ${sinkName}: no space for a day: ${error}`);
    }
    const isLast = outlet === undefined || attemptCount + 1 >= MAX_ATTEMPTS;
    store.recordAttempt(deliveryId, { status: isLast ? 'failed' : 'retrying', responseTimeMs: performance.now() - startedMs, error });
    return isLast ? fail(1, `alert ${alert.id} to ${sinkName}: ${error}`) : undefined;
  };
}

const DELIVERED: SendResult = { ok: true };

async function attempt(sink: OpenSink | undefined, alert: PendingDelivery['alert']): Promise<SendResult> {
  if (sink === undefined) return { ok: false, error: 'the sink is not configured any more' };
  try {
    return await sink.send(alert);
  } catch (cause) {
    return { ok: false, error: messageOf(cause) };
  }
}
