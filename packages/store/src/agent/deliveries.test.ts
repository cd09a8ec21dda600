import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AgentStore, CONTEXT, finding, openAgentStore, RULE } from './fixtures/agent-store.ts';
import type { AgentWriter } from './writer.ts';

let store: AgentStore;
let writer: AgentWriter;
beforeEach(() => {
  store = openAgentStore();
  writer = store.open();
});
afterEach(() => store.remove());

describe('deliveries', () => {
  beforeEach(() => {
    writer.saveRules([RULE]);
    writer.recordFindings([finding('a'), finding('b')], CONTEXT);
  });

  test('stay pending over failing attempts, until they succeed or are given up', () => {
    store.clock.ms += 1;
    writer.recordAttempt(1, { status: 'retrying', responseTimeMs: 12.6, error: 'e'.repeat(5_000), httpStatus: 503 });
    expect(writer.pendingDeliveries().map((delivery) => [delivery.deliveryId, delivery.attemptCount])).toEqual([
      [1, 1],
      [2, 0],
      [3, 0],
      [4, 0],
    ]);
    writer.recordAttempt(1, { status: 'success', responseTimeMs: 10, error: null, httpStatus: 200 });
    writer.recordAttempt(2, { status: 'failed', responseTimeMs: null, error: 'no such host' });
    expect(writer.pendingDeliveries().map((delivery) => delivery.deliveryId)).toEqual([3, 4]);
    expect(
      store.query(
        'SELECT id, status, attempt_time, attempt_count, response_time_ms, error_message, http_status FROM alert_deliveries WHERE id < 3',
      ),
    ).toEqual([
      {
        id: 1,
        status: 'success',
        attempt_time: store.clock.ms,
        attempt_count: 2,
        response_time_ms: 10,
        error_message: null,
        http_status: 200,
      },
      {
        id: 2,
        status: 'failed',
        attempt_time: store.clock.ms,
        attempt_count: 1,
        response_time_ms: null,
        error_message: 'no such host',
        http_status: null,
      },
    ]);
  });

  test('are given page by page, found through their index', () => {
    expect(writer.pendingDeliveries({ limit: 3 }).map((delivery) => delivery.deliveryId)).toEqual([1, 2, 3]);
    expect(writer.pendingDeliveries({ limit: 3, afterDeliveryId: 3 }).map((delivery) => delivery.deliveryId)).toEqual([4]);
    const plan = store.query<{ detail: string }>(
      "EXPLAIN QUERY PLAN SELECT id FROM alert_deliveries WHERE status IN ('pending', 'retrying') AND id > 0 ORDER BY id LIMIT 5",
    );
    expect(plan.map((step) => step.detail).join()).toContain('alert_deliveries_open');
  });

  test('of some sinks can be left out, and what waits for one can be given up', () => {
    expect(writer.pendingDeliveries({ withoutSinks: ['log'] }).map((delivery) => delivery.deliveryId)).toEqual([1, 3]);
    writer.recordAttempt(2, { status: 'success', responseTimeMs: 1, error: null });
    store.clock.ms += 5;
    expect([writer.openDeliveries(), writer.giveUp('log', 'no space'), writer.giveUp('log', 'no space'), writer.openDeliveries()]).toEqual([
      3, 1, 0, 2,
    ]);
    expect(store.query("SELECT id, status, attempt_time, error_message FROM alert_deliveries WHERE sink_name = 'log'")).toEqual([
      { id: 2, status: 'success', attempt_time: store.clock.ms - 5, error_message: null },
      { id: 4, status: 'failed', attempt_time: store.clock.ms, error_message: 'no space' },
    ]);
  });

  test('that are over or do not exist cannot be attempted', () => {
    writer.recordAttempt(1, { status: 'success', responseTimeMs: 1, error: null });
    for (const id of [1, 99]) {
      expect(() => writer.recordAttempt(id, { status: 'retrying', responseTimeMs: 1, error: null })).toThrow(
        expect.objectContaining({ code: 'internal.bug' }),
      );
    }
  });
});
