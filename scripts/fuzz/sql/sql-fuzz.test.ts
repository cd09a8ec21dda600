import { validateSql } from '@sentineld/detection/sql/validate';
import type { ReadableColumn, ReadableSchema, ReadableTable } from '@sentineld/model/schema';
import { describe, expect, it } from 'vitest';
import { openFuzzDatabase } from './fuzz-database.ts';
import { openProductDatabase } from './product-database.ts';
import { fuzzSql, type FuzzFinding } from './sql-fuzz.ts';
import { emptyTally, tryStatement, type Validate } from './try-statement.ts';

const NO_CORPORA = '/nonexistent';

/** What the fuzz says of a validator, after so many thousand statements. */
const fuzzWith = (validate: Validate, batches: number, seed = 20_260_101) => {
  const findings: FuzzFinding[] = [];
  const result = fuzzSql({
    seed,
    corpora: NO_CORPORA,
    validate,
    isOver: (done) => done >= batches || findings.length > 0,
    onFinding: (finding) => findings.push(finding),
  });
  return { ...result, list: findings };
};

describe('pnpm fuzz sql', { timeout: 180_000 }, () => {
  it('finds nothing, and makes statements of every kind', () => {
    const { tally, list } = fuzzWith(validateSql, 2);
    expect(list).toEqual([]);
    expect(tally.statements).toBe(2_000);
    expect(tally.prepared).toBeGreaterThan(800);
    expect(tally.acceptedAndPrepared).toBeGreaterThan(500);
    expect(Object.keys(tally.harmlessRefused)).toEqual(
      expect.arrayContaining(['function', 'node', 'parameter', 'parse', 'pattern', 'statement', 'table']),
    );
  });

  const column = (name: string): ReadableColumn => ({ name, type: 'TEXT', description: '' });
  const secrets: ReadableTable = { name: 'secrets', description: '', columns: [column('v'), column('pid'), column('name')] };
  it.each<[string, (schema: ReadableSchema) => ReadableSchema, RegExp]>([
    ['a table too many', (schema) => ({ ...schema, tables: [...schema.tables, secrets] }), /^hidden: .*read (main:)?secrets/],
    [
      'columns too many',
      (schema) => ({
        ...schema,
        tables: schema.tables.map((table) => ({
          ...table,
          columns: [...table.columns, column('rowid'), column('_rowid_'), column('oid')],
        })),
      }),
      /^hidden: .*read main:(process_events|scan_metadata|coverage)\.(seq|ROWID)/i,
    ],
  ])('finds out a validator that takes %s', (_what, widened, problem) => {
    const careless: Validate = (sql, policy) => validateSql(sql, { ...policy, schema: widened(policy.schema) });
    const { list } = fuzzWith(careless, 12);
    expect(list).toEqual([expect.objectContaining({ problem: expect.stringMatching(problem), database: 'product' })]);
    // Shrunk.
    expect(list[0]?.sql.length).toBeLessThan(300);
    // The seed that it names brings it again at once.
    expect(fuzzWith(careless, 1, list[0]?.seed).list[0]?.sql).toBe(list[0]?.sql);
  });

  it('finds out a validator that throws', () => {
    const broken: Validate = () => {
      throw new Error('broken');
    };
    expect(fuzzWith(broken, 1).list[0]?.problem).toContain('the validator throws: Error: broken');
  });
});

describe('tryStatement', () => {
  /** Takes everything, for what the text before `--` lists. */
  const listing: Validate = (sql, policy) => validateSql(sql.split('--')[1] ?? '', policy);
  const tried = (sql: string, asIf: string): string | undefined => {
    const database = openProductDatabase();
    const problem = tryStatement(`${sql} --${asIf}`, database, emptyTally(), listing);
    database.close();
    return problem;
  };

  it.each([
    ['SELECT v FROM secrets', 'SELECT pid FROM processes', 'hidden: read main:secrets.v'],
    ['SELECT pid FROM process_snapshots', 'SELECT pid FROM processes', 'read main:process_snapshots.pid'],
    ['SELECT pid FROM processes_row', 'SELECT pid FROM processes', 'hidden: read main:processes_row.pid'],
    ['SELECT count(*) FROM secrets', 'SELECT count(*) FROM processes', 'hidden: read secrets'],
    ['SELECT name FROM v_deep', 'SELECT name FROM processes', 'read main:v_deep.name'],
    [
      'WITH processes AS (SELECT v FROM secrets) SELECT v FROM processes',
      'SELECT pid FROM processes',
      'hidden: read main:secrets.v, through processes',
    ],
    [
      'WITH t AS (SELECT pid FROM processes_row) SELECT pid FROM t',
      'WITH t AS (SELECT pid FROM processes) SELECT pid FROM t',
      'hidden: read main:processes_row.pid, through t',
    ],
    ['SELECT lower(name) FROM processes', 'SELECT name FROM processes', 'hidden: function lower'],
    ['DELETE FROM secrets', 'SELECT pid FROM processes', 'hidden: delete main:secrets'],
    ['PRAGMA user_version', 'SELECT pid FROM processes', 'hidden: pragma user_version'],
    ["ATTACH 'x' AS x", 'SELECT pid FROM processes', 'hidden: attach x'],
    ['SELECT rowid FROM scan_metadata', 'SELECT id FROM scan_metadata', 'hidden: read main:scan_metadata.ROWID'],
  ])('sees %s behind %s', (sql, asIf, problem) => expect(tried(sql, asIf)).toContain(problem));

  it.each([
    'SELECT * FROM processes',
    'SELECT pid FROM processes FULL JOIN process_snapshots USING (pid)',
    'SELECT path FROM process_tree a WHERE EXISTS (SELECT 1 FROM processes)',
    "SELECT name FROM alerts WHERE pid IN process_tree OR name REGEXP 'a'",
    'WITH RECURSIVE t(pid) AS (SELECT 1 UNION ALL SELECT pid + 1 FROM t WHERE pid < 9) SELECT count(*) FROM t',
    "SELECT value ->> '$', CURRENT_TIME FROM processes, json_each(command_line)",
  ])('has nothing against %s', (sql) => expect(tried(sql, sql)).toBeUndefined());

  it('does not do what some statements do while they are prepared', () => {
    const database = openFuzzDatabase('x', 'CREATE TABLE t(v)', { tables: [], hiddenTables: [] });
    expect(database.prepare('PRAGMA case_sensitive_like = 1')).toMatchObject({
      error: 'not authorized',
      accesses: [{ first: 'case_sensitive_like' }],
    });
    database.close();
  });
});
