import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createRepeats, pastFindings } from './past-alerts.ts';

const RULE = { id: 'a-rule', dedupKeys: ['user', 'exe'] };

describe('findings of the past', () => {
  it('are rows that agree in the dedup columns, in the order of their first rows', () => {
    const rows = [
      { user: 'ana', exe: '/x', pid: 1 },
      { user: 'bob', exe: '/x', pid: 2 },
      { user: 'ana', exe: '/x', pid: 3 },
      { user: null, exe: '/x', pid: 4 },
    ];
    expect(pastFindings(RULE, rows).map((finding) => finding.rows.map(({ pid }) => pid))).toEqual([[1, 3], [2], [4]]);
  });

  it('have the keys that alerts are stored with', () => {
    const digest = createHash('sha256').update('["ana",null]').digest('hex').slice(0, 32);
    expect(pastFindings(RULE, [{ user: 'ana' }])).toMatchObject([{ key: `a-rule:${digest}` }]);
    expect(pastFindings({ ...RULE, dedupWith: 'another' }, [{ user: 'ana' }])).toMatchObject([{ key: `another:${digest}` }]);
  });
});

describe('a repeat', () => {
  it('is what was seen within the window, and stays one for as long as it goes on', () => {
    const isAlert = createRepeats(100);
    expect([0, 60, 120, 219, 319].map((atMs) => isAlert('k', atMs))).toEqual([true, false, false, false, true]);
    expect(isAlert('other', 319)).toBe(true);
  });

  it('is none where there is no window, nor where the clock was far ahead', () => {
    const always = createRepeats(0);
    expect([1, 1, 2].map((atMs) => always('k', atMs))).toEqual([true, true, true]);
    const isAlert = createRepeats(100);
    expect([5000, 10, 20].map((atMs) => isAlert('k', atMs))).toEqual([true, true, false]);
  });
});
