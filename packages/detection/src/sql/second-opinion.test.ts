import { describe, expect, it } from 'vitest';
import { checkSecondOpinion } from './second-opinion.ts';
import { parseStatement } from './statement.ts';

const codeOf = (sql: string, seenByFirst: string = sql): string => {
  const parsed = parseStatement(seenByFirst, { schema: { tables: [], hiddenTables: [] }, parameters: 'any' });
  if (!parsed.ok) return `not parsed: ${parsed.refusal.message}`;
  return checkSecondOpinion({ ...parsed.statement, sql })?.code ?? 'agrees';
};

describe('second opinion', () => {
  it.each([
    "SELECT a, lower(b), count(*) FROM t WHERE c IN (SELECT d FROM u) AND NOT (e OR EXISTS (SELECT 1 FROM v)) AND 'x' || (SELECT 'y') = f",
    'SELECT row_number() OVER (PARTITION BY a ORDER BY b) AS n, CURRENT_TIMESTAMP, CAST(c AS TEXT) FROM t, json_each(t.x) j',
    'WITH x(a) AS (SELECT b FROM t) SELECT a AS zz FROM x ORDER BY zz',
    "SELECT CASE a WHEN 'x' THEN 1 END, \"q q\", [r], `s` FROM t WHERE a BETWEEN 1 AND 2 AND b LIKE '%z%' AND c IS NOT NULL",
    'SELECT a FROM t WHERE b = :now AND c = @d',
    // What it cannot read it has no say in.
    'SELECT sum(a) FILTER (WHERE b) OVER w FROM t WINDOW w AS (ORDER BY c NULLS LAST)',
  ])('agrees on %s', (sql) => expect(codeOf(sql)).toBe('agrees'));

  it.each([
    ['a table', 'SELECT a FROM t UNION SELECT a FROM hidden', 'SELECT a FROM t UNION SELECT a FROM t'],
    ['a table in a subquery', 'SELECT (SELECT a FROM hidden) FROM t', 'SELECT (SELECT a FROM t) FROM t'],
    ['a column', 'SELECT a, hidden FROM t', 'SELECT a FROM t'],
    ['a function', 'SELECT hidden(a) FROM t', 'SELECT lower(a) FROM t'],
    ['an aggregate', 'SELECT count(a) FROM t', 'SELECT lower(a) FROM t'],
    ['a second statement', 'SELECT a FROM t; SELECT a FROM t', 'SELECT a FROM t'],
    ['another kind of statement', 'DELETE FROM t', 'SELECT a FROM t'],
  ])('objects to %s that the first parser did not see', (_what, sql, seenByFirst) =>
    expect(codeOf(sql, seenByFirst)).toBe('second_opinion'),
  );

  it('lets texts be texts, wherever the second parser ends them', () => {
    expect(codeOf("SELECT 'it''s', 'proc', 'a\\_b', \"d\"\"q\" FROM t WHERE c = 'd''e'")).toBe('agrees');
    expect(codeOf("SELECT 'a\\', b, 'c' FROM t")).toBe('agrees');
  });

  it('objects to a comment that the second parser ends at another place', () => {
    expect(codeOf('SELECT a FROM t -- x\r UNION SELECT a FROM hidden')).toBe('second_opinion');
    expect(codeOf('SELECT a /* /* */ FROM t -- */')).toBe('agrees');
  });
});
