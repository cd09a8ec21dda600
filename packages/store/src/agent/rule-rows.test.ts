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

describe('saveRules', () => {
  const stored = (): unknown[] =>
    store.query('SELECT id, version, enabled, severity, created_at, updated_at, removed_at FROM detection_rules ORDER BY id');
  const history = (): unknown[] =>
    store.query("SELECT rule_id, version, recorded_at, definition ->> 'sql' AS sql FROM detection_rule_versions ORDER BY id");

  test('stores a rule with every field, once however often it is loaded', () => {
    expect(writer.saveRules([RULE])).toEqual({ changed: 1, removed: 0 });
    store.clock.ms += 5;
    expect(writer.saveRules([{ ...RULE }])).toEqual({ changed: 0, removed: 0 });
    expect(store.query('SELECT * FROM detection_rules')).toEqual([
      {
        id: 'web-shell',
        name: RULE.name,
        description: RULE.description,
        version: 1,
        sql_query: RULE.sql,
        severity: 'high',
        category: 'process',
        tags: '["web"]',
        enabled: 1,
        author: 'SentinelD',
        created_at: store.clock.ms - 5,
        updated_at: store.clock.ms - 5,
        source_type: 'builtin',
        source_path: RULE.sourcePath,
        checksum: RULE.checksum,
        attack: '["T1505.003"]',
        dedup_keys: '["pid"]',
        removed_at: null,
      },
    ]);
    expect(history()).toHaveLength(1);
  });

  test('keeps every definition, also one without a new version, and one that comes back', () => {
    writer.saveRules([RULE]);
    store.clock.ms += 1;
    writer.saveRules([{ ...RULE, sql: 'SELECT 2' }]);
    writer.saveRules([{ ...RULE, sql: 'SELECT 3', version: 2 }]);
    writer.saveRules([RULE]);
    expect(history()).toMatchObject([
      { sql: RULE.sql, recorded_at: store.clock.ms - 1 },
      { sql: 'SELECT 2', version: 1, recorded_at: store.clock.ms },
      { sql: 'SELECT 3', version: 2 },
      { sql: RULE.sql, version: 1 },
    ]);
    expect(stored()).toMatchObject([{ version: 1, created_at: store.clock.ms - 1, updated_at: store.clock.ms }]);
  });

  test('a rule that is gone is disabled and stays for its alerts; when it is back, so is its state', () => {
    writer.saveRules([RULE, { ...RULE, id: 'other' }]);
    writer.recordFindings([finding('a')], CONTEXT);
    expect(writer.saveRules([{ ...RULE, id: 'other' }])).toEqual({ changed: 0, removed: 1 });
    expect(stored()).toMatchObject([
      { id: 'other', enabled: 1, removed_at: null },
      { id: 'web-shell', enabled: 0, removed_at: store.clock.ms },
    ]);
    expect(writer.saveRules([RULE, { ...RULE, id: 'other' }])).toEqual({ changed: 0, removed: 0 });
    expect(stored()).toMatchObject([{ removed_at: null }, { enabled: 1, removed_at: null }]);
    expect(history()).toHaveLength(2);
  });

  test('all or nothing', () => {
    writer.saveRules([RULE]);
    expect(() =>
      writer.saveRules([
        { ...RULE, version: 2 },
        { ...RULE, id: 'b', severity: 'awful' as 'high' },
      ]),
    ).toThrow(/CHECK/);
    expect(() => writer.saveRules([RULE, RULE])).toThrow(expect.objectContaining({ code: 'internal.bug' }));
    expect(stored()).toMatchObject([{ id: 'web-shell', version: 1, removed_at: null }]);
  });
});
