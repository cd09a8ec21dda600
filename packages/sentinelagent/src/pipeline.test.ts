import { NO_EVENTS } from '@sentineld/model/process-event';
import type { AuditEvent } from '@sentineld/model/audit';
import type { Alert, Finding } from '@sentineld/model/alert';
import type { RuleOutcome } from '@sentineld/model/rule';
import type { ScanCompleted } from '@sentineld/model/scan';
import { silentLogger } from '@sentineld/runtime/log/logger';
import type { RuleProgress } from '@sentineld/store/agent/writer';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTally } from './cycle-tally.ts';
import { exampleAlert } from './deliver/alert.fixture.ts';
import { runCycle, type PipelineOptions } from './pipeline.ts';
import { createRuleBook } from './rule-book.ts';
import { createRulesApart } from './rules-apart.ts';

const SCAN: ScanCompleted = {
  event: 'scan.completed', scanId: 3, correlationId: 'scan-3', timestampMs: 1000, durationMs: 1, processes: 1, accessible: 1,
  started: 0, changed: 0, stopped: 0, reducedVisibility: null,
  events: NO_EVENTS,
}; // prettier-ignore

const rule = (id: string): string =>
  `id: ${id}\nname: Rule ${id}\ndescription: d\nseverity: high\ncategory: test\nversion: 1\nquery: |\n  SELECT pid, start_time, '${id}' AS rule FROM processes\n`;
const idIn = (sql: string): string => /'(\w+)' AS rule/.exec(sql)?.[1] ?? '';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-pipeline-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function bookOf(ids: readonly string[]) {
  for (const id of ids) writeFileSync(join(directory, `${id}.yaml`), rule(id), { mode: 0o644 });
  return createRuleBook({ builtinDirectory: directory, directories: [] });
}

const matched = (pid: number): RuleOutcome => ({
  outcome: 'ok',
  scanId: 3,
  rows: [{ pid, start_time: 1 }],
  processes: [],
  truncated: false,
  eventSeq: null,
  durationMs: 1,
});
const nothing: RuleOutcome = { outcome: 'ok', scanId: 3, rows: [], processes: [], truncated: false, eventSeq: null, durationMs: 1 };
const overrun: RuleOutcome = { outcome: 'timeout', message: 'longer than 100 ms', durationMs: 100 };

async function cycle(outcomes: Readonly<Record<string, RuleOutcome>>, times = 1, tables: readonly string[] = []) {
  const book = bookOf(Object.keys(outcomes));
  await book.validate({ validate: async () => ({ ok: true, columns: ['pid', 'start_time'], tables, scope: 'everything' as const }) });
  const audit: AuditEvent[] = [];
  const findings: Finding[] = [];
  const order: string[] = [];
  const progress: RuleProgress[][] = [];
  const log = silentLogger();
  const warn = vi.spyOn(log, 'warn').mockReturnValue();
  const options: PipelineOptions = {
    book,
    executor: {
      run: async ({ sql }) => {
        if (idIn(sql) === '') return nothing;
        order.push(`run ${idIn(sql)}`);
        return outcomes[idIn(sql)] ?? nothing;
      },
    },
    store: {
      recordFindings: (found, _context, { auditOf } = {}) => {
        findings.push(...found);
        const alerts: Alert[] = found.map((finding) => exampleAlert({ ...finding }));
        if (auditOf !== undefined) audit.push(...alerts.map(auditOf));
        return { alerts, suppressed: 0 };
      },
      queueAudit: (event) => audit.push(event),
      concludeCycle: (event, changed) => {
        audit.push(event);
        progress.push([...changed]);
      },
    },
    apart: createRulesApart(() => undefined),
    tally: createTally(),
    deadlineMs: 500,
    deliverer: {
      drain: async () => {
        order.push('drain');
      },
    },
    context: { hostName: 'h', hostId: 'i', bootId: 'b', windowMs: 1, sinks: [] },
    log,
    clock: () => 5000,
  };
  const cycles = [];
  for (let i = 0; i < times; i++) cycles.push(await runCycle(options, { ...SCAN, scanId: SCAN.scanId + i }));
  const logged = warn.mock.calls.map(([fields, message]) => [message, (fields as { ruleId?: unknown }).ruleId]);
  return { cycles, audit, findings, order, book, progress, logged };
}

