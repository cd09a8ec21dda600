import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AuditEvent } from '@sentineld/model/audit';
import { MAX_SUPPRESSIONS, type Suppression } from '@sentineld/model/alert-decision';
import { openWriter } from '../open.ts';
import { type AgentStore, CONTEXT, finding, MINUTE_MS, openAgentStore, RULE } from './fixtures/agent-store.ts';
import { AGENT_MIGRATIONS } from './migrations.ts';
import type { NewSuppression } from './suppressions.ts';
import { type AgentWriter, openAgentWriter } from './writer.ts';

let store: AgentStore;
let writer: AgentWriter;
beforeEach(() => {
  store = openAgentStore();
  writer = store.open();
  writer.saveRules([RULE]);
});
afterEach(() => store.remove());

const HOUR_MS = 60 * MINUTE_MS;
const auditOf = ({ id, ended }: Suppression): AuditEvent => ({ action: 'alert_suppress', data: { id, ended: ended !== null } });
const ENDER = { uid: 7, userName: null, reason: 'no more' };
const NEW: NewSuppression = {
  ruleId: RULE.id,
  conditions: [{ column: 'cmdline', value: "it's" }],
  alertId: null,
  reason: 'known; --',
  uid: 1000,
  userName: 'alice',
  forMs: HOUR_MS,
};
const suppress = (changes: Partial<NewSuppression> = {}): Suppression => writer.suppress({ ...NEW, ...changes }, auditOf);
const found = (key: string, ...values: unknown[]) => finding(key, { rows: values.map((cmdline) => ({ pid: 42, cmdline }) as never) });
const raised = (...findings: readonly ReturnType<typeof finding>[]): string[] =>
  writer.recordFindings(findings, CONTEXT).alerts.map(({ dedupKey }) => dedupKey);
const rows = (): unknown => store.query('SELECT id, hits, last_hit, ended_at, ended_uid FROM alert_suppression ORDER BY id');

