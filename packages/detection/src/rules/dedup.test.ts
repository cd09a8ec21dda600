import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { groupByDedup } from './dedup.ts';

const RULE = { id: 'a-rule', dedupKeys: ['user', 'exe'] };

describe('findings', () => {
  it('are rows that agree in the dedup columns, in the order of their first rows', () => {
    const rows = [
      { user: 'ana', exe: '/x', pid: 1 },
      { user: 'bob', exe: '/x', pid: 2 },
      { user: 'ana', exe: '/x', pid: 3 },
      { user: null, exe: '/x', pid: 4 },
    ];
    expect(groupByDedup(RULE, rows).map((finding) => finding.rows.map(({ pid }) => pid))).toEqual([[1, 3], [2], [4]]);
  });

  it('have the keys that alerts are stored with', () => {
    const digest = createHash('sha256').update('["ana",null]').digest('hex').slice(0, 32);
    expect(groupByDedup(RULE, [{ user: 'ana' }])).toMatchObject([{ key: `a-rule:${digest}` }]);
    expect(groupByDedup({ ...RULE, dedupWith: 'another' }, [{ user: 'ana' }])).toMatchObject([{ key: `another:${digest}` }]);
  });
});
