import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { AUTHORIZED_FUNCTIONS, OFFERED_FUNCTIONS } from './functions.ts';
import { TABLE_FUNCTIONS } from './policy.ts';
import { validateSql } from './validate.ts';

const policy = { schema: { tables: [], hiddenTables: [] }, parameters: [] } as const;
const verdictOf = (sql: string): string => {
  const verdict = validateSql(sql, policy);
  return verdict.ok ? 'ok' : verdict.refusal.code;
};

describe('functions', () => {
  it('are functions of this SQLite, each offered once and for a reason', () => {
    const rows = new DatabaseSync(':memory:').prepare('SELECT DISTINCT name FROM pragma_function_list').all();
    // REGEXP is the reader's own.
    const known = new Set([...rows.map(({ name }) => String(name)), 'regexp']);
    expect([...AUTHORIZED_FUNCTIONS].filter((name) => !known.has(name))).toEqual([]);
    const names = OFFERED_FUNCTIONS.flatMap((group) => group.names);
    expect(new Set(names).size).toBe(names.length);
    expect(OFFERED_FUNCTIONS.every(({ why }) => why !== '')).toBe(true);
    expect(TABLE_FUNCTIONS).toEqual(['json_each', 'json_tree']);
  });

  it('leave out what allocates at will, reaches outside, names the version or differs from run to run', () => {
    const dangerous = [
      'load_extension', 'randomblob', 'zeroblob', 'random', 'sqlite_version', 'sqlite_source_id', 'sqlite_compileoption_get', 'sqlite_log', 'last_insert_rowid',
      'changes', 'total_changes', 'fts3_tokenizer', 'fts5', 'rtreenode', 'geopoly_svg', 'readfile', 'writefile', 'edit', 'regexp', 'like', 'glob', 'match', 'subtype', 'unistr',
    ]; // prettier-ignore
    const taken = dangerous.filter((name) =>
      [`SELECT ${name}('x')`, `SELECT "${name.toUpperCase()}"('x')`].some((sql) => verdictOf(sql) !== 'function'),
    );
    expect(taken).toEqual([]);
  });

  it.each([
    'count(*) FILTER (WHERE random())',
    'sum(1) OVER (ORDER BY random())',
    "group_concat('a' ORDER BY random())",
    'CASE WHEN 1 THEN random() END',
    "1 LIKE 'x' ESCAPE random()",
  ])('are found within %s', (expression) => expect(verdictOf(`SELECT ${expression}`)).toBe('function'));

  it.each([
    ["printf('%s %5d %-10.3f %% %x %q', 1, 2, 3, 4, 5)", 'ok'],
    ["format('%256s', 'x')", 'ok'],
    ["format('%257s', 'x')", 'function'],
    ["printf('%.1000000000d', 1)", 'function'],
    ["printf('%*d', 5, 1)", 'function'],
    ["printf('%.*c', 900000000, 'x')", 'function'],
    ["printf('%-+ 0#,!999d', 1)", 'function'],
    ["printf('%lld', 1)", 'function'],
    ["printf('%' || '999d', 1)", 'function'],
    ['printf()', 'function'],
    [`char(${Array.from({ length: 65 }, () => '65').join()})`, 'limit'],
  ])('judges %s', (expression, code) => expect(verdictOf(`SELECT ${expression}`)).toBe(code));
});
