import { describe, expect, it } from 'vitest';
import { TEST_SCHEMA } from './fixtures/databases.ts';
import { RULE_PARAMETERS, type SqlPolicy } from './policy.ts';
import { validateSql } from './validate.ts';

const policy: SqlPolicy = { schema: TEST_SCHEMA, parameters: RULE_PARAMETERS };
const codeOf = (sql: string, changed: Partial<SqlPolicy> = {}): string => {
  const verdict = validateSql(sql, { ...policy, ...changed });
  return verdict.ok ? 'ok' : verdict.refusal.code;
};

describe('validateSql', () => {
  it.each([
    'SELECT pid FROM processes',
    'SELECT pid FROM main.processes;',
    'SELECT main.processes.pid FROM processes',
    '-- a comment\nSELECT pid /* and another */ FROM processes\r\nWHERE pid = 1',
    "SELECT pid FROM processes WHERE name LIKE '%a\\_b%' ESCAPE '\\' OR exe_path NOT GLOB '/usr/*/bin/[a-z]*'",
    "SELECT pid FROM processes WHERE name = 'grün „x“ 漢'",
    'SELECT pid AS "größe" FROM processes',
    'SELECT p.pid FROM processes p JOIN processes q ON q.pid = p.ppid LEFT JOIN process_snapshots s USING (pid) NATURAL JOIN scan_metadata',
    'SELECT p.pid FROM (processes p JOIN processes q ON q.pid = p.ppid), (SELECT avg(memory_bytes) AS a FROM processes), (SELECT max(id) FROM scan_metadata)',
    "WITH bad(n) AS (VALUES ('nc'), ('ncat')) SELECT pid FROM processes JOIN bad ON name = n",
    'WITH a AS (SELECT pid FROM processes), b AS (SELECT pid FROM a) SELECT pid FROM processes WHERE pid IN b AND pid NOT IN (SELECT pid FROM a)',
    'SELECT name, count(*) AS n FROM processes GROUP BY name HAVING n > 3 ORDER BY n DESC NULLS LAST LIMIT 5 OFFSET 2',
    'SELECT sum(memory_bytes) FILTER (WHERE ppid = 1) OVER w FROM processes WINDOW w AS (PARTITION BY user_name ORDER BY pid ROWS BETWEEN 3 PRECEDING AND CURRENT ROW EXCLUDE TIES)',
    "SELECT pid, value FROM processes, json_each(command_line) WHERE value IS NOT DISTINCT FROM '-i'",
    "SELECT command_line ->> '$[0]', command_line -> 0 FROM processes",
    "SELECT pid FROM processes WHERE (name, ppid) IN (SELECT name, ppid FROM processes) AND name COLLATE NOCASE = 'x' AND CAST(pid AS VARCHAR(10)) <> x'00'",
    'SELECT pid FROM processes UNION ALL SELECT pid FROM process_snapshots EXCEPT SELECT 1 INTERSECT VALUES (2)',
    'SELECT pid FROM processes WHERE start_time > :now - 60000 AND start_time < :since AND :scan_id > 0',
    "SELECT pid FROM processes WHERE name REGEXP '^(?i:nc|ncat)$' OR NOT cmdline REGEXP ('\\b-[el]\\b') OR name NOT REGEXP '(a|aa)+$'",
    'SELECT CURRENT_TIMESTAMP, TRUE, NULL, 0x1F, 1.5e3, 0 BETWEEN -1 AND 1',
  ])('accepts %s', (sql) => expect(validateSql(sql, policy)).toMatchObject({ ok: true }));

  it.each([
    ['SELECT 1; DROP TABLE alerts', 'statement', 1, 11],
    ['SELECT 1;;\nDELETE FROM alerts', 'statement', 2, 1],
    ["ATTACH DATABASE 'x.db' AS x", 'statement', 1, 1],
    ['PRAGMA query_only = 0', 'statement', 1, 1],
    ['EXPLAIN SELECT 1', 'statement', null, null],
    ['VALUES (1)', 'statement', 1, 1],
    ['WITH t AS (SELECT 1) DELETE FROM alerts', 'statement', 1, 1],
    ['SELECT pid\nFROM processes WHERE', 'parse', 2, 21],
    ["SELECT load_extension('x')", 'function', 1, 8],
    ['SELECT hex(randomblob(1e9))', 'function', 1, 12],
    ['SELECT v FROM secrets', 'table', 1, 15],
    ['SELECT pid FROM proceses', 'table', 1, 17],
    ['SELECT pid FROM process_image', 'table', 1, 17],
    ['SELECT title FROM agent.alert_row', 'table', 1, 19],
    ['SELECT title FROM agent.alerts', 'table', 1, 19],
    ['SELECT temp.alerts.title FROM alerts', 'table', 1, 8],
    ['SELECT * FROM main . secrets', 'table', 1, 22],
    ['SELECT * FROM (secrets)', 'table', 1, 16],
    ["SELECT * FROM 'sqlite_schema'", 'table', 1, 15],
    ['SELECT 1 WHERE 1 IN sqlite_schema', 'table', 1, 21],
    ["SELECT * FROM pragma_table_info('x')", 'table', 1, 15],
    ['SELECT * FROM json_each', 'table', 1, 15],
    ['WITH processes AS (SELECT 1) SELECT * FROM processes', 'table', 1, 6],
    ['WITH process_image AS (SELECT 1) SELECT * FROM process_image', 'table', 1, 6],
    ['WITH JSON_EACH AS (SELECT 1) SELECT * FROM JSON_EACH', 'table', 1, 6],
    ['WITH sqlite_x AS (SELECT 1) SELECT * FROM sqlite_x', 'table', 1, 6],
    ['WITH a AS (WITH a AS (SELECT 1) SELECT * FROM a) SELECT * FROM a', 'table', 1, 17],
    ['SELECT * FROM secrets WHERE 1 IN (WITH secrets AS (SELECT 1) SELECT * FROM secrets)', 'table', 1, 15],
    ['SELECT rowid FROM process_snapshots', 'column', 1, 8],
    ['SELECT s._ROWID_ FROM process_snapshots s', 'column', 1, 8],
    ['SELECT pid FROM processes INDEXED BY ix', 'node', 1, 27],
    ["SELECT RAISE(ABORT, 'x')", 'node', 1, 8],
    ['SELECT name COLLATE unicode FROM processes', 'node', 1, 8],
    ["SELECT pid FROM processes WHERE name IN json_each('[1]')", 'node', 1, 33],
    ["SELECT regexp('a', name) FROM processes", 'function', 1, 8],
    ["SELECT pid FROM processes WHERE name REGEXP '^(a+'", 'pattern', 1, 45],
    ["SELECT pid FROM processes WHERE name REGEXP '^(a+)+$'", 'pattern', 1, 45],
    ["SELECT pid FROM processes WHERE name NOT REGEXP '(?i)a'", 'pattern', 1, 49],
    ['SELECT pid FROM processes WHERE name REGEXP exe_path', 'pattern', 1, 45],
    ['SELECT pid FROM processes WHERE name REGEXP "^a"', 'pattern', 1, 45],
    ['SELECT pid FROM processes WHERE name REGEXP :now', 'pattern', 1, 45],
    ["SELECT pid FROM processes WHERE name REGEXP 'a' || 'b'", 'pattern', 1, 45],
    ["SELECT pid FROM processes WHERE name REGEXP 'a' ESCAPE 'b'", 'pattern', 1, 56],
    [`SELECT pid FROM processes WHERE name REGEXP '${'a'.repeat(1_001)}'`, 'pattern', 1, 45],
    ["SELECT pid FROM processes WHERE name MATCH 'x'", 'function', 1, 33],
    ['SELECT p.pid FROM processes p JOIN processes q ON p.name LIKE q.name', 'pattern', 1, 63],
    ['SELECT pid FROM processes WHERE name LIKE "x%"', 'pattern', 1, 43],
    [`SELECT pid FROM processes WHERE name LIKE '${'%a'.repeat(9)}'`, 'pattern', 1, 43],
    [`SELECT pid FROM processes WHERE name GLOB '${'*a'.repeat(9)}'`, 'pattern', 1, 43],
    ["SELECT pid FROM processes WHERE name LIKE 'x' ESCAPE name", 'pattern', 1, 54],
    ['SELECT pid FROM processes WHERE pid = :pid', 'parameter', 1, 39],
    ['SELECT pid FROM processes WHERE pid = ?', 'parameter', 1, 39],
    ['SELECT pid FROM processes WHERE pid = $now', 'parameter', 1, 39],
    ['SELECT count(*) FROM processes a, processes b, processes c', 'join', 1, 17],
    ['SELECT pid FROM processes /* open', 'characters', 1, 27],
    ['SELECT pid FROM processes WHERE name = ‘x’', 'characters', 1, 40],
    ['SELECT\u00a0pid FROM processes', 'characters', 1, 7],
    ['SELECT pid FROM processes -- x\r; DELETE FROM alerts', 'characters', 1, 31],
    ["SELECT 'a\u202eb'", 'characters', 1, 10],
    ["SELECT '\ud800'", 'characters', 1, 9],
    ['', 'statement', null, null],
    [';', 'statement', null, null],
  ])('refuses %j', (sql, code, line, column) => {
    const verdict = validateSql(sql, policy);
    expect(verdict).toMatchObject({ ok: false, refusal: { code } });
    if (line !== null) expect(verdict).toMatchObject({ refusal: { position: { line, column } } });
    // What, and what to do.
    if (!verdict.ok) expect(verdict.refusal.message).toMatch(/^.{10,}[.?)]$/s);
  });

  it('bounds length, depth, SELECTs and joins', () => {
    expect(codeOf(`SELECT '${'x'.repeat(16_400)}'`)).toBe('limit');
    expect(codeOf(`SELECT ${'('.repeat(500)}1${')'.repeat(500)}`)).toBe('limit');
    expect(codeOf(`SELECT ${'- '.repeat(3_000)}1`)).toBe('limit');
    expect(codeOf(Array.from({ length: 33 }, () => 'SELECT 1').join(' UNION ALL '))).toBe('limit');
    expect(
      codeOf(
        `SELECT 1 FROM processes p0 ${Array.from({ length: 24 }, (_, i) => `JOIN processes p${i + 1} ON p${i + 1}.pid = p${i}.ppid`).join(' ')}`,
      ),
    ).toBe('limit');
    expect(codeOf(`SELECT pid FROM processes WHERE ${Array.from({ length: 300 }, (_, i) => `pid = ${i}`).join(' OR ')}`)).toBe('ok');
    expect(codeOf(`SELECT pid FROM processes WHERE pid IN (${Array.from({ length: 2_000 }, (_, i) => i).join()})`)).toBe('ok');
  });

  it('takes any plain parameter where the policy says so, and lists them', () => {
    const parameters = 'any';
    expect(validateSql('SELECT :a, @b, $c, :a', { ...policy, parameters })).toMatchObject({ ok: true, parameters: [':a', '@b', '$c'] });
    expect(validateSql('SELECT ?, ?2, ?', { ...policy, parameters })).toMatchObject({ ok: true, parameters: ['?', '?2', '?'] });
    expect(codeOf('SELECT $a::b(c)', { parameters })).toBe('parameter');
    expect(codeOf('SELECT #1', { parameters })).not.toBe('ok');
  });

  it('lists the tables that a statement reads, wherever they stand in it, and no CTEs', () => {
    const tablesOf = (sql: string): unknown => {
      const verdict = validateSql(sql, policy);
      return verdict.ok ? verdict.tables : verdict.refusal.code;
    };
    expect(tablesOf('SELECT 1')).toEqual([]);
    expect(tablesOf('SELECT p.pid FROM main.PROCESSES AS p JOIN processes AS q ON q.pid = p.ppid')).toEqual(['processes']);
    expect(
      tablesOf(
        'WITH new AS (SELECT pid FROM process_snapshots) SELECT pid FROM new WHERE EXISTS (SELECT 1 FROM "processes" AS p WHERE p.pid = new.pid)',
      ),
    ).toEqual(['processes', 'process_snapshots']);
    expect(tablesOf("SELECT pid AS alerts, 'alerts' FROM processes WHERE name IN (SELECT title FROM alerts)")).toEqual([
      'processes',
      'alerts',
    ]);
  });

  it('offers a nearer name', () => {
    expect(validateSql('SELECT pid FROM proceses', policy)).toMatchObject({
      refusal: { message: 'There is no table proceses. Did you mean processes?' },
    });
    expect(validateSql('SELECT pid FROM process_image', policy)).toMatchObject({
      refusal: { message: expect.stringContaining('is internal to the store') },
    });
  });
});
