import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AgentStore, openAgentStore } from './fixtures/agent-store.ts';
import { MAX_AUDIT_DATA_BYTES, type AgentWriter } from './writer.ts';

let store: AgentStore;
let writer: AgentWriter;
beforeEach(() => {
  store = openAgentStore();
  writer = store.open();
});
afterEach(() => store.remove());

describe('audit outbox', () => {
  const hash = (sequence: number): string => sequence.toString(16).padStart(64, '0');

  test('gives entries in their order until they are acknowledged, and never a number twice', () => {
    for (let at = 1; at <= 5; at++) writer.queueAudit({ action: 'rule_execute', data: { at } });
    expect(writer.nextAudit(2)).toEqual([
      { originSequence: 1, event: { action: 'rule_execute', data: { at: 1 } } },
      { originSequence: 2, event: { action: 'rule_execute', data: { at: 2 } } },
    ]);
    writer.acknowledgeAudit(5, { sequence: 9, entryHash: hash(9) });
    expect(writer.outboxDepth()).toBe(0);
    writer.stop();
    writer = store.open();
    writer.queueAudit({ action: 'stop', data: {} });
    expect(writer.nextAudit(64)).toEqual([{ originSequence: 6, event: { action: 'stop', data: {} } }]);
    expect(store.query('SELECT * FROM ledger_witness')).toEqual([{ sequence: 9, entry_hash: hash(9), seen_ms: store.clock.ms }]);
  });

  test('what is given fits one request', () => {
    for (let at = 0; at < 10; at++) writer.queueAudit({ action: 'rule_execute', data: { text: 'é'.repeat(10_000) } });
    expect(writer.nextAudit(64)).toHaveLength(2);
    writer.queueAudit({ action: 'query_execute', data: { sql: 'x'.repeat(100_000) } });
    writer.acknowledgeAudit(10, { sequence: 1, entryHash: hash(1) });
    const [large] = writer.nextAudit(64);
    expect(large?.event.data).toEqual({
      oversize: { size_bytes: 100_010, sha256: expect.stringMatching(/^[0-9a-f]{64}$/), start: expect.stringMatching(/^\{"sql":"x/) },
    });
    expect(Buffer.byteLength(JSON.stringify(large))).toBeLessThan(MAX_AUDIT_DATA_BYTES);
  });

  test('a file that went back in time starts a new generation instead of losing entries as repeats', () => {
    writer.queueAudit({ action: 'start', data: {} });
    const generation = writer.generation();
    expect(generation).toMatch(/^[0-9a-f]{32}$/);
    writer.acknowledgeAudit(500, { sequence: 900, entryHash: hash(900) });
    expect(writer.generation()).not.toBe(generation);
    expect(writer.nextAudit(64)).toHaveLength(1);
    writer.acknowledgeAudit(1, { sequence: 901, entryHash: hash(901) });
    expect(writer.outboxDepth()).toBe(0);
  });

  test('the newest 1000 heads are kept, and two hashes of one sequence both', () => {
    for (let sequence = 1; sequence <= 1_005; sequence++) writer.acknowledgeAudit(0, { sequence, entryHash: hash(sequence) });
    writer.acknowledgeAudit(0, { sequence: 1_005, entryHash: hash(1_005) });
    expect(store.query('SELECT count(*) AS heads, min(sequence) AS first, max(sequence) AS last FROM ledger_witness')).toEqual([
      { heads: 1_000, first: 6, last: 1_005 },
    ]);
    writer.acknowledgeAudit(0, { sequence: 1_005, entryHash: hash(7) });
    expect(store.query('SELECT entry_hash FROM ledger_witness WHERE sequence = 1005')).toHaveLength(2);
  });
});
