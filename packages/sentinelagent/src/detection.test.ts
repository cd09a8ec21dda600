import { createHash } from 'node:crypto';
import type { AuditEvent } from '@sentineld/model/audit';
import { NO_EVENTS } from '@sentineld/model/process-event';
import { SentinelError } from '@sentineld/model/error';
import type { RuleOutcome } from '@sentineld/model/rule';
import type { ScanCompleted } from '@sentineld/model/scan';
import { DEFAULTS } from '@sentineld/runtime/config/config';
import { silentLogger } from '@sentineld/runtime/log/logger';
import { describe, expect, it } from 'vitest';
import { createTimetable } from '@sentineld/detection/rules/timetable';
import { createDetection } from './detection.ts';
import { ruleSetHash, type RuleBook, type RuleEntry, type RuleState } from './rule-book.ts';

const SCAN: ScanCompleted = {
  event: 'scan.completed', scanId: 3, correlationId: 'scan-3', timestampMs: 1000, durationMs: 1, processes: 1, accessible: 1,
  started: 0, changed: 0, stopped: 0, reducedVisibility: null,
  events: NO_EVENTS,
}; // prettier-ignore
const PROCMOND = { pid: 1, uid: 1, hostId: 'h', intervalMs: 500, lastScan: null, privileges: { effective: '0', seccomp: true } };
const NOTHING: RuleOutcome = { outcome: 'ok', scanId: 3, rows: [], processes: [], truncated: false, eventSeq: null, durationMs: 1 };

/** One rule; its answer is given when the test says so. */
function detection(queueAudit: (event: AuditEvent) => void = () => undefined, state: RuleState = 'active') {
  const time = { nowMs: 100_000 };
  const answer = Promise.withResolvers<RuleOutcome>();
  const rule = { id: 'a', sql: '', version: 1, checksum: 'c0' };
  const entry = { rule, state, reads: [], seen: null, result: null, timetable: createTimetable() };
  const book = { entries: [entry], problems: [], active: () => [entry], recordRun: () => [], validate: async () => [] };
  const detecting = createDetection({
    config: { ...DEFAULTS, detection: { ...DEFAULTS.detection, deadline: 2_000 } },
    store: { queueAudit, concludeCycle: (event) => queueAudit(event), recordFindings: () => ({ alerts: [], suppressed: 0 }) },
    book: book as unknown as RuleBook,
    executor: { run: () => answer.promise, validate: async () => ({ ok: true, columns: [], tables: [], scope: 'everything' as const }) },
    log: silentLogger(),
    deliverer: { drain: async () => undefined },
    sinkNames: [],
    nowMs: () => time.nowMs,
  });
  detecting.attach({ forwardAudit: async () => undefined, state: () => ({ connected: true, sinceMs: 0, reason: '' }) });
  return { detecting, time, answer };
}

describe('createDetection', () => {
  it('records which rules it runs, and a hash that tells another set of them', async () => {
    const queued: AuditEvent[] = [];
    const { detecting, answer } = detection((event) => queued.push(event), 'unverified');
    answer.resolve(NOTHING);
    await detecting.onConnected(PROCMOND);
    // The line `a@1 c0`.
    const rule_set_sha256 = createHash('sha256').update('a@1 c0\n').digest('hex');
    expect(queued).toEqual([
      { action: 'rules_loaded', data: { active: 1, refused: 0, not_loaded: 0, disabled: 0, rule_set_sha256, rules: ['a@1'], packs: [] } },
    ]);
    const rule = (id: string, checksum: string) => ({ rule: { id, version: 1, checksum } }) as unknown as RuleEntry;
    const hash = (...rules: readonly RuleEntry[]): string => ruleSetHash({ active: () => rules });
    expect(hash(rule('a', 'c0'))).toBe(rule_set_sha256);
    expect(hash(rule('b', 'c1'), rule('a', 'c0'))).toBe(hash(rule('a', 'c0'), rule('b', 'c1')));
    expect(new Set([hash(), hash(rule('a', 'c0')), hash(rule('a', 'c1')), hash(rule('b', 'c0'))]).size).toBe(4);
  });

  it('knows for how long procmond has told of no scan, and how long it may', async () => {
    const { detecting, time } = detection();
    time.nowMs += 3_000;
    expect(detecting.state()).toMatchObject({ silentMs: 3_000, longestSilenceMs: 5_000 });
    await detecting.onConnected(PROCMOND);
    time.nowMs += 7_000;
    expect(detecting.state()).toMatchObject({ silentMs: 7_000, longestSilenceMs: 6_500 });
    detecting.onScan(SCAN);
    expect(detecting.state().silentMs).toBe(0);
  });

  it('knows for how long the executor owes an answer', async () => {
    const { detecting, time, answer } = detection();
    await detecting.onConnected(PROCMOND);
    detecting.onScan(SCAN);
    time.nowMs += 6_000;
    expect(detecting.state()).toMatchObject({ unansweredMs: 6_000, longestAnswerMs: 5_000 });
    answer.resolve(NOTHING);
    await detecting.stop();
    expect(detecting.state()).toMatchObject({ unansweredMs: 0, failure: null, lastCycle: { scanId: 3 } });
  });

  it('keeps why a cycle failed, what to do and since when, until one succeeds', async () => {
    let isFull = true;
    const { detecting, answer } = detection(() => {
      if (isFull) throw new SentinelError('state.unusable', { message: 'agent.db is full.', hint: 'Make space.' });
    });
    answer.resolve(NOTHING);
    await detecting.onConnected(PROCMOND);
    detecting.onScan(SCAN);
    await expect
      .poll(() => detecting.state().failure)
      .toMatchObject({ message: 'agent.db is full. Make space.', sinceMs: expect.any(Number) });
    isFull = false;
    detecting.onScan(SCAN);
    await expect.poll(() => detecting.state().failure).toBeNull();
  });

  it('looks at no scan before procmond has said whose it is, and then at the newest', async () => {
    const { detecting, answer } = detection();
    answer.resolve(NOTHING);
    detecting.onScan({ ...SCAN, scanId: 2 });
    await detecting.onConnected({ ...PROCMOND, lastScan: SCAN });
    await expect.poll(() => detecting.state().lastCycle).toMatchObject({ scanId: 3 });
    expect(detecting.state()).toMatchObject({ skippedScans: 0, lastCycle: { rules: 1 } });
  });
});

describe('work on the set of rules', () => {
  it('is done one piece at a time, whatever became of the one before, and between two cycles', async () => {
    const { detecting, answer } = detection();
    const order: string[] = [];
    const first = detecting.exclusively(async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      order.push('first');
      throw new Error('failed');
    });
    const second = detecting.exclusively(async () => order.push('second'));
    await expect(first).rejects.toThrow('failed');
    await second;
    expect(order).toEqual(['first', 'second']);
    expect(await detecting.between(() => 'at once')).toBe('at once');
    await expect(detecting.between(() => JSON.parse('{'))).rejects.toThrow(SyntaxError);
    await detecting.onConnected(PROCMOND);
    detecting.onScan(SCAN);
    const waiting = detecting.between(() => detecting.state().lastCycle?.scanId);
    answer.resolve(NOTHING);
    expect(await waiting).toBe(3);
  });
});
