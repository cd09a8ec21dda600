import type { ResultRow, RuleOutcome } from '@sentineld/model/rule';
import { describe, expect, it } from 'vitest';
import { parseRule, type LoadedRule } from '../rules/rule-document.ts';
import type { RunRequest } from '../sql/executor-client.ts';
import { backtestRules, type Backtest, type BacktestOptions } from './backtest.ts';
import type { PastScan } from './past-scans.ts';

function ruleOf(id: string, extra = ''): LoadedRule {
  const text = `id: ${id}\nname: n\ndescription: d\nseverity: low\ncategory: c\nversion: 1\ndedup: [k]\n${extra}query: |\n  SELECT ${id}\n`;
  const parsed = parseRule({ path: `/${id}.yaml`, text, checksum: '' }, 'file');
  if (!parsed.ok) throw new Error('the rule is none');
  return parsed.rule;
}

const scan = (id: number, of: Partial<PastScan> = {}): PastScan => ({
  id,
  startMs: id * 1000,
  intervalMs: 1000,
  eventsUntil: id * 10,
  missed: [],
  ...of,
});
const SCANS = [scan(2), scan(3), scan(4), scan(5)];

type Answer = (request: RunRequest) => RuleOutcome;
const ok = (rows: readonly ResultRow[], of: Partial<Extract<RuleOutcome, { outcome: 'ok' }>> = {}): Answer => {
  return ({ asOfScan = 0 }) => ({
    outcome: 'ok',
    scanId: asOfScan,
    rows,
    processes: [],
    truncated: false,
    eventSeq: asOfScan * 10,
    durationMs: asOfScan,
    ...of,
  });
};
const timeout: Answer = () => ({ outcome: 'timeout', message: 'It took too long', durationMs: 30_000 });

/** Answers by the name of the rule, which is what it selects. */
async function backtest(answers: Readonly<Record<string, Answer>>, options: Partial<BacktestOptions> = {}) {
  const asked: RunRequest[] = [];
  const tables = (sql: string): string[] => [sql.includes('event') ? 'process_events' : 'processes'];
  const result: Backtest = await backtestRules({
    rules: Object.keys(answers).map((id) => ruleOf(id)),
    past: { scans: SCANS, before: scan(1), oldestEvent: 1 },
    executor: {
      validate: (sql) => Promise.resolve({ ok: true, columns: ['k'], tables: tables(sql), scope: 'everything' as const }),
      run: (request) => {
        asked.push(request);
        return Promise.resolve((answers[request.sql.slice('SELECT '.length)] ?? ok([]))(request));
      },
    },
    windowMs: 1500,
    isEnded: () => false,
    onScan: () => undefined,
    ...options,
  });
  return { ...result, asked };
}

