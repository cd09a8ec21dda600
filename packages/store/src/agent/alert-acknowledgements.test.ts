import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AuditEvent } from '@sentineld/model/audit';
import type { AcknowledgedAlert } from './alert-acknowledgements.ts';
import { type AgentStore, CONTEXT, finding, openAgentStore, RULE } from './fixtures/agent-store.ts';
import type { AgentWriter } from './writer.ts';

let store: AgentStore;
let writer: AgentWriter;
beforeEach(() => {
  store = openAgentStore();
  writer = store.open();
  writer.saveRules([RULE]);
  writer.recordFindings([finding('a'), finding('b'), finding('c')], CONTEXT);
});
afterEach(() => store.remove());

const auditOf = (marked: readonly AcknowledgedAlert[]): AuditEvent => ({ action: 'alert_ack', data: { ids: marked.map(({ id }) => id) } });
const ALICE = { uid: 1000, by: 'alice', reason: "it's; --", again: false };
const BOB = { uid: 1001, by: 'uid 1001', reason: 'mine', again: false };
const stored = (): unknown => store.query('SELECT acknowledged_by AS by, acknowledged_ms AS ms FROM alerts ORDER BY id');

describe('an alert', () => {
  test('is acknowledged with who, when and why, once, and is so after a restart', () => {
    const atMs = store.clock.ms;
    const acknowledgement = { uid: 1000, by: 'alice', reason: ALICE.reason, atMs };
    expect(writer.acknowledgeAlerts([1, 3, 1], ALICE, auditOf)).toEqual([
      { id: 1, isNew: true, acknowledgement },
      { id: 3, isNew: true, acknowledgement },
    ]);
    store.clock.ms += 5;
    writer.stop();
    writer = store.open();
    expect(writer.acknowledgeAlerts([1], BOB, auditOf)).toEqual([{ id: 1, isNew: false, acknowledgement }]);
    expect(stored()).toEqual([
      { by: 'alice', ms: atMs },
      { by: null, ms: null },
      { by: 'alice', ms: atMs },
    ]);
    expect(writer.nextAudit(9).map(({ event }) => event.data)).toEqual([{ ids: [1, 3] }]);
  });

  test('is acknowledged again where that is asked for, and the entry names what is new', () => {
    writer.acknowledgeAlerts([1], ALICE, auditOf);
    expect(writer.acknowledgeAlerts([1, 2], BOB, auditOf)).toMatchObject([
      { id: 1, isNew: false, acknowledgement: { by: 'alice' } },
      { id: 2, isNew: true, acknowledgement: { by: 'uid 1001' } },
    ]);
    expect(writer.acknowledgeAlerts([1], { ...BOB, again: true }, auditOf)).toMatchObject([
      { isNew: true, acknowledgement: { uid: 1001 } },
    ]);
    expect(writer.nextAudit(9).map(({ event }) => event.data)).toEqual([{ ids: [1] }, { ids: [2] }, { ids: [1] }]);
  });

  test('that is not there leaves the others as they were', () => {
    expect(() => writer.acknowledgeAlerts([1, 99], ALICE, auditOf)).toThrow(expect.objectContaining({ code: 'usage.invalid' }));
    expect([stored(), writer.outboxDepth()]).toEqual([Array.from({ length: 3 }, () => ({ by: null, ms: null })), 0]);
    expect(writer.writeFailure()).toBeNull();
  });
});
