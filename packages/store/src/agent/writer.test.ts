import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Finding } from '@sentineld/model/alert';
import type { Rule } from '@sentineld/model/rule';
import { type AgentWriter, MAX_AUDIT_DATA_BYTES, openAgentWriter } from './writer.ts';

const RULE: Rule = {
  id: 'web-shell',
  name: 'Shell below a web server',
  description: 'A web server started a shell.',
  severity: 'high',
  category: 'process',
  tags: ['web'],
  attack: ['T1505.003'],
  version: 1,
  author: 'SentinelD',
  sql: 'SELECT pid FROM processes',
  dedupKeys: ['pid'],
  enabled: true,
  source: 'builtin',
  sourcePath: 'persistence/web-shell.yaml',
  checksum: 'ab'.repeat(32),
};

const MINUTE_MS = 60_000;
const CONTEXT = {
  hostName: 'web-1',
  hostId: 'H',
  bootId: 'B',
  windowMs: 10 * MINUTE_MS,
  sinks: [
    { name: 'ops', type: 'webhook' },
    { name: 'log', type: 'file' },
  ],
};

let directory = '';
let nowMs = 0;
let writer: AgentWriter;

const pathOf = (): string => join(directory, 'agent.db');

function finding(dedupKey: string, change: Partial<Finding> = {}): Finding {
  const process = {
    pid: 42,
    startTimeMs: 5,
    name: 'bash',
    exePath: '/bin/bash',
    argv: ['bash', '-i\u001b[2J'],
    user: 'www',
    ppid: 1,
    parentName: 'nginx',
    parentExe: null,
    parentCmdline: null,
  };
  const { id: ruleId, name: ruleName, version: ruleVersion, severity, description, category, tags, attack } = RULE;
  return {
    ruleId,
    ruleName,
    ruleVersion,
    severity,
    description,
    category,
    tags,
    attack,
    dedupKey,
    scanId: 7,
    correlationId: 'c7',
    rows: [{ pid: 42, big: '9007199254740993', none: null }],
    processes: [process],
    executionTimeMs: 3,
    ...change,
  };
}

