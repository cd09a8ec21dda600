/**
 * The words that statements are made of: ordinary ones, and every odd form that SQLite takes. What a statement may not
 * come to is among them, rare enough that most statements are accepted.
 */
import fc from 'fast-check';
import { OFFERED_FUNCTIONS } from '@sentineld/detection/sql/functions';
import { CLOSED_NAMES } from './product-database.ts';

/** One of these texts; shrinks to the first. */
export const pick = (...values: readonly string[]): fc.Arbitrary<string> => fc.constantFrom(...values);

/** Mostly the first, seldom the second. */
export const seldom = (often: fc.Arbitrary<string>, odd: fc.Arbitrary<string>, weight = 25): fc.Arbitrary<string> =>
  fc.oneof({ weight, arbitrary: often }, { weight: 1, arbitrary: odd });

const QUOTINGS: readonly ((name: string) => string)[] = [
  (name) => name,
  (name) => `"${name}"`,
  (name) => `[${name}]`,
  (name) => `\`${name}\``,
  (name) => name.toUpperCase(),
  (name) => `main.${name}`,
  (name) => `'${name}'`,
  (name) => `main /* . */ . ${name}`,
  (name) => `temp.${name}`,
  (name) => `"main"."${name}"`,
];

const quoted = (name: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(name, seldom(pick('0'), pick('1', '2', '3', '4', '5', '6', '7', '8', '9'), 3))
    .map(([text, at]) => QUOTINGS[Number(at)]?.(text) ?? text);

/** Readable tables that have the columns pid and name. */
export const TABLE: fc.Arbitrary<string> = seldom(
  quoted(pick('processes', 'process_snapshots', 'process_tree', 'process_events', 'alerts')),
  quoted(pick(...CLOSED_NAMES, 'scan_metadata', 'coverage', 'c', 'nothing', 'processes_', 'größe')),
);

export const TABLE_CALL: fc.Arbitrary<string> = seldom(
  pick('json_each', 'json_tree', 'JSON_EACH', '"json_tree"'),
  pick(
    'pragma_table_info', 'pragma_function_list', 'pragma_database_list', 'main.json_each', 'generate_series', 'fts5vocab', 'fsdir', 'secret_search', 'bytecode', 'tables_used', 'dbstat',
    'carray', 'sqlite_stmt', 'zipfile', 'json_each.x',
  ),
  12,
); // prettier-ignore

export const FUNCTION: fc.Arbitrary<string> = seldom(
  pick(...OFFERED_FUNCTIONS.flatMap(({ names }) => names), 'COUNT', '"length"', '[lower]', '`upper`', "'hex'"),
  pick(
    'load_extension', 'randomblob', 'random', 'zeroblob', 'sqlite_version', 'sqlite_source_id', 'last_insert_rowid', 'changes', 'total_changes', 'like', 'glob', 'regexp', 'match',
    'sqlite_compileoption_get', 'fts5', 'highlight', 'snippet', 'bm25', 'rtreecheck', 'unistr', 'jsonb', 'jsonb_each', 'subtype', 'current_date', 'load_extension ', '"load_extension"', 'replace_',
    'main.lower', 'soundex', 'sqlite_offset', 'fts3_tokenizer', 'json_pretty', 'jsonb_group_array', 'unixepoch_',
  ),
); // prettier-ignore

/** Names of CTEs, aliases and windows, those that hide something among them. */
export const NAME: fc.Arbitrary<string> = seldom(
  pick(
    't',
    'u',
    'w1',
    '"x y"',
    '[z]',
    '`k`',
    'key',
    'filter',
    'first',
    'window',
    'replace',
    'temp',
    'pragma',
    'action',
    'rows',
    'materialized',
    '"größe"',
  ),
  pick(...CLOSED_NAMES, 'processes', 'process_tree', 'pid', 'rowid', "'s'", 'over', 'select', '"sele""ct"', 'main', 'json_each', 'a'),
  15,
);

export const COLUMN: fc.Arbitrary<string> = seldom(
  pick('a.pid', 'a.name', 'a.pid', 'a.name', 'a."pid"', '[a].[pid]', 'name', '`a`.`name`', '"a"."name"', 'PID', 'a.[name]'),
  pick(
    'a.v', 'v', 'secrets.v', 'main.secrets.v', 'rowid', 'a._rowid_', 'oid', 'a.rowid', '"v"', '"deadbeef"', 'a.cmdline', 'exe_path', 'value', 'j.value', 'j.json', 'j.root', 'a.rank', 'a.generated',
    'sql', 'tbl_name', 'main.processes.pid', 'processes.pid', 'temp.alerts.pid', 'b.pid', 'b.name', 'secret_search', 'a.secret_search', 'excluded.pid', 'new.pid', 'a.*', 'main.a.pid', 'größe',
  ),
  20,
); // prettier-ignore

export const LITERAL: fc.Arbitrary<string> = seldom(
  pick('1', '0', "'x'", 'NULL', '1.5', "''", "'it''s'", '-1', 'TRUE', "'[1,2]'", "x'00ff'", '42'),
  pick(
    '0x1F', '0X7fffffffffffffff', '0x8000000000000000', '9223372036854775807', '9223372036854775808', '-9223372036854775808', '1e400', '-1e-400', '.5', '5.', '1.e3', '1_000', '0x1_F', '1__0', '1e', '1.5.5',
    '0b1', '08', "X''", "x'0'", "x'0g'", "'a' 'b'", "'a\\'", "'\\''", "'é漢😀'", "'--'", "'/*'", "'*/'", "';'", "'a\nb'", '"a', "'a", 'CURRENT_TIME', 'CURRENT_DATE', 'CURRENT_TIMESTAMP', 'FALSE',
    'true.x', ':now', ':since_seq', ':nothing', '?', '?1', '?999', '@a', '$a', '$a::b(c)', '#1', 'nan', 'infinity', '1e5000', "'%'", '000001', '1 000', "e'x'", "n'x'", '$$x$$', '0.1e+1', '1E-5', '‘x’',
  ),
  8,
); // prettier-ignore

export const BINARY: fc.Arbitrary<string> = pick(
  '=', 'AND', 'OR', '||', '+', '<', '->', '->>', 'IS', 'IS NOT', '<>', '==', '!=', '<=', '>=', '>', '-', '*', '/', '%', '&', '|', '<<', '>>', 'IS DISTINCT FROM', 'IS NOT DISTINCT FROM', 'and', 'Or',
  '=/**/', '||--\n',
); // prettier-ignore

export const UNARY: fc.Arbitrary<string> = pick('NOT ', '-', '+', '~', '- -', 'not ', '-+~');
export const JOIN: fc.Arbitrary<string> = pick(
  'JOIN', ',', 'LEFT JOIN', 'INNER JOIN', 'CROSS JOIN', 'LEFT OUTER JOIN', 'RIGHT JOIN', 'FULL JOIN', 'FULL OUTER JOIN', 'NATURAL JOIN', 'NATURAL LEFT JOIN', 'OUTER LEFT NATURAL JOIN', 'natural left outer join',
); // prettier-ignore
export const SET_OPERATOR: fc.Arbitrary<string> = pick('UNION ALL', 'UNION', 'EXCEPT', 'INTERSECT', 'union all');
export const ORDER: fc.Arbitrary<string> = pick(
  '',
  ' DESC',
  ' ASC',
  ' NULLS FIRST',
  ' DESC NULLS LAST',
  ' COLLATE NOCASE',
  ' COLLATE nothing',
  ' COLLATE "rtrim" DESC',
);
export const TYPE: fc.Arbitrary<string> = pick(
  'TEXT',
  'INTEGER',
  'REAL',
  'BLOB',
  'NUMERIC',
  'VARCHAR(10)',
  'DECIMAL(10, -5)',
  'x',
  '"t y"',
  'unsigned big int',
  '',
  'processes',
);
export const FRAME: fc.Arbitrary<string> = pick(
  '', '', '', ' ROWS UNBOUNDED PRECEDING', ' RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW', ' GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING', ' ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING EXCLUDE TIES',
  ' ROWS BETWEEN pid PRECEDING AND 1 FOLLOWING EXCLUDE NO OTHERS', ' RANGE BETWEEN 5 PRECEDING AND 3 PRECEDING EXCLUDE GROUP',
); // prettier-ignore
