import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALICE, OVERRUN, entryOf, keep, makeRules, removeRules, run, states, write } from './rule-keeper.fixture.ts';

let directory = '';
beforeEach(() => {
  directory = makeRules();
});
afterEach(() => removeRules());

describe('override', () => {
  it('keeps what was decided, by whom and why, and lets it hold at once', async () => {
    const { book, keeper, changes } = await keep(['a', 'b']);
    const reply = await keeper.override('a', { kind: 'disable' }, 'noisy on build hosts', ALICE);
    const override = {
      ruleId: 'a',
      enabled: false,
      severity: null,
      reason: 'noisy on build hosts',
      uid: 1000,
      userName: 'alice',
      decidedMs: 5000,
    };
    expect(reply).toEqual({ ruleId: 'a', override, state: 'disabled', severity: 'high' });
    expect(book.active().map(({ rule }) => rule.id)).toEqual(['b']);
    expect(changes).toMatchObject([
      {
        override,
        event: {
          action: 'rule_override',
          data: {
            rule_id: 'a',
            rule_version: 1,
            decision: 'disable',
            enabled: false,
            reason: override.reason,
            asked_by: ALICE,
            user_name: 'alice',
          },
        },
      },
    ]);
  });

  it('outlives reloads and new versions; reset takes all of it back', async () => {
    const { book, keeper, changes } = await keep(['a']);
    await keeper.override('a', { kind: 'severity', severity: 'low' }, 'known here', ALICE);
    expect(entryOf(book, 'a')).toMatchObject({ state: 'active', rule: { severity: 'low' }, loaded: { severity: 'high' } });
    write('a', { version: 2 });
    await keeper.reload(ALICE);
    expect(entryOf(book, 'a').rule).toMatchObject({ severity: 'low', version: 2 });
    await keeper.override('a', { kind: 'disable' }, 'for now', ALICE);
    expect(entryOf(book, 'a').override).toMatchObject({ enabled: false, severity: 'low', reason: 'for now' });
    expect(await keeper.override('a', { kind: 'reset' }, 'all well', ALICE)).toEqual({
      ruleId: 'a',
      override: null,
      state: 'active',
      severity: 'high',
    });
    expect(changes.at(-1)).toMatchObject({ withoutOverride: 'a', event: { data: { decision: 'reset', reason: 'all well' } } });
    expect([book.overrides, entryOf(book, 'a').override]).toEqual([[], null]);
  });

  it('is kept while its rule is away', async () => {
    const { book, keeper } = await keep(['a', 'b']);
    await keeper.override('a', { kind: 'disable' }, 'x', ALICE);
    rmSync(join(directory, 'a.yaml'));
    await keeper.reload(ALICE);
    expect(book.overrides).toMatchObject([{ ruleId: 'a', enabled: false }]);
    expect(await keeper.override('a', { kind: 'severity', severity: 'low' }, 'y', ALICE)).toMatchObject({
      state: null,
      override: { severity: 'low' },
    });
    write('a');
    await keeper.reload(ALICE);
    expect(entryOf(book, 'a')).toMatchObject({ state: 'disabled', rule: { severity: 'low' } });
  });

  it('looks at a rule before it is enabled, and keeps nothing where it would not be run', async () => {
    const kept = await keep(['a']);
    await kept.keeper.override('a', { kind: 'disable' }, 'x', ALICE);
    const { changes } = kept;
    kept.validate = async () => ({ ok: false, refusal: { code: 'table', message: 'no table t', position: null } });
    await expect(kept.keeper.override('a', { kind: 'enable' }, 'y', ALICE)).rejects.toThrow(
      expect.objectContaining({ code: 'query.refused', message: expect.stringMatching(/a\.yaml:7:\d+: rule a refused: no table t/) }),
    );
    expect([states(kept.book), changes.length]).toEqual([[['a', 1, 'disabled']], 1]);
  });

  it('lets a quarantined rule be tried again when it is enabled, and only then', async () => {
    const { book, keeper } = await keep(['a']);
    for (let times = 0; times < 2; times++) run(book, 'a', OVERRUN);
    await keeper.override('a', { kind: 'severity', severity: 'low' }, 'x', ALICE);
    expect(entryOf(book, 'a')).toMatchObject({ state: 'quarantined', rule: { severity: 'low' } });
    await keeper.override('a', { kind: 'enable' }, 'the host was busy', ALICE);
    expect(entryOf(book, 'a')).toMatchObject({ state: 'active', overruns: 0, refusal: null, runs: 2 });
  });

  it.each([
    ['a rule that nobody knows', 'a-rul', { kind: 'disable' }, /there is no rule a-rul; did you mean a-rule\?/],
    ['a reset of what was never decided', 'a-rule', { kind: 'reset' }, /nothing is decided about rule a-rule/],
  ] as const)('refuses %s', async (_, id, decision, message) => {
    const { keeper, changes } = await keep(['a-rule']);
    await expect(keeper.override(id, decision, 'x', ALICE)).rejects.toThrow(message);
    expect(changes).toEqual([]);
  });
});