function query<Row>(sql: string): Row[] {
  const db = new Database(pathOf(), { readonly: true });
  try {
    return db.prepare<[], Row>(sql).all();
  } finally {
    db.close();
  }
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-agent-'));
  nowMs = 1_700_000_000_000;
  writer = openAgentWriter({ path: pathOf(), clock: () => nowMs });
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('saveRules', () => {
  const stored = (): unknown[] =>
    query('SELECT id, version, enabled, severity, created_at, updated_at, removed_at FROM detection_rules ORDER BY id');
  const history = (): unknown[] =>
    query("SELECT rule_id, version, recorded_at, definition ->> 'sql' AS sql FROM detection_rule_versions ORDER BY id");

  test('stores a rule with every field, once however often it is loaded', () => {
    expect(writer.saveRules([RULE])).toEqual({ changed: 1, removed: 0 });
    nowMs += 5;
    expect(writer.saveRules([{ ...RULE }])).toEqual({ changed: 0, removed: 0 });
    expect(query('SELECT * FROM detection_rules')).toEqual([
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
        created_at: nowMs - 5,
        updated_at: nowMs - 5,
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
    nowMs += 1;
    writer.saveRules([{ ...RULE, sql: 'SELECT 2' }]);
    writer.saveRules([{ ...RULE, sql: 'SELECT 3', version: 2 }]);
    writer.saveRules([RULE]);
    expect(history()).toMatchObject([
      { sql: RULE.sql, recorded_at: nowMs - 1 },
      { sql: 'SELECT 2', version: 1, recorded_at: nowMs },
      { sql: 'SELECT 3', version: 2 },
      { sql: RULE.sql, version: 1 },
    ]);
    expect(stored()).toMatchObject([{ version: 1, created_at: nowMs - 1, updated_at: nowMs }]);
  });

  test('a rule that is gone is disabled and stays for its alerts; when it is back, so is its state', () => {
    writer.saveRules([RULE, { ...RULE, id: 'other' }]);
    writer.recordFindings([finding('a')], CONTEXT);
    expect(writer.saveRules([{ ...RULE, id: 'other' }])).toEqual({ changed: 0, removed: 1 });
    expect(stored()).toMatchObject([
      { id: 'other', enabled: 1, removed_at: null },
      { id: 'web-shell', enabled: 0, removed_at: nowMs },
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

describe('recordFindings', () => {
  beforeEach(() => writer.saveRules([RULE]));

  test('an alert has what the finding and the host gave, and one pending delivery per sink', () => {
    const { alerts, suppressed } = writer.recordFindings([finding('a', { executionTimeMs: 3.4 })], CONTEXT);
    expect(suppressed).toBe(0);
    expect(alerts).toEqual([
      {
        ...finding('a'),
        id: 1,
        alertTimeMs: nowMs,
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
    expect(query('SELECT process_count, repeats, last_seen FROM alerts')).toEqual([{ process_count: 1, repeats: 0, last_seen: nowMs }]);
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
      nowMs += 9 * MINUTE_MS;
      expect(writer.recordFindings([finding('a')], CONTEXT)).toEqual({ alerts: [], suppressed: 1 });
    }
    expect(query('SELECT repeats, last_seen_ms FROM alert_dedup')).toEqual([{ repeats: 5, last_seen_ms: nowMs }]);
    expect(writer.pendingDeliveries()).toHaveLength(2);
  });

  test('after the window it is a new alert, and the old one keeps its count', () => {
    writer.recordFindings([finding('a')], CONTEXT);
    nowMs += 9 * MINUTE_MS;
    writer.recordFindings([finding('a')], CONTEXT);
    const lastSeen = nowMs;
    nowMs += 10 * MINUTE_MS;
    expect(writer.recordFindings([finding('a'), finding('b'), finding('b')], CONTEXT)).toMatchObject({
      alerts: [{ id: 2 }, { id: 3 }],
      suppressed: 1,
    });
    expect(query('SELECT id, repeats, last_seen FROM alerts')).toEqual([
      { id: 1, repeats: 1, last_seen: lastSeen },
      { id: 2, repeats: 0, last_seen: nowMs },
      { id: 3, repeats: 0, last_seen: nowMs },
    ]);
    nowMs += 60 * MINUTE_MS;
    writer.recordFindings([], CONTEXT);
    expect(query('SELECT * FROM alert_dedup')).toEqual([]);
  });

  test('a clock that was far ahead for a while suppresses nothing afterwards', () => {
    nowMs += 1_000 * MINUTE_MS;
    writer.recordFindings([finding('a')], CONTEXT);
    nowMs -= 1_000 * MINUTE_MS;
    expect(writer.recordFindings([finding('a')], CONTEXT).alerts).toHaveLength(1);
    nowMs -= 5 * MINUTE_MS;
    expect(writer.recordFindings([finding('a')], CONTEXT).suppressed).toBe(1);
  });

  test('survives a restart', () => {
    writer.recordFindings([finding('a')], CONTEXT);
    writer.stop();
    writer = openAgentWriter({ path: pathOf(), clock: () => nowMs });
    expect(writer.recordFindings([finding('a')], CONTEXT).suppressed).toBe(1);
    expect(writer.pendingDeliveries()).toHaveLength(2);
  });

  test('all of a cycle or nothing, audit entries included', () => {
    const audit = (): { action: 'alert_generate'; data: Record<string, unknown> } => ({ action: 'alert_generate', data: {} });
    expect(() => writer.recordFindings([finding('a'), finding('b', { ruleId: 'never-saved' })], CONTEXT, audit)).toThrow(/FOREIGN KEY/);
    expect(query('SELECT * FROM alerts')).toEqual([]);
    expect(writer.outboxDepth()).toBe(0);
    writer.recordFindings([finding('a'), finding('a'), finding('b')], CONTEXT, (alert) => ({
      action: 'alert_generate',
      data: { alert_id: alert.id },
    }));
    expect(writer.nextAudit(64).map((entry) => entry.event.data)).toEqual([{ alert_id: 1 }, { alert_id: 2 }]);
  });
});

describe('deliveries', () => {
  beforeEach(() => {
    writer.saveRules([RULE]);
    writer.recordFindings([finding('a'), finding('b')], CONTEXT);
  });

  test('stay pending over failing attempts, until they succeed or are given up', () => {
    nowMs += 1;
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
      query(
        'SELECT id, status, attempt_time, attempt_count, response_time_ms, error_message, http_status FROM alert_deliveries WHERE id < 3',
      ),
    ).toEqual([
      { id: 1, status: 'success', attempt_time: nowMs, attempt_count: 2, response_time_ms: 10, error_message: null, http_status: 200 },
      {
        id: 2,
        status: 'failed',
        attempt_time: nowMs,
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
    const plan = query<{ detail: string }>(
      "EXPLAIN QUERY PLAN SELECT id FROM alert_deliveries WHERE status IN ('pending', 'retrying') AND id > 0 ORDER BY id LIMIT 5",
    );
    expect(plan.map((step) => step.detail).join()).toContain('alert_deliveries_open');
  });

  test('of some sinks can be left out, and what waits for one can be given up', () => {
    expect(writer.pendingDeliveries({ withoutSinks: ['log'] }).map((delivery) => delivery.deliveryId)).toEqual([1, 3]);
    writer.recordAttempt(2, { status: 'success', responseTimeMs: 1, error: null });
    nowMs += 5;
    expect([writer.openDeliveries(), writer.giveUp('log', 'no space'), writer.giveUp('log', 'no space'), writer.openDeliveries()]).toEqual([
      3, 1, 0, 2,
    ]);
    expect(query("SELECT id, status, attempt_time, error_message FROM alert_deliveries WHERE sink_name = 'log'")).toEqual([
      { id: 2, status: 'success', attempt_time: nowMs - 5, error_message: null },
      { id: 4, status: 'failed', attempt_time: nowMs, error_message: 'no space' },
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
    writer = openAgentWriter({ path: pathOf(), clock: () => nowMs });
    writer.queueAudit({ action: 'stop', data: {} });
    expect(writer.nextAudit(64)).toEqual([{ originSequence: 6, event: { action: 'stop', data: {} } }]);
    expect(query('SELECT * FROM ledger_witness')).toEqual([{ sequence: 9, entry_hash: hash(9), seen_ms: nowMs }]);
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
    expect(query('SELECT count(*) AS heads, min(sequence) AS first, max(sequence) AS last FROM ledger_witness')).toEqual([
      { heads: 1_000, first: 6, last: 1_005 },
    ]);
    writer.acknowledgeAudit(0, { sequence: 1_005, entryHash: hash(7) });
    expect(query('SELECT entry_hash FROM ledger_witness WHERE sequence = 1005')).toHaveLength(2);
  });
});