describe('runCycle', () => {
  it('ends with one entry for the ledger, whatever number of rules there is', async () => {
    const { audit, cycles } = await cycle({ a: nothing, b: nothing, c: nothing });
    expect(audit.filter(({ action }) => action === 'rule_execute')).toHaveLength(1);
    expect(audit.at(-1)?.data).toMatchObject({
      scan_id: 3,
      correlation_id: 'scan-3',
      rules: 3,
      matched: 0,
      no_match: 3,
      incomplete: 0,
      failed: 0,
    });
    expect(audit.at(-1)?.data['details_sha256']).toMatch(/^[0-9a-f]{64}$/);
    expect(cycles[0]).toMatchObject({ rules: 3, alerts: 0, scanId: 3, correlationId: 'scan-3' });
  });

  it('carries the correlation id of the scan into finding, alert and evidence', async () => {
    const { audit, findings } = await cycle({ a: matched(42) });
    expect(findings).toMatchObject([{ ruleId: 'a', correlationId: 'scan-3', scanId: 3 }]);
    expect(audit.find(({ action }) => action === 'alert_generate')?.data).toMatchObject({ rule_id: 'a', correlation_id: 'scan-3' });
  });

  it('has the alerts of a rule on their way before the next rule runs', async () => {
    const { order } = await cycle({ a: matched(1), b: nothing });
    expect(order).toEqual(['run a', 'drain', 'run b']);
  });

  it('counts a rule that could not be evaluated as failed, not as no match', async () => {
    const { cycles, audit } = await cycle({ a: overrun, b: nothing });
    expect(cycles[0]).toMatchObject({ rules: 2, failed: 1, incomplete: 0, matched: 0, noMatch: 1 });
    expect(audit[0]).toMatchObject({
      action: 'rule_rejected',
      data: { rule_id: 'a', what: 'stopped', code: 'timeout', reason: 'longer than 100 ms' },
    });
  });

  it('sets a rule aside that overruns twice in a row, and goes on with the others', async () => {
    const { cycles, book, audit } = await cycle({ a: overrun }, 3);
    expect(cycles.map(({ rules }) => rules)).toEqual([1, 1, 0]);
    expect(book.entries[0]).toMatchObject({ state: 'quarantined', runs: 2, refusal: { code: 'timeout' } });
    expect(audit.filter(({ action }) => action === 'rule_rejected').map(({ data }) => data['what'])).toEqual(['stopped', 'quarantined']);
  });
});

describe('a rule that could not be run for a reason that is not its own', () => {
  it('has failed each time, and is never set aside', async () => {
    const failed: RuleOutcome = { outcome: 'failed', message: 'No executor can be started', durationMs: 0 };
    const { cycles, book } = await cycle({ a: failed }, 5);
    expect(cycles.map(({ rules, failed: count }) => [rules, count])).toEqual(Array.from({ length: 5 }, () => [1, 1]));
    expect(book.entries[0]).toMatchObject({ state: 'active', runs: 5 });
  });
});

describe('rules over process events where there is no source of them', () => {
  it('are incomplete in every cycle, say so once, and raise what they find', async () => {
    const { cycles, logged, findings, book, audit, progress } = await cycle({ a: matched(1), b: nothing }, 3, ['process_events']);
    expect(cycles.map(({ incomplete, matched: found, noMatch, alerts }) => [incomplete, found, noMatch, alerts])).toEqual(
      Array.from({ length: 3 }, () => [2, 0, 0, 1]),
    );
    expect(logged).toEqual([
      ['rule.incomplete', 'a'],
      ['rule.incomplete', 'b'],
    ]);
    expect(findings).toHaveLength(3);
    expect(book.entries).toMatchObject([
      { result: 'incomplete', resultReason: 'no event source', resultSinceMs: 5000, hits: 3, counts: { incomplete: 3, matched: 0 } },
      { result: 'incomplete', resultReason: 'no event source', hits: 0 },
    ]);
    expect(audit.at(-1)?.data).toMatchObject({ incomplete: 2, no_match: 0, matched: 0, failed: 0, alerts: 1 });
    expect(progress[0]).toMatchObject([
      { ruleId: 'a', result: 'incomplete', sinceMs: 5000, reason: 'no event source', seen: { store: 'i', scanId: 3 } },
      { ruleId: 'b' },
    ]);
  });

  it('is stored of other rules only when it changes', async () => {
    const { progress } = await cycle({ a: nothing }, 3);
    expect(progress).toEqual([[{ ruleId: 'a', result: 'no_match', sinceMs: 5000, reason: null, seen: null }], [], []]);
  });
});

