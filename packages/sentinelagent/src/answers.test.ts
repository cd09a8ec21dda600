import { MAX_FRAME_BYTES } from '@sentineld/model/request';
import type { Peer } from '@sentineld/runtime/ipc/server';
import { describe, expect, it } from 'vitest';
import { answer, type AgentAnswers, type RulesPage } from './answers.ts';
import type { RuleBook } from './rule-book.ts';
import { entryOf } from './rule-entry.ts';

const CLI: Peer = { role: 'sentinelcli', credentials: { pid: 7, uid: 1000, gid: 1000 } };
const OVERRIDE = { enabled: null, severity: 'low', reason: '\u20ac'.repeat(500), uid: 1000, userName: 'alice', decidedMs: 5 } as const;
const place = { line: 1, column: 1 };

function contextOf(count: number, keeper: Partial<AgentAnswers['keeper']> = {}): AgentAnswers {
  const entries = Array.from({ length: count }, (_, at) =>
    entryOf(
      {
        id: `rule-${at}`, name: '\u20ac'.repeat(120), description: 'd', severity: 'high', category: 'c', tags: [],
        attack: Array.from({ length: 20 }, () => 'T1059.004'), version: 1, author: '', sql: 'SELECT 1', dedupKeys: ['pid'], enabled: true,
        source: 'file', sourcePath: `/${'d'.repeat(250)}/r.yaml`, checksum: 'ab'.repeat(32), references: [], falsePositives: '',
        places: { id: place, dedup: place, query: place, sql: place },
      }, // prettier-ignore
      { ...OVERRIDE, ruleId: `rule-${at}` },
    ),
  );
  const problems = Array.from({ length: 60 }, () => ({ file: '\u20ac'.repeat(999), line: 1, column: 1, message: 'm', hint: 'h' }));
  const overrides = Array.from({ length: 60 }, (_, at) => ({ ...OVERRIDE, ruleId: `gone-${at}` }));
  const book = { entries, problems, overrides } as unknown as RuleBook;
  return { book, keeper } as unknown as AgentAnswers;
}

const ALERT_REQUESTS = [
  { request: 'alerts.ack', ids: [1], again: false, reason: 'x' },
  { request: 'alerts.suppress', ruleId: 'a', conditions: [], alertId: null, forMs: 3_600_000, reason: 'x' },
  { request: 'alerts.unsuppress', id: 4, reason: 'x' },
] as const;

describe('answer', () => {
  it('gives as many rules as fit a frame, and all of them page by page', async () => {
    const context = contextOf(120);
    const ids: string[] = [];
    while (ids.length < 120) {
      const page = (await answer(context, { request: 'rules', offset: ids.length }, CLI)) as RulesPage;
      expect(Buffer.byteLength(JSON.stringify(page))).toBeLessThan(MAX_FRAME_BYTES);
      expect([page.total, page.rules.length > 0]).toEqual([120, true]);
      ids.push(...page.rules.map(({ id }) => id));
    }
    expect(ids).toEqual(context.book.entries.map(({ rule }) => rule.id));
  });

  it('tells the severity that counts, what was decided, and what the file says', async () => {
    const { rules, overridesWithoutRule } = (await answer(contextOf(1), { request: 'rules', offset: 0 }, CLI)) as RulesPage;
    expect(rules).toMatchObject([{ severity: 'low', loaded: { severity: 'high' }, override: { uid: 1000 }, cost: { runs: 0 } }]);
    expect(overridesWithoutRule[0]).toMatchObject({ ruleId: 'gone-0', severity: 'low' });
  });

  it('has rules changed for whom the kernel names, and for nobody else', async () => {
    const asked: unknown[] = [];
    const keeper = { reload: async (by: unknown) => asked.push(by), override: async (...words: unknown[]) => asked.push(words) };
    const context = contextOf(0, keeper as unknown as AgentAnswers['keeper']);
    const decision = { request: 'rules.override', ruleId: 'a', decision: { kind: 'disable' }, reason: 'x' } as const;
    await answer(context, { request: 'rules.reload' }, CLI);
    await answer(context, decision, CLI);
    expect(asked).toEqual([CLI.credentials, ['a', { kind: 'disable' }, 'x', CLI.credentials]]);
    const nobody: Peer = { ...CLI, credentials: null };
    for (const request of [{ request: 'rules.reload' }, decision] as const)
      expect(() => answer(context, request, nobody)).toThrow(expect.objectContaining({ code: 'native.unavailable' }));
  });

  it('has what is decided about alerts done in the name of whom the kernel names', async () => {
    const asked: unknown[] = [];
    const note = (...words: unknown[]) => asked.push(words);
    const context = { ...contextOf(0), decisions: { acknowledge: note, suppress: note, unsuppress: note } } as unknown as AgentAnswers;
    for (const request of ALERT_REQUESTS) await answer(context, request, CLI);
    expect(asked).toEqual([
      [ALERT_REQUESTS[0], CLI.credentials],
      [ALERT_REQUESTS[1], CLI.credentials],
      [4, 'x', CLI.credentials],
    ]);
    for (const request of ALERT_REQUESTS)
      expect(() => answer(context, request, { ...CLI, credentials: null })).toThrow(
        expect.objectContaining({ code: 'native.unavailable' }),
      );
  });
});
