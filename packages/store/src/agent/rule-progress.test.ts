import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AgentStore, openAgentStore, RULE } from './fixtures/agent-store.ts';
import type { AgentWriter, RuleProgress } from './writer.ts';

let store: AgentStore;
let writer: AgentWriter;
beforeEach(() => {
  store = openAgentStore();
  writer = store.open();
  writer.saveRules([RULE]);
});
afterEach(() => store.remove());

const ENTRY = { action: 'rule_execute', data: {} } as const;
const PROGRESS: RuleProgress = {
  ruleId: RULE.id,
  result: 'incomplete',
  sinceMs: 700,
  reason: '12 events were lost',
  seen: { store: 'H', seq: 41, scanId: 7, scanMs: 900 },
};

describe('concludeCycle', () => {
  test('stores the entry and how far the rules came, for the next run of the agent', () => {
    expect(writer.ruleProgress()).toEqual([]);
    writer.concludeCycle(ENTRY, [PROGRESS]);
    writer.stop();
    writer = store.open();
    expect(writer.ruleProgress()).toEqual([PROGRESS]);
    expect(writer.outboxDepth()).toBe(1);
    writer.concludeCycle(ENTRY, [{ ...PROGRESS, result: 'no_match', reason: null, seen: null }]);
    expect(writer.ruleProgress()).toEqual([{ ...PROGRESS, result: 'no_match', reason: null, seen: null }]);
    writer.concludeCycle(ENTRY, []);
    expect([writer.ruleProgress().length, writer.outboxDepth()]).toEqual([1, 3]);
  });

  test('stores neither where one of them cannot be stored', () => {
    expect(() => writer.concludeCycle(ENTRY, [PROGRESS, { ...PROGRESS, ruleId: 'never-loaded' }])).toThrow(/FOREIGN KEY/);
    expect([writer.ruleProgress(), writer.outboxDepth()]).toEqual([[], 0]);
  });
});

describe('saveRules', () => {
  test.each([
    ['removed', []],
    ['disabled', [{ ...RULE, enabled: false }]],
  ])('forgets how far a rule came that is %s: it begins anew when it comes back', (_, rules) => {
    writer.concludeCycle(ENTRY, [PROGRESS]);
    writer.saveRules([{ ...RULE, version: 2 }]);
    expect(writer.ruleProgress()).toEqual([PROGRESS]);
    writer.saveRules(rules);
    expect(writer.ruleProgress()).toEqual([]);
  });

  test('keeps with whose findings a rule shares its own, in its definition', () => {
    writer.saveRules([RULE, { ...RULE, id: 'other', dedupWith: RULE.id }]);
    const definitions = store.query<{ rule_id: string; shared: string | null }>(
      "SELECT rule_id, definition ->> 'dedupWith' AS shared FROM detection_rule_versions ORDER BY id",
    );
    expect(definitions).toEqual([
      { rule_id: RULE.id, shared: null },
      { rule_id: 'other', shared: RULE.id },
    ]);
  });
});
