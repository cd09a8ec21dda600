import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { TEST_SCHEMA } from './fixtures/databases.ts';
import { validateSql } from './validate.ts';

const codeOf = (sql: string): string => {
  const verdict = validateSql(sql, { schema: TEST_SCHEMA, parameters: 'any' });
  return verdict.ok ? 'ok' : verdict.refusal.code;
};

/** Each of these ends within a second even where every process is its own parent. */
const BOUNDED = [
  'WITH RECURSIVE c AS (SELECT pid, ppid FROM processes WHERE pid = 2 UNION SELECT p.pid, p.ppid FROM processes p, c WHERE p.pid = c.ppid LIMIT 64) SELECT * FROM c',
  'WITH RECURSIVE c AS (SELECT pid, ppid FROM processes UNION SELECT p.pid, p.ppid FROM processes p JOIN c ON p.ppid = c.pid) SELECT * FROM c',
  'WITH RECURSIVE c(pid, depth) AS (SELECT pid, 0 FROM processes UNION ALL SELECT p.pid, t.depth + 1 FROM processes p JOIN c t ON p.ppid = t.pid WHERE t.depth < 10) SELECT * FROM c',
  'WITH RECURSIVE c(pid, depth) AS (SELECT pid, 0 FROM processes UNION ALL SELECT p.pid, 1 + depth FROM processes p JOIN c ON p.ppid = c.pid AND 10 > depth) SELECT * FROM c',
  "WITH RECURSIVE c AS (SELECT *, 0 AS depth, name AS way FROM processes UNION ALL SELECT p.*, c.depth + 1, way || '/' || p.name FROM processes p, c WHERE p.ppid = c.pid AND depth BETWEEN 0 AND 9) SELECT way FROM c",
  "WITH RECURSIVE c(pid, way) AS (SELECT pid, name FROM processes UNION ALL SELECT p.pid, c.way || '/' || p.name FROM processes p, c WHERE p.ppid = c.pid AND length(way) < 80) SELECT way FROM c",
  'WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT sum(i) FROM n',
  'WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i - 5 FROM n WHERE i - 5 >= 0) SELECT sum(i) FROM n',
  'WITH RECURSIVE n(i, j) AS (SELECT 0, 0 UNION ALL SELECT i + 1, j FROM n WHERE i < 9 UNION ALL SELECT i + 2, j + 1 FROM n WHERE i < 9) SELECT count(*) FROM n',
  'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100 OFFSET 5) SELECT count(*) FROM n',
];

const UNBOUNDED = [
  'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c',
  'WITH c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c',
  'WITH RECURSIVE c(x) AS (SELECT 1 UNION SELECT x + 1 FROM c) SELECT count(*) FROM c',
  'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000000000) SELECT count(*) FROM c',
  'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT -1) SELECT count(*) FROM c',
  'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 10 OFFSET 900000000) SELECT count(*) FROM c',
  'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT :n) SELECT count(*) FROM c',
  'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c LIMIT 5',
  'WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c WHERE x < 1000000000) SELECT sum(x) FROM c',
  'WITH RECURSIVE c(x) AS (SELECT -999999999 UNION ALL SELECT x + 1 FROM c WHERE x < 10) SELECT sum(x) FROM c',
  'WITH RECURSIVE c(x) AS (SELECT pid FROM processes UNION ALL SELECT x + 1 FROM c WHERE x < 10) SELECT sum(x) FROM c',
  'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 0 FROM c WHERE x < 10) SELECT sum(x) FROM c',
  'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x - 1 FROM c WHERE x < 10) SELECT sum(x) FROM c',
  'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 10 OR 1) SELECT sum(x) FROM c',
  'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE NOT x BETWEEN 5 AND 10) SELECT sum(x) FROM c',
  'WITH RECURSIVE c(d, d) AS (SELECT 0, 0 UNION ALL SELECT d, d + 1 FROM c WHERE d < 10) SELECT count(*) FROM c',
  'WITH c AS (SELECT 0 AS d, 0 AS d UNION ALL SELECT d, d + 1 FROM c WHERE d < 10) SELECT count(*) FROM c',
  'WITH c AS (SELECT *, 0 AS pid FROM processes UNION ALL SELECT p.*, c.pid + 1 FROM processes p, c WHERE p.ppid = c.ppid AND c.pid < 10) SELECT count(*) FROM c',
  'WITH RECURSIVE n(i, j) AS (SELECT 0, 0 UNION ALL SELECT i + 1, 0 FROM n WHERE i < 9 UNION ALL SELECT 0, j + 1 FROM n WHERE j < 9) SELECT count(*) FROM n',
  'WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9 UNION ALL SELECT i FROM n WHERE i < 9) SELECT count(*) FROM n',
  'WITH RECURSIVE c(pid, way) AS (SELECT pid, name FROM processes UNION ALL SELECT p.pid, c.way || p.name FROM processes p, c WHERE p.ppid = c.pid AND length(way) < 80) SELECT way FROM c',
  'WITH RECURSIVE c(pid) AS (SELECT pid FROM processes UNION ALL SELECT p.pid FROM processes p JOIN c ON p.ppid = c.pid) SELECT count(*) FROM c',
  'WITH RECURSIVE c(x) AS (SELECT pid FROM processes UNION SELECT value FROM c, json_each(c.x)) SELECT count(*) FROM c',
  'WITH RECURSIVE c(x, d) AS (SELECT pid, 0 FROM processes UNION ALL SELECT p.pid, d + 1 FROM processes p LEFT JOIN c ON p.ppid = c.x AND d < 10) SELECT count(*) FROM c',
  'WITH RECURSIVE c(x, d) AS (SELECT pid, 0 FROM processes UNION ALL SELECT p.pid, d + 1 FROM c, processes p WHERE d < 10) SELECT count(*) FROM c',
  'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT (SELECT max(x) + 1 FROM c) FROM processes) SELECT count(*) FROM c',
  'WITH RECURSIVE c(x) AS (SELECT x FROM c UNION ALL SELECT 1) SELECT count(*) FROM c',
  'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT a.x + 1 FROM c a, c b WHERE a.x = b.x AND a.x < 9) SELECT count(*) FROM c',
  'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM (SELECT x FROM c) WHERE x < 9) SELECT count(*) FROM c',
  'SELECT (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c) FROM processes',
];

describe('recursive CTEs', () => {
  it.each(BOUNDED)('takes %s', (sql) => {
    expect(codeOf(sql)).toBe('ok');
    const database = new DatabaseSync(':memory:');
    const columns = TEST_SCHEMA.tables[0]?.columns.map(({ name }) => name) ?? [];
    database.exec(
      `CREATE TABLE processes(${columns.join(', ')}); INSERT INTO processes(pid, ppid, name) VALUES (1, 1, 'a'), (2, 3, 'b'), (3, 2, 'c')`,
    );
    // It comes to an end at all.
    expect(database.prepare(sql).all().length).toBeLessThan(100_000);
  });

  it.each(UNBOUNDED)('refuses %s', (sql) => expect(codeOf(sql)).toBe('recursion'));

  it('takes a CTE that only looks recursive', () => {
    expect(codeOf('WITH a(x) AS (SELECT 1), b AS (SELECT x FROM a UNION ALL SELECT x + 1 FROM a) SELECT * FROM b')).toBe('ok');
  });
});
