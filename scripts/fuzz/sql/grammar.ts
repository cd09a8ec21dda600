/**
 * Statements from a grammar of SQLite's SELECT, and of what else SQLite takes. Every FROM calls its first table `a`, and
 * whatever stands there has the columns pid and name: so most statements have a meaning, however deep they are nested.
 */
import fc from 'fast-check';
import {
  BINARY,
  COLUMN,
  FRAME,
  FUNCTION,
  JOIN,
  LITERAL,
  NAME,
  ORDER,
  pick,
  seldom,
  SET_OPERATOR,
  TABLE,
  TABLE_CALL,
  TYPE,
  UNARY,
} from './words.ts';

type Parts = { select: string; core: string; one: string; expression: string; source: string; window: string; call: string; cte: string };
type Tie = fc.LetrecTypedTie<Parts>;
type Weighted = fc.WeightedArbitrary<string>;

const weigh = (weight: number, arbitrary: fc.Arbitrary<string>): Weighted => ({ weight, arbitrary });
const joined = (...parts: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> => fc.tuple(...parts).map((texts) => texts.join(''));
const is = (text: string): fc.Arbitrary<string> => fc.constant(text);
/** Left out `often` times as often as not. */
const maybe = (arbitrary: fc.Arbitrary<string>, often = 3): fc.Arbitrary<string> => fc.oneof(weigh(often, is('')), weigh(1, arbitrary));
const DEPTH = { maxDepth: 4, depthIdentifier: 'sql', withCrossShrink: true } as const;

const { select } = fc.letrec<Parts>((tie) => ({
  expression: fc.oneof(DEPTH, weigh(14, COLUMN), weigh(6, LITERAL), ...expressions(tie)),
  call: fc.oneof(DEPTH, weigh(1, joined(FUNCTION, is('('), COLUMN, is(')'))), ...calls(tie)),
  window: joined(
    is('('),
    maybe(NAME, 9),
    maybe(joined(is(' PARTITION BY '), tie('expression'))),
    maybe(joined(is(' ORDER BY '), tie('expression'), ORDER)),
    FRAME,
    is(')'),
  ),
  source: fc.oneof(DEPTH, weigh(14, joined(TABLE, is(' a'))), ...sources(tie)),
  cte: joined(
    is('WITH '),
    pick('', 'RECURSIVE '),
    NAME,
    maybe(is('(pid, name)')),
    is(' AS '),
    pick('', 'MATERIALIZED ', 'NOT MATERIALIZED '),
    is('('),
    tie('select'),
    is(') '),
  ),
  core: plainSelect(tie),
  one: fc.oneof(
    DEPTH,
    weigh(2, joined(is('SELECT '), tie('expression'), is(' FROM '), tie('source'))),
    weigh(2, joined(is('SELECT a.pid FROM ('), tie('select'), is(') a'))),
    weigh(1, joined(is('SELECT '), LITERAL)),
  ),
  select: fc.oneof(DEPTH, weigh(8, tie('core')), ...selects(tie)),
}));

/** One SELECT, or something else that SQLite prepares. */
export const STATEMENT: fc.Arbitrary<string> = fc.oneof(weigh(30, select), weigh(1, otherStatement(select)));

function expressions(tie: Tie): readonly Weighted[] {
  const inner = tie('expression');
  return [
    weigh(5, joined(inner, is(' '), BINARY, is(' '), inner)),
    weigh(2, joined(UNARY, inner)),
    weigh(2, joined(is('('), inner, is(')'))),
    weigh(6, tie('call')),
    weigh(
      2,
      joined(
        inner,
        pick(' LIKE ', ' NOT GLOB ', ' like ', ' MATCH ', ' REGEXP ', ' NOT LIKE '),
        seldom(pick("'%x*'", "'a'", "'^a+'"), inner, 6),
        maybe(is(" ESCAPE '\\'"), 5),
      ),
    ),
    weigh(1, joined(inner, pick(' BETWEEN ', ' NOT BETWEEN '), inner, is(' AND '), inner)),
    weigh(1, joined(inner, pick(' IN (', ' NOT IN ('), maybe(joined(inner, is(', '), inner)), is(')'))),
    weigh(2, joined(inner, pick(' IN (', ' NOT IN ('), seldom(tie('one'), tie('select')), is(')'))),
    weigh(1, joined(inner, is(' IN '), seldom(TABLE, joined(TABLE_CALL, is('('), inner, is(')')), 4))),
    weigh(2, joined(pick('EXISTS (', 'NOT EXISTS (', '('), seldom(tie('one'), tie('select')), is(')'))),
    weigh(1, joined(is('CASE '), maybe(inner), is(' WHEN '), inner, is(' THEN '), inner, maybe(joined(is(' ELSE '), inner)), is(' END'))),
    weigh(1, joined(is('CAST('), inner, is(' AS '), TYPE, is(')'))),
    weigh(1, joined(inner, pick(' COLLATE NOCASE', ' ISNULL', ' NOTNULL', ' NOT NULL', ' IS NULL', ' COLLATE nothing'))),
    weigh(1, joined(is('(a.pid, a.name) '), pick('= (', 'IN (', '< ('), tie('select'), is(')'))),
    weigh(1, seldom(is('(1, 2) = (pid, 2)'), pick('RAISE(IGNORE)', "RAISE(ABORT, 'x')", 'a.*', 'json_each', '(VALUES (1))'))),
  ];
}

function calls(tie: Tie): readonly Weighted[] {
  const inner = tie('expression');
  const filter = maybe(joined(is(' FILTER (WHERE '), inner, is(')')), 4);
  return [
    weigh(
      6,
      joined(
        pick('lower', 'upper', 'length', 'hex', 'typeof', 'abs', 'json_valid', 'quote', 'trim', 'coalesce(1, ').map((name) =>
          name.endsWith(' ') ? name : `${name}(`,
        ),
        inner,
        is(')'),
      ),
    ),
    weigh(3, joined(FUNCTION, is('('), pick('', 'DISTINCT ', 'ALL '), inner, maybe(joined(is(', '), inner)), is(')'))),
    weigh(1, joined(FUNCTION, pick('()', '(*)', ' /**/ (*)'))),
    weigh(
      1,
      joined(
        pick('sum', 'count', 'group_concat', 'json_group_array', 'max'),
        is('('),
        inner,
        maybe(joined(is(' ORDER BY '), inner)),
        is(')'),
        filter,
      ),
    ),
    weigh(
      2,
      joined(
        pick('count(*)', 'row_number()', 'rank()', 'sum(pid)', 'lag(name)', 'first_value(name)', 'ntile(2)'),
        filter,
        is(' OVER '),
        seldom(tie('window'), NAME, 8),
      ),
    ),
    weigh(
      1,
      joined(
        pick('json_extract', 'json_array', 'json_object', 'json_set', 'json'),
        is('('),
        inner,
        is(", '$.a'"),
        maybe(joined(is(', '), inner)),
        is(')'),
      ),
    ),
    weigh(1, joined(pick('printf', 'format'), is("('%s %d', "), inner, is(')'))),
  ];
}

function sources(tie: Tie): readonly Weighted[] {
  const condition = fc.oneof(
    weigh(4, is(' ON a.pid = b.pid')),
    weigh(2, is(' USING (pid)')),
    weigh(1, joined(is(' ON '), tie('expression'))),
    weigh(1, is('')),
  );
  return [
    weigh(4, joined(is('('), tie('select'), pick(') a', ') AS a', ') "a"'))),
    weigh(3, joined(TABLE, is(' a '), JOIN, is(' '), TABLE, is(' b'), condition)),
    weigh(1, joined(TABLE, is(' AS a '), JOIN, is(' ('), tie('select'), is(') b'), condition)),
    weigh(
      2,
      joined(TABLE, is(' a, '), TABLE_CALL, is('('), seldom(pick('a.name', "'[1]'", "a.name, '$'"), tie('expression'), 5), is(') j')),
    ),
    weigh(1, joined(is('(SELECT value AS pid, key AS name FROM '), TABLE_CALL, is('('), seldom(LITERAL, tie('expression'), 3), is(')) a'))),
    weigh(1, joined(is('('), TABLE, is(' a '), JOIN, is(' '), TABLE, is(' b'), condition, is(')'))),
    weigh(1, joined(is('('), TABLE, is(') a'))),
    weigh(1, joined(TABLE, is(' a '), pick('NOT INDEXED', 'INDEXED BY secrets_v', 'INDEXED BY nothing'))),
    weigh(1, joined(TABLE, is(' '), NAME)),
    weigh(1, joined(is('(VALUES (1, 2), ('), seldom(LITERAL, tie('expression'), 6), is(', 3)) a'))),
  ];
}

function plainSelect(tie: Tie): fc.Arbitrary<string> {
  const results = fc.oneof(
    weigh(5, joined(tie('expression'), is(' AS pid, '), tie('expression'), is(' AS name'))),
    weigh(2, is('a.pid, a.name')),
    weigh(1, pick('*', 'a.*', '*, *', 'b.*', 'a.*, 1 AS pid')),
    weigh(1, joined(tie('expression'), is(' '), NAME, is(', '), COLUMN)),
  );
  return joined(
    pick('SELECT ', 'SELECT ', 'SELECT DISTINCT ', 'SELECT ALL ', 'select '),
    results,
    is(' FROM '),
    tie('source'),
    maybe(joined(is(' WHERE '), tie('expression')), 1),
    maybe(joined(is(' GROUP BY '), tie('expression'), maybe(joined(is(' HAVING '), tie('expression')))), 6),
    maybe(joined(is(' WINDOW '), NAME, is(' AS '), tie('window')), 15),
  );
}

function selects(tie: Tie): readonly Weighted[] {
  const recursive = [
    'UNION ALL SELECT a.pid + 1, a.name FROM t a WHERE a.pid < 9',
    'UNION SELECT b.pid, b.name FROM t a JOIN processes b ON a.pid = b.ppid',
    'UNION ALL SELECT * FROM t LIMIT 3',
  ];
  return [
    weigh(2, joined(tie('core'), is(' '), SET_OPERATOR, is(' '), seldom(tie('core'), tie('select')))),
    weigh(2, joined(tie('cte'), tie('select'))),
    weigh(
      1,
      joined(
        is('WITH t(pid, name) AS ('),
        tie('select'),
        is(') SELECT a.pid AS pid, a.name AS name FROM t a JOIN '),
        TABLE,
        is(' b ON b.pid = a.pid'),
      ),
    ),
    weigh(
      1,
      joined(
        is('WITH RECURSIVE t(pid, name) AS (SELECT 1, '),
        LITERAL,
        is(' '),
        pick(...recursive),
        is(') SELECT a.pid, a.name FROM t a WHERE '),
        tie('expression'),
      ),
    ),
    weigh(
      2,
      joined(
        tie('select'),
        is(' ORDER BY '),
        seldom(tie('expression'), pick('1', '2 DESC', '99'), 3),
        ORDER,
        maybe(joined(is(' LIMIT '), seldom(pick('5', '2 OFFSET 1', '1, 2'), tie('expression'), 5))),
      ),
    ),
    weigh(1, joined(is('SELECT '), LITERAL, is(' AS pid, '), seldom(LITERAL, tie('expression'), 6), is(' AS name'))),
    weigh(1, joined(is('VALUES ('), LITERAL, is(', '), seldom(LITERAL, tie('expression'), 6), is(')'))),
  ];
}

function otherStatement(inner: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.oneof(
    joined(pick('EXPLAIN ', 'EXPLAIN QUERY PLAN '), inner),
    joined(is('SELECT 1; '), inner),
    joined(inner, pick('; SELECT v FROM secrets', ';;', '; --', '; DROP TABLE secrets', ' RETURNING *', ' FOR UPDATE', ' INTO x')),
    joined(pick('CREATE TABLE x AS ', 'CREATE TEMP TABLE x AS ', 'CREATE VIEW x AS ', 'CREATE TEMP VIEW x AS ', 'INSERT INTO secrets ', 'REPLACE INTO command '), inner),
    joined(is('WITH t AS ('), inner, pick(') DELETE FROM secrets', ') UPDATE secrets SET v = 1', ') INSERT INTO secrets SELECT * FROM t', ') DELETE FROM secrets RETURNING v')),
    pick(
      "ATTACH 'x.db' AS x", 'DETACH agent', 'PRAGMA query_only = 0', 'PRAGMA main.table_info(secrets)', 'VACUUM', "VACUUM INTO 'x.db'", 'ANALYZE', 'REINDEX', 'BEGIN', 'COMMIT', 'SAVEPOINT x', 'RELEASE x',
      'DROP VIEW processes', 'ALTER TABLE secrets RENAME TO y', 'CREATE INDEX i ON secrets(v)', 'CREATE TRIGGER t AFTER INSERT ON secrets BEGIN SELECT 1; END', 'CREATE VIRTUAL TABLE x USING fts5(v)',
      'DELETE FROM secrets WHERE v IN (SELECT name FROM processes)', 'UPDATE secrets SET v = 1 RETURNING v', 'INSERT INTO processes DEFAULT VALUES', '', ';', '--', '/*', 'EXPLAIN', 'SELECT',
    ),
  ); // prettier-ignore
}