describe('createRuleBook', () => {
  it('takes up what an earlier run stored, and keeps since when it holds', async () => {
    const { book } = await cycle({ a: nothing });
    const seen = { store: 'i', seq: 9, scanId: 2, scanMs: 700 };
    book.restore([
      { ruleId: 'a', result: 'no_match', sinceMs: 40, reason: null, seen },
      { ruleId: 'gone', result: 'failed', sinceMs: 1, reason: 'x', seen: null },
    ]);
    expect(book.entries[0]).toMatchObject({ result: 'no_match', resultSinceMs: 40, seen });
    const [entry] = book.active();
    if (entry === undefined) throw new Error('no rule');
    const evaluation = { outcome: nothing, result: 'no_match', reason: null, seen } as const;
    book.recordRun(entry, evaluation, 6000);
    expect(entry.resultSinceMs).toBe(40);
    book.recordRun(entry, { ...evaluation, result: 'incomplete', reason: 'why' }, 7000);
    expect(entry).toMatchObject({ result: 'incomplete', resultSinceMs: 7000, resultReason: 'why', counts: { no_match: 2, incomplete: 1 } });
  });

  it('keeps broken files from being rules and refused rules from being run, with where and why', async () => {
    writeFileSync(join(directory, 'broken.yaml'), 'id: broken\nname: [', { mode: 0o644 });
    const book = bookOf(['good', 'bad', 'nodedup']);
    expect(book.problems).toMatchObject([{ file: join(directory, 'broken.yaml') }]);
    const rejected = await book.validate({
      validate: async (sql) => {
        const id = idIn(sql);
        if (id === 'bad') return { ok: false, refusal: { code: 'table', message: 'no table secrets', position: { line: 1, column: 8 } } };
        return { ok: true, columns: id === 'nodedup' ? ['pid'] : ['pid', 'start_time'], tables: [], scope: 'everything' as const };
      },
    });
    expect(book.entries.map((entry) => [entry.rule.id, entry.state])).toEqual([
      ['bad', 'refused'],
      ['good', 'active'],
      ['nodedup', 'refused'],
    ]);
    expect(rejected.map(({ data }) => [data['rule_id'], data['code'], data['line']])).toEqual([
      ['bad', 'table', 8],
      ['nodedup', 'dedup', expect.any(Number)],
    ]);
    expect(book.active().map(({ rule: { id } }) => id)).toEqual(['good']);
  });

  it('looks twice before it refuses a rule that took too long to judge', async () => {
    const asked: string[] = [];
    const book = bookOf(['busy', 'costly']);
    await book.validate({
      validate: async (sql) => {
        asked.push(idIn(sql));
        const isTooLong = idIn(sql) === 'costly' || asked.filter((id) => id === 'busy').length === 1;
        const refusal = { code: 'limit', message: 'too costly to judge', position: null } as const;
        return isTooLong ? { ok: false, refusal } : { ok: true, columns: ['pid', 'start_time'], tables: [], scope: 'everything' as const };
      },
    });
    expect(asked).toEqual(['busy', 'costly', 'busy', 'costly']);
    expect(book.entries.map(({ state }) => state)).toEqual(['active', 'refused']);
  });

  it('leaves disabled rules out without looking at them', async () => {
    for (const id of ['a', 'b']) writeFileSync(join(directory, `${id}.yaml`), rule(id), { mode: 0o644 });
    const book = createRuleBook({ builtinDirectory: directory, directories: [], overrides: { a: { enabled: false } } });
    let looked = 0;
    await book.validate({
      validate: async () => {
        looked++;
        return { ok: true, columns: ['pid', 'start_time'], tables: [], scope: 'everything' as const };
      },
    });
    expect(looked).toBe(1);
    expect(book.entries.map((entry) => entry.state)).toEqual(['disabled', 'active']);
  });
});
