import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AgentStore, CONTEXT, finding, MINUTE_MS, openAgentStore, RULE } from './fixtures/agent-store.ts';
import type { AgentWriter } from './writer.ts';

let store: AgentStore;
let writer: AgentWriter;
beforeEach(() => {
  store = openAgentStore();
  writer = store.open();
});
afterEach(() => store.remove());

describe('recordFindings', () => {
  beforeEach(() => writer.saveRules([RULE]));

  test('an alert has what the finding and the host gave, and one pending delivery per sink', () => {
    const { alerts, suppressed } = writer.recordFindings([finding('a', { executionTimeMs: 3.4 })], CONTEXT);
    expect(suppressed).toBe(0);
    expect(alerts).toEqual([
      {
        ...finding('a'),
        id: 1,
        alertTimeMs: store.clock.ms,
        title: 'Shell below a web server: bash (pid 42)',
        hostName: 'web-1',
        hostId: 'H',
        bootId: 'B',
      },
    ]);
    expect(writer.pendingDeliveries()).toEqual([
      { deliveryId: 1, sinkName: 'ops', sinkType: 'webhook', attemptCount: 0, alert: alerts[0] },
      { deliveryId: 2, sinkName: 'log', sinkType: 'file', attemptCount: 0, alert: alerts[0] },
    ]);
    expect(store.query('SELECT process_count, repeats, last_seen FROM alerts')).toEqual([
      { process_count: 1, repeats: 0, last_seen: store.clock.ms },
    ]);
  });

  test.each([
    [0, 'Shell below a web server'],
    [3, 'Shell below a web server: bash (pid 42) and 2 more'],
  ])('the title with %i processes', (count, title) => {
    const { processes } = finding('a');
    const { alerts } = writer.recordFindings([finding('a', { processes: Array.from({ length: count }, () => processes).flat() })], CONTEXT);
    expect(alerts[0]?.title).toBe(title);
  });

  test('a repeat within the window, which slides, is counted and delivered to nobody', () => {
    writer.recordFindings([finding('a')], CONTEXT);
    for (let cycle = 0; cycle < 5; cycle++) {
      store.clock.ms += 9 * MINUTE_MS;
      expect(writer.recordFindings([finding('a')], CONTEXT)).toEqual({ alerts: [], suppressed: 1 });
    }
    expect(store.query('SELECT repeats, last_seen_ms FROM alert_dedup')).toEqual([{ repeats: 5, last_seen_ms: store.clock.ms }]);
    expect(writer.pendingDeliveries()).toHaveLength(2);
  });

  test('after the window it is a new alert, and the old one keeps its count', () => {
    writer.recordFindings([finding('a')], CONTEXT);
    store.clock.ms += 9 * MINUTE_MS;
    writer.recordFindings([finding('a')], CONTEXT);
    const lastSeen = store.clock.ms;
    store.clock.ms += 10 * MINUTE_MS;
    expect(writer.recordFindings([finding('a'), finding('b'), finding('b')], CONTEXT)).toMatchObject({
      alerts: [{ id: 2 }, { id: 3 }],
      suppressed: 1,
    });
    expect(store.query('SELECT id, repeats, last_seen FROM alerts')).toEqual([
      { id: 1, repeats: 1, last_seen: lastSeen },
      { id: 2, repeats: 0, last_seen: store.clock.ms },
      { id: 3, repeats: 0, last_seen: store.clock.ms },
    ]);
    store.clock.ms += 60 * MINUTE_MS;
    writer.recordFindings([], CONTEXT);
    expect(store.query('SELECT * FROM alert_dedup')).toEqual([]);
  });

  test('a clock that was far ahead for a while suppresses nothing afterwards', () => {
    store.clock.ms += 1_000 * MINUTE_MS;
    writer.recordFindings([finding('a')], CONTEXT);
    store.clock.ms -= 1_000 * MINUTE_MS;
    expect(writer.recordFindings([finding('a')], CONTEXT).alerts).toHaveLength(1);
    store.clock.ms -= 5 * MINUTE_MS;
    expect(writer.recordFindings([finding('a')], CONTEXT).suppressed).toBe(1);
  });

  test('survives a restart', () => {
    writer.recordFindings([finding('a')], CONTEXT);
    writer.stop();
    writer = store.open();
    expect(writer.recordFindings([finding('a')], CONTEXT).suppressed).toBe(1);
    expect(writer.pendingDeliveries()).toHaveLength(2);
  });

  test('all of a cycle or nothing, audit entries included', () => {
    const audit = (): { action: 'alert_generate'; data: Record<string, unknown> } => ({ action: 'alert_generate', data: {} });
    expect(() =>
      writer.recordFindings([finding('a'), finding('b', { ruleId: 'never-saved' })], CONTEXT, {
        auditOf: audit,
        progress: { ruleId: RULE.id, result: 'matched', sinceMs: 1, reason: null, seen: null },
      }),
    ).toThrow(/FOREIGN KEY/);
    expect(store.query('SELECT * FROM alerts')).toEqual([]);
    expect(writer.outboxDepth()).toBe(0);
    expect(writer.ruleProgress()).toEqual([]);
    const progress = { ruleId: RULE.id, result: 'matched' as const, sinceMs: 1, reason: null, seen: null };
    writer.recordFindings([finding('a'), finding('a'), finding('b')], CONTEXT, {
      auditOf: (alert) => ({ action: 'alert_generate', data: { alert_id: alert.id } }),
      progress,
    });
    expect(writer.ruleProgress()).toEqual([progress]);
    expect(writer.nextAudit(64).map((entry) => entry.event.data)).toEqual([{ alert_id: 1 }, { alert_id: 2 }]);
  });
});