describe('a suppression', () => {
  test('hides findings all of whose rows have its values, and counts them with the time', () => {
    const made = suppress();
    expect(made).toMatchObject({ id: 1, createdMs: store.clock.ms, expiresMs: store.clock.ms + HOUR_MS, hits: 0, ended: null });
    store.clock.ms += 10;
    expect(
      raised(found('a', "it's"), found('b', "it's", 'another'), found('c', 'another'), found('d', null), found('e', "it's", "it's")),
    ).toEqual(['b', 'c', 'd']);
    expect(rows()).toEqual([{ id: 1, hits: 2, last_hit: store.clock.ms, ended_at: null, ended_uid: null }]);
    expect(store.query('SELECT count(*) AS n FROM alert_deliveries')).toEqual([{ n: 6 }]);
  });

  test('takes numbers as their text, NULL as NULL alone, and no column that is not there', () => {
    suppress({ conditions: [{ column: 'cmdline', value: '5' }] });
    suppress({ conditions: [{ column: 'cmdline', value: null }] });
    suppress({ conditions: [{ column: 'toString', value: null }] });
    expect(raised(found('number', 5), found('text', '5'), found('null', null), found('other', 'null'))).toEqual(['other']);
    expect(rows()).toMatchObject([{ hits: 2 }, { hits: 1 }, { hits: 0 }]);
  });

  test('hides those of its rule alone, and without conditions every one but what is critical', () => {
    writer.saveRules([RULE, { ...RULE, id: 'other' }]);
    suppress({ conditions: [] });
    expect(raised(finding('a'), finding('b', { severity: 'critical' }), finding('c', { ruleId: 'other' }))).toEqual(['b', 'c']);
  });

  test('of a finding that is an alert already counts no repeat of it, and what lasts is an alert afterwards', () => {
    expect(raised(found('a', "it's"))).toEqual(['a']);
    suppress();
    for (let hours = 0; hours < 2; hours++) {
      store.clock.ms += HOUR_MS / 2 - 1;
      expect(raised(found('a', "it's"))).toEqual([]);
    }
    store.clock.ms += MINUTE_MS;
    expect(raised(found('a', "it's"))).toEqual(['a']);
    expect(rows()).toMatchObject([{ hits: 2 }]);
    expect(store.query('SELECT repeats FROM alerts ORDER BY id')).toEqual([{ repeats: 0 }, { repeats: 0 }]);
  });

  test('counts on each that hides, and is there after a restart', () => {
    suppress();
    suppress({ conditions: [] });
    writer.stop();
    writer = store.open();
    expect(raised(found('a', "it's"))).toEqual([]);
    expect(rows()).toMatchObject([{ hits: 1 }, { hits: 1 }]);
  });

  test('counts nothing where the findings cannot be stored', () => {
    suppress();
    expect(() => raised(found('a', "it's"), finding('b', { ruleId: 'never-saved' }))).toThrow(/FOREIGN KEY/);
    expect(rows()).toMatchObject([{ hits: 0 }]);
  });

  test('does not hold before it was made: a clock that was set back makes it last no longer', () => {
    suppress();
    store.clock.ms -= 1;
    expect(raised(found('a', "it's"))).toEqual(['a']);
  });

  test('ends when its time is over, with one entry, whenever that is noticed', () => {
    suppress();
    suppress({ forMs: 2 * HOUR_MS });
    expect(writer.expireSuppressions(auditOf)).toEqual([]);
    const [depth, expiresMs] = [writer.outboxDepth(), store.clock.ms + HOUR_MS];
    store.clock.ms = expiresMs + 5;
    expect(writer.expireSuppressions(auditOf)).toMatchObject([{ id: 1, ended: { atMs: expiresMs, uid: null, reason: null } }]);
    expect(writer.expireSuppressions(auditOf)).toEqual([]);
    expect(writer.outboxDepth()).toBe(depth + 1);
    expect(raised(found('a', "it's"))).toEqual([]);
    expect(rows()).toMatchObject([{ ended_at: expiresMs, ended_uid: null, hits: 0 }, { hits: 1 }]);
  });

  test('is ended by somebody, once', () => {
    suppress();
    store.clock.ms += 5;
    expect(writer.unsuppress(1, ENDER, auditOf)).toMatchObject({ id: 1, ended: { ...ENDER, atMs: store.clock.ms } });
    expect(raised(found('a', "it's"))).toEqual(['a']);
    expect(() => writer.unsuppress(1, ENDER, auditOf)).toThrow(/suppression 1 ended at .* already/);
    expect(() => writer.unsuppress(2, ENDER, auditOf)).toThrow(/there is no suppression 2/);
    expect(writer.nextAudit(9).map(({ event }) => event.data)).toEqual([
      { id: 1, ended: false },
      { id: 1, ended: true },
    ]);
  });

  test('whose time is over cannot be ended any more', () => {
    suppress();
    store.clock.ms += HOUR_MS;
    expect(() => writer.unsuppress(1, ENDER, auditOf)).toThrow(/ended at/);
  });

  test('is made from an alert of its rule, or not at all', () => {
    writer.recordFindings([finding('a')], CONTEXT);
    expect(suppress({ alertId: 1 }).alertId).toBe(1);
    expect(() => suppress({ alertId: 2 })).toThrow(expect.objectContaining({ code: 'usage.invalid' }));
    expect(() => suppress({ alertId: 1, ruleId: 'other' })).toThrow(/no alert 1 of the rule other/);
    expect([rows(), writer.outboxDepth()]).toMatchObject([[{ id: 1 }], 1]);
  });

  test(`is refused beyond ${MAX_SUPPRESSIONS}, until one has ended; as many that ended are kept`, () => {
    for (let count = 0; count < MAX_SUPPRESSIONS; count++) suppress();
    expect(() => suppress()).toThrow(/500 suppressions hold already/);
    for (let id = 1; id <= MAX_SUPPRESSIONS; id++) {
      writer.unsuppress(id, ENDER, auditOf);
      store.clock.ms++;
    }
    expect(suppress().id).toBe(MAX_SUPPRESSIONS + 1);
    writer.unsuppress(MAX_SUPPRESSIONS + 1, ENDER, auditOf);
    expect(store.query('SELECT count(*) AS n, min(id) AS oldest FROM alert_suppression')).toEqual([{ n: MAX_SUPPRESSIONS, oldest: 2 }]);
    // No number is given twice.
    expect(suppress().id).toBe(MAX_SUPPRESSIONS + 2);
  });

  test('whose conditions were damaged hides nothing: it is an error', () => {
    suppress();
    const db = openWriter({ path: store.query<{ file: string }>('PRAGMA database_list')[0]?.file ?? '', durability: 'full', cacheKiB: 64, migrations: AGENT_MIGRATIONS, clock: () => 1 }); // prettier-ignore
    db.exec("UPDATE alert_suppression SET conditions = '{}'");
    db.close();
    expect(() => raised(found('a', "it's"))).toThrow(expect.objectContaining({ code: 'store.corrupt' }));
  });
});

test('a file of the release before is taken over with its alerts, which nobody acknowledged', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sentineld-agent-4-'));
  const path = join(directory, 'agent.db');
  const options = { path, durability: 'full', cacheKiB: 256, clock: () => 1 } as const;
  const older = openWriter({ ...options, migrations: AGENT_MIGRATIONS.slice(0, 4) });
  older.exec(`INSERT INTO detection_rules (id, name, sql_query, severity, created_at, updated_at) VALUES ('web-shell', 'R', 'SELECT 1', 'low', 5, 5);
    INSERT INTO alerts (alert_time, rule_id, title, severity, rule_name, category, tags, attack, host_name, host_id, boot_id, correlation_id, dedup_key, last_seen)
    VALUES (5, 'web-shell', 't', 'low', 'R', 'c', '[]', '[]', 'h', 'i', 'b', 'c', 'k', 5)`);
  older.close();
  const upgraded = openAgentWriter({ path, clock: () => 9 });
  expect(upgraded.suppress({ ...NEW, alertId: 1 }, auditOf).id).toBe(1);
  const check = openWriter({ ...options, migrations: AGENT_MIGRATIONS });
  expect(check.prepare('SELECT title, acknowledged_ms, acknowledged_by FROM alerts').all()).toEqual([
    { title: 't', acknowledged_ms: null, acknowledged_by: null },
  ]);
  rmSync(directory, { recursive: true });
});
