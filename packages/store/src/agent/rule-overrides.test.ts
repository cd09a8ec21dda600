import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OperatorOverride } from '@sentineld/model/rule';
import { openWriter } from '../open.ts';
import { type AgentStore, openAgentStore, RULE } from './fixtures/agent-store.ts';
import { AGENT_MIGRATIONS } from './migrations.ts';
import { type AgentWriter, openAgentWriter, type RuleCost } from './writer.ts';

let store: AgentStore;
let writer: AgentWriter;
beforeEach(() => {
  store = openAgentStore();
  writer = store.open();
});
afterEach(() => store.remove());

const EVENT = { action: 'rule_override', data: {} } as const;
const OVERRIDE: OperatorOverride = {
  ruleId: RULE.id,
  enabled: false,
  severity: 'low',
  reason: "it's noisy; --",
  uid: 1000,
  userName: 'alice',
  decidedMs: 900,
};

describe('what operators decided', () => {
  test('is there after a restart, also about a rule that is not', () => {
    writer.saveRules([RULE], { event: EVENT, override: OVERRIDE });
    const bare: OperatorOverride = { ...OVERRIDE, ruleId: 'gone', enabled: null, severity: null, userName: null };
    writer.saveRules([], { event: EVENT, override: bare });
    writer.stop();
    writer = store.open();
    expect(writer.ruleOverrides()).toEqual([bare, OVERRIDE]);
    expect(writer.outboxDepth()).toBe(2);
  });

  test('is replaced by a later decision and removed by a reset', () => {
    writer.saveRules([RULE], { event: EVENT, override: OVERRIDE });
    writer.saveRules([RULE], { event: EVENT, override: { ...OVERRIDE, enabled: true, reason: 'again' } });
    expect(writer.ruleOverrides()).toEqual([{ ...OVERRIDE, enabled: true, reason: 'again' }]);
    writer.saveRules([RULE], { event: EVENT, withoutOverride: RULE.id });
    expect(writer.ruleOverrides()).toEqual([]);
  });

  test('is stored with its rules and its entry for the ledger, or not at all', () => {
    const awful = { ...OVERRIDE, severity: 'awful' as 'high' };
    expect(() => writer.saveRules([RULE], { event: EVENT, override: awful })).toThrow(/CHECK/);
    expect([writer.ruleOverrides(), writer.outboxDepth(), store.query('SELECT id FROM detection_rules')]).toEqual([[], 0, []]);
  });
});

test('a file of the release before is taken over with its rules and their versions', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sentineld-agent-3-'));
  const path = join(directory, 'agent.db');
  const older = openWriter({ path, durability: 'full', cacheKiB: 256, migrations: AGENT_MIGRATIONS.slice(0, 3), clock: () => 1 });
  older.exec(`INSERT INTO detection_rules (id, name, sql_query, severity, created_at, updated_at) VALUES ('r', 'R', 'SELECT 1', 'low', 5, 5);
    INSERT INTO detection_rule_versions (rule_id, version, recorded_at, definition) VALUES ('r', 1, 5, '{}')`);
  older.close();
  const upgraded = openAgentWriter({ path, clock: () => 9 });
  expect([upgraded.ruleOverrides(), upgraded.ruleCosts()]).toEqual([[], []]);
  const check = openWriter({ path, durability: 'full', cacheKiB: 256, migrations: AGENT_MIGRATIONS, clock: () => 9 });
  expect(check.prepare('SELECT recorded_at, last_seen FROM detection_rule_versions').all()).toEqual([{ recorded_at: 5, last_seen: 5 }]);
  rmSync(directory, { recursive: true });
});

test('what rules cost is kept across restarts', () => {
  const cost: RuleCost = { ruleId: RULE.id, runs: 3, rows: 9, hits: 2, totalMs: 4.25, worstMs: 2.125, overruns: 1, lastRunMs: 800 };
  writer.concludeCycle({ action: 'rule_execute', data: {} }, [], [cost]);
  writer.stop();
  writer = store.open();
  expect(writer.ruleCosts()).toEqual([cost]);
  writer.concludeCycle({ action: 'rule_execute', data: {} }, [], [{ ...cost, runs: 4 }]);
  expect(writer.ruleCosts()).toEqual([{ ...cost, runs: 4 }]);
});

describe('versions of a rule', () => {
  const versions = (): unknown[] => store.query('SELECT version, recorded_at, last_seen FROM detection_rule_versions ORDER BY id');

  test('have the times at which they were first and last known to be loaded', () => {
    const start = store.clock.ms;
    writer.saveRules([RULE]);
    store.clock.ms += 10;
    writer.saveRules([RULE]);
    store.clock.ms += 10;
    writer.saveRules([{ ...RULE, version: 2 }]);
    store.clock.ms += 10;
    writer.saveRules([]);
    store.clock.ms += 10;
    writer.saveRules([]);
    expect(versions()).toEqual([
      { version: 1, recorded_at: start, last_seen: start + 20 },
      { version: 2, recorded_at: start + 20, last_seen: start + 30 },
    ]);
  });

  test('are kept up to the newest 100', () => {
    for (let version = 1; version <= 103; version++)
      writer.saveRules([
        { ...RULE, version },
        { ...RULE, id: 'other' },
      ]);
    expect(versions()).toHaveLength(101);
    expect(versions()[0]).toMatchObject({ version: 1 });
    expect(store.query(`SELECT min(version) AS oldest FROM detection_rule_versions WHERE rule_id = '${RULE.id}'`)).toEqual([{ oldest: 4 }]);
  });
});