describe('a backtest', () => {
  it('gives rules what the agent would have given them, scan by scan', async () => {
    const { asked } = await backtest({ 'an-event': ok([]) });
    expect(asked.map(({ asOfScan, parameters }) => [asOfScan, parameters])).toEqual([
      [2, { now: 2000, since: 1000, scan_id: 2, since_seq: 10 }],
      [3, { now: 3000, since: 2000, scan_id: 3, since_seq: 20 }],
      [4, { now: 4000, since: 3000, scan_id: 4, since_seq: 30 }],
      [5, { now: 5000, since: 4000, scan_id: 5, since_seq: 40 }],
    ]);
    const first = await backtest({ 'an-event': ok([]) }, { past: { scans: SCANS, before: null, oldestEvent: 1 } });
    expect(first.asked[0]?.parameters).toEqual({ now: 2000, since: 0, scan_id: 2, since_seq: 0 });
    const state = await backtest({ 'a-state': ok([]) });
    expect(state.asked[1]?.parameters).toMatchObject({ since_seq: 0, since: 2000 });
  });

  it('counts findings, alerts and what they are about', async () => {
    const rows = [{ k: 1 }, { k: 1 }, { k: 2 }];
    const { histories, costsMs } = await backtest({ 'a-state': (request) => ok(request.asOfScan === 4 ? [] : rows)(request) });
    expect(histories).toMatchObject([
      // Seen again after 2000 ms, the window of 1500 is over.
      { findings: 6, alerts: 4, firstMs: 2000, lastMs: 5000, judged: 4, unsure: 0, failed: 0, stoppedAt: null },
    ]);
    expect(histories[0]?.entities.size).toBe(2);
    expect(histories[0]?.firstAlerts[0]).toEqual({ scanId: 2, atMs: 2000, row: { k: 1 }, rows: 2 });
    expect(costsMs).toEqual([2, 3, 4, 5]);
  });

  it('takes what two rules find together for one alert where they say so', async () => {
    const rules = [ruleOf('one'), ruleOf('two', 'dedup_with: one\n')];
    const { histories } = await backtest({ one: ok([{ k: 1 }]), two: ok([{ k: 1 }]) }, { rules });
    expect(histories.map(({ findings, alerts }) => [findings, alerts])).toEqual([
      [4, 1],
      [4, 0],
    ]);
  });

  it('says of which scans a rule over events was not sure, and why', async () => {
    const scans = [scan(2), scan(3, { missed: ['lost'] }), scan(4, { missed: ['lost', 'away'] }), scan(5)];
    const past = { scans, before: scan(1), oldestEvent: 15 };
    const { histories } = await backtest({ 'an-event': ok([], { truncated: true }), 'a-state': ok([]) }, { past });
    expect(histories.map(({ unsure }) => unsure)).toEqual([4, 0]);
    expect([...(histories[0]?.reasons ?? [])]).toEqual([
      ['deleted', 1],
      ['cut', 4],
      ['lost', 2],
      ['away', 1],
    ]);
  });

  it('gives a rule that failed the same events again, with what was missed meanwhile', async () => {
    const scans = [scan(2), scan(3, { missed: ['lost'] }), scan(4), scan(5)];
    const failing: Answer = (request) =>
      request.asOfScan === 3 ? { outcome: 'failed', message: 'no store', durationMs: 1 } : ok([])(request);
    const { asked, histories } = await backtest({ 'an-event': failing }, { past: { scans, before: scan(1), oldestEvent: 1 } });
    expect(asked[2]?.parameters).toMatchObject({ since_seq: 20, since: 2000 });
    expect(histories).toMatchObject([{ judged: 3, failed: 1, failure: 'no store', unsure: 1, stoppedAt: null }]);
  });

  it('runs a rule with a schedule when it says, over everything since it ran before', async () => {
    const scans = [scan(2), scan(3, { missed: ['lost'] }), scan(4), scan(5), scan(6, { eventsUntil: 60_000 })];
    const rules = [ruleOf('an-event', 'schedule: every 2s\n')];
    const { asked, histories } = await backtest({ 'an-event': ok([]) }, { rules, past: { scans, before: scan(1), oldestEvent: 1 } });
    expect(asked.map(({ parameters }) => parameters)).toMatchObject([
      { scan_id: 2, since_seq: 10 },
      { scan_id: 4, since_seq: 20, since: 2000 },
      { scan_id: 6, since_seq: 40, since: 4000 },
    ]);
    expect(histories).toMatchObject([{ judged: 3, unsure: 1 }]);
    const behind = [scan(2), scan(3, { eventsUntil: 50_021 })];
    expect(
      (await backtest({ 'an-event': ok([]) }, { rules, past: { scans: behind, before: scan(1), oldestEvent: 1 } })).asked,
    ).toHaveLength(2);
  });

  it('sets a rule aside where the agent would', async () => {
    const { histories, asked } = await backtest({ slow: timeout, 'a-state': ok([]) });
    expect(histories).toMatchObject([
      { failed: 2, stoppedAt: { id: 3 }, failure: 'It took too long' },
      { judged: 4, stoppedAt: null },
    ]);
    expect(asked).toHaveLength(6);
    const refused: Answer = () => ({ outcome: 'refused', refusal: { code: 'x', message: 'No.', position: null }, durationMs: 1 });
    expect((await backtest({ refused })).histories).toMatchObject([{ failed: 1, stoppedAt: { id: 2 }, problem: { line: 8 } }]);
  });

  it('does not run what is refused', async () => {
    const refusal = { code: 'table', message: 'There is no table x.', position: null };
    const executor = {
      validate: () => Promise.resolve({ ok: false, refusal } as const),
      run: () => Promise.reject(new Error('it was run')),
    };
    const { histories } = await backtest({ 'a-state': ok([]) }, { executor });
    expect(histories).toMatchObject([{ judged: 0, problem: { message: 'refused (table): There is no table x.' } }]);
  });

  it('does not judge a scan that was deleted meanwhile', async () => {
    const { histories } = await backtest({ 'a-state': ok([{ k: 1 }], { scanId: 1 }) });
    expect(histories).toMatchObject([{ judged: 0, failed: 4, findings: 0, failure: 'the scan is not kept any more' }]);
  });

  it('ends between two scans with what it has', async () => {
    let done = 0;
    const { histories, scans } = await backtest(
      { 'a-state': ok([{ k: 1 }]) },
      { isEnded: () => done === 2, onScan: (count) => (done = count) },
    );
    expect([scans.map(({ id }) => id), histories[0]?.findings]).toEqual([[2, 3], 2]);
  });
});
