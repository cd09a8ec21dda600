/**
 * Generated statements that mix allowed and forbidden pieces: whatever the validator accepts, SQLite's authorizer must
 * have been asked only about readable tables, their columns, and offered functions.
 */
import { join } from 'node:path';
import fc from 'fast-check';
import { openReader, type ReadAccess } from '@sentineld/store/reader';
import { SentinelError } from '@sentineld/model/error';
import { expect, it } from 'vitest';
import { createTestDatabases, TEST_SCHEMA } from './fixtures/databases.ts';
import { AUTHORIZED_FUNCTIONS } from './functions.ts';
import { validateSql } from './validate.ts';

const pick = (...values: string[]): fc.Arbitrary<string> => fc.constantFrom(...values);

/** Names and quotings; one in five is of something that may not be touched. */
const table = fc.oneof(
  {
    weight: 40,
    arbitrary: pick('processes', 'process_snapshots', 'main.process_snapshots', '"processes"', '[scan_metadata]', 'PROCESSES'),
  },
  {
    weight: 1,
    arbitrary: pick(
      'secrets',
      'process_image',
      'sqlite_schema',
      'main.secrets',
      "'secrets'",
      'pragma_database_list',
      "pragma_table_info('secrets')",
      'temp.sqlite_schema',
      '(secrets)',
      'alerts, secrets',
      'c',
    ),
  },
);
const column = fc.oneof(
  { weight: 40, arbitrary: pick('pid', '"pid"', 'l.pid', 'r.pid', '1', "'x'", "'it''s'", 'NULL') },
  { weight: 1, arbitrary: pick('rowid', 'v', 'secrets.v', 'sql', '"v"', ':p', '`v`', "'a\\'", '-- x\n pid', '/* ; */ pid') },
);
const fn = fc.oneof(
  { weight: 40, arbitrary: pick('lower', 'count', 'json', 'hex', 'Replace', '"length"') },
  { weight: 1, arbitrary: pick('load_extension', 'randomblob', 'sqlite_version', 'zeroblob', '[load_extension]', 'like') },
);

const { select } = fc.letrec<{ select: string; expression: string; source: string; cte: string }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'sql' },
    { weight: 6, arbitrary: column },
    { weight: 2, arbitrary: fc.tuple(column, pick('LIKE', 'NOT GLOB')).map(([value, op]) => `${value} ${op} '%x*'`) },
    { weight: 2, arbitrary: fc.tuple(fn, tie('expression')).map(([name, inner]) => `${name}(${inner})`) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(tie('expression'), pick('=', '||', '->>', 'AND', 'IS NOT', 'OR'), tie('expression'))
        .map((parts) => parts.join(' ')),
    },
    { weight: 1, arbitrary: fc.tuple(column, pick('IN', 'NOT IN'), table).map((parts) => parts.join(' ')) },
    { weight: 2, arbitrary: fc.tuple(column, tie('select')).map(([value, inner]) => `${value} IN (${inner})`) },
    { weight: 2, arbitrary: tie('select').map((inner) => `EXISTS (${inner})`) },
    {
      weight: 1,
      arbitrary: fc.tuple(fn, tie('expression')).map(([name, inner]) => `${name}(pid) FILTER (WHERE ${inner}) OVER (ORDER BY ${inner})`),
    },
    { weight: 1, arbitrary: tie('expression').map((inner) => `CASE WHEN ${inner} THEN ${inner} END`) },
  ),
  source: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'sql' },
    { weight: 8, arbitrary: table },
    {
      weight: 1,
      arbitrary: fc
        .tuple(table, pick('JOIN', 'LEFT JOIN', ','), table)
        .map(([left, join, right]) => `${left} l ${join} ${right} r ${join === ',' ? '' : 'USING (pid)'}`),
    },
    { weight: 2, arbitrary: tie('select').map((inner) => `(${inner})`) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(pick('json_each', 'json_tree', 'json_each', 'json_tree', 'fsdir'), column)
        .map(([name, inner]) => `process_snapshots, ${name}(${inner})`),
    },
  ),
  cte: fc.oneof(
    { weight: 12, arbitrary: fc.constant('') },
    {
      weight: 1,
      arbitrary: fc.tuple(pick('c', 'd', 'e', 'processes', 'secrets'), tie('select')).map(([name, inner]) => `WITH ${name} AS (${inner}) `),
    },
  ),
  select: fc
    .tuple(
      tie('cte'),
      tie('expression'),
      tie('source'),
      fc.option(tie('expression'), { nil: '', freq: 2 }),
      fc.option(column, { nil: '', freq: 2 }),
    )
    .map(
      ([cte, result, source, where, order]) =>
        `${cte}SELECT ${result} FROM ${source}${where && ` WHERE ${where}`}${order && ` ORDER BY ${order}`}`,
    ),
}));

const tail = pick('', '', '', '', ' LIMIT 5', ' -- end', ';', '; SELECT 2', ' -- \r end');
const statement = fc.tuple(select, tail).map((parts) => parts.join(''));

it('accepts nothing that touches anything else', () => {
  const test = createTestDatabases();
  const columns = new Map(TEST_SCHEMA.tables.map(({ name, columns: known }) => [name, new Set(['', ...known.map((each) => each.name)])]));
  let accesses: ReadAccess[] = [];
  const reader = openReader({
    databases: [{ schema: 'main', path: join(test.home, 'events.db') }],
    // Nothing is denied here but writing: what the statement touches is looked at below.
    schema: {
      tables: [...TEST_SCHEMA.tables, { name: 'secrets', description: '', columns: [{ name: 'v', type: 'TEXT', description: '' }] }],
      hiddenTables: ['process_image'],
    },
    functions: new Set([...AUTHORIZED_FUNCTIONS, 'load_extension', 'randomblob', 'sqlite_version', 'zeroblob']),
    onAccess: (access) => accesses.push(access),
  });
  const isAllowed = ({ action, object, column: name }: ReadAccess): boolean => {
    if (action === 'select' || action === 'recursive') return true;
    if (action === 'function') return AUTHORIZED_FUNCTIONS.has(object ?? '');
    const known = columns.get(object ?? '');
    // The views of the schema read the hidden table.
    return (
      action === 'read' &&
      (known?.has(name ?? '') === true || object === 'json_each' || object === 'json_tree' || object === 'process_image')
    );
  };
  let accepted = 0;
  let prepared = 0;
  const property = fc.property(statement, (sql) => {
    if (!validateSql(sql, { schema: TEST_SCHEMA, parameters: [] }).ok) return;
    accepted += 1;
    accesses = [];
    try {
      reader.prepare(sql);
      prepared += 1;
    } catch (thrown) {
      // Columns that are not there are SQLite's to find; what it was asked about before counts all the same.
      if (!(thrown instanceof SentinelError && thrown.code === 'query.failed')) throw thrown;
    }
    expect(accesses.filter((access) => !isAllowed(access))).toEqual([]);
    const touchesHidden = accesses.some(({ object }) => object === 'process_image');
    if (touchesHidden) expect(sql.toLowerCase()).toContain('processes');
  });
  fc.assert(property, { seed: 20_260_101, numRuns: 6_000 });
  reader.close();
  test.remove();
  // The grammar has to make both kinds, or this says nothing.
  expect(accepted).toBeGreaterThan(2_500);
  expect(prepared).toBeGreaterThan(750);
  expect(accepted).toBeLessThan(5_500);
}, 60_000);
