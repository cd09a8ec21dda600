import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { describe, expect, it } from 'vitest';
import { REPOSITORY } from '../../checks/finding.ts';
import { PROGRAMS_DIRECTORY } from '../programs.ts';
import type { CaseResult } from '../suite.ts';
import { DEVIATIONS, deviationRows, judgeFacets, type Deviation } from './deviations.ts';
import { checkTable, type Facet } from './facets.ts';
import { PROMISED_TABLES, type PromisedTable } from './promised-tables.ts';
import { schemaSuite } from './schema-suite.ts';

const isBuilt = existsSync(join(PROGRAMS_DIRECTORY, 'procmond.js'));
if (!isBuilt) console.log(`SKIPPED: no programs in ${PROGRAMS_DIRECTORY}; run pnpm build`);

/** A table with every kind of promise, and one that it refers to. */
const SAMPLE: PromisedTable = {
  name: 'sample',
  columns: [
    { name: 'id', type: 'INTEGER' },
    { name: 'level', type: 'TEXT', required: true, oneOf: ['low', 'high'] },
    { name: 'count', type: 'INTEGER', byDefault: 7 },
    { name: 'made', type: 'INTEGER', byDefault: 'clock', form: 's' },
    { name: 'words', type: 'TEXT', form: 'JSON array' },
    { name: 'other_id', type: 'INTEGER' },
  ],
  key: { column: 'id', growing: true },
  references: [{ column: 'other_id', table: 'other' }],
  indexes: [['level', 'count']],
};

const GOOD = {
  id: 'INTEGER PRIMARY KEY AUTOINCREMENT',
  level: "TEXT NOT NULL CHECK (level IN ('low', 'high'))",
  count: 'INTEGER DEFAULT 7',
  made: "INTEGER DEFAULT (CAST(strftime('%s', 'now') AS INTEGER))",
  words: 'TEXT',
  other_id: 'INTEGER REFERENCES other (id)',
};
const INDEX = 'CREATE INDEX sample_level ON sample (level, count, id)';

/** Items of the sample that differ, for columns that are declared otherwise; '' leaves a column out. */
function differing(change: Partial<typeof GOOD> = {}, { index = INDEX, words = '["a"]' } = {}): string[] {
  const columns = Object.entries({ ...GOOD, ...change }).filter(([, declaration]) => declaration !== '');
  const database = new DatabaseSync(':memory:', { enableForeignKeyConstraints: true });
  database.exec(`CREATE TABLE other (id INTEGER PRIMARY KEY); INSERT INTO other VALUES (1);
    CREATE TABLE sample (${columns.map(([name, declaration]) => `${name} ${declaration}`).join(', ')});`);
  const row: Readonly<Record<string, string | number>> = {
    level: 'low',
    count: 1,
    made: Math.floor(Date.now() / 1000),
    words,
    other_id: 1,
  };
  const stored = columns.map(([name]) => name).filter((name) => name in row);
  database
    .prepare(`INSERT INTO sample (${stored.join(', ')}) VALUES (${stored.map(() => '?').join(', ')})`)
    .run(...stored.map((name) => row[name] ?? null));
  database.exec(index);
  const facets = [...checkTable(SAMPLE, { table: 'sample', database })];
  database.close();
  return facets.filter(({ differs }) => differs !== undefined).map(({ item }) => item);
}

describe('a promised table', () => {
  it('that is there as promised does not differ', () => {
    expect(differing()).toEqual([]);
  });

  it.each<[string, Partial<typeof GOOD>, string[]]>([
    ['a column of another type', { count: 'TEXT DEFAULT 7' }, ['sample.count: type', 'sample.count: default']],
    ['a column that may be NULL', { level: "TEXT CHECK (level IN ('low', 'high'))" }, ['sample.level: not null']],
    ['no CHECK', { level: 'TEXT NOT NULL' }, ['sample.level: check']],
    ['a CHECK that lets in too much', { level: "TEXT NOT NULL CHECK (lower(level) IN ('low', 'high'))" }, ['sample.level: check']],
    ['a CHECK that lets in too little', { level: "TEXT NOT NULL CHECK (level = 'low')" }, ['sample.level: check']],
    ['another default', { count: 'INTEGER DEFAULT 8' }, ['sample.count: default']],
    ['no default', { made: 'INTEGER' }, ['sample.made: default']],
    ['no reference', { other_id: 'INTEGER' }, ['sample.other_id: references other']],
    ['keys that are given twice', { id: 'INTEGER PRIMARY KEY' }, ['sample: key never given twice']],
  ])('is seen to have %s', (_what, change, items) => {
    expect(differing(change)).toEqual(items);
  });

  it('is seen to lack a column', () => {
    expect(differing({ words: '' })).toEqual(['sample: columns in order', 'sample.words: type', 'sample.words: form']);
  });

  it('is seen to hold text of another form, and to lack an index', () => {
    expect(differing({}, { words: 'a' })).toEqual(['sample.words: form']);
    expect(differing({}, { index: 'CREATE INDEX sample_count ON sample (count, level)' })).toEqual(['sample: index (level, count)']);
    expect(differing({}, { index: "CREATE INDEX sample_some ON sample (level, count) WHERE level = 'low'" })).toEqual([
      'sample: index (level, count)',
    ]);
  });

  it('that is missing differs in everything', () => {
    const database = new DatabaseSync(':memory:');
    const facets = [...checkTable(SAMPLE, { table: 'sample', database })];
    expect(facets.filter(({ differs }) => differs === undefined)).toEqual([]);
    expect(facets[0]).toEqual({ item: 'sample: table', differs: 'it is missing' });
  });

  it('that is a view is judged by its rows', () => {
    const database = new DatabaseSync(':memory:');
    const view = (level: string): Facet[] => {
      database.exec(`DROP VIEW IF EXISTS sample; DROP TABLE IF EXISTS other; CREATE TABLE other (id INTEGER); INSERT INTO other VALUES (1);
        CREATE VIEW sample AS SELECT 1 AS id, ${level} AS level, 7 AS count, unixepoch() AS made, '[]' AS words, 1 AS other_id`);
      return [...checkTable(SAMPLE, { table: 'sample', database })].filter(({ differs }) => differs !== undefined);
    };
    const asView = [
      'sample: table',
      'sample: key never given twice',
      'sample.level: check',
      'sample.made: default',
      'sample: index (level, count)',
    ];
    expect(view("'low'").map(({ item }) => item)).toEqual(asView);
    expect(view('NULL').map(({ item }) => item)).toContain('sample.level: not null');
    expect(view('1').map(({ item }) => item)).toContain('sample.level: type');
  });
});

describe('deviations', () => {
  const facets: readonly Facet[] = [
    { item: 'a.x: type', differs: 'it is TEXT' },
    { item: 'a.y: type', differs: undefined },
  ];
  const problemsOf = (deviations: readonly Deviation[]): string[] =>
    [...judgeFacets(facets, deviations)].filter(({ problem }) => problem !== undefined).map(({ id }) => id);
  const deviation = (...items: readonly string[]): Deviation => ({ what: '', why: 'so', items, shows: /TEXT/ });

  it('that are listed pass, and others do not', () => {
    expect(problemsOf([deviation('a.x: type')])).toEqual([]);
    expect(problemsOf([deviation('a.*')])).toEqual([]);
    expect(problemsOf([])).toEqual(['a.x: type']);
  });

  it('of another kind in the same place fail', () => {
    expect(problemsOf([{ ...deviation('a.x: type'), shows: /BLOB/ }])).toEqual(['a.x: type', 'deviation a.x: type']);
  });

  it('that are no more have to leave the list', () => {
    expect(problemsOf([deviation('a.x: type', 'a.y: type', 'b*')])).toEqual(['deviation a.y: type', 'deviation b*']);
    expect(problemsOf([deviation('a.x: type'), deviation('a.y: type')])).toEqual(['deviation a.y: type']);
  });

  it('are told in docs/conformance.md', () => {
    const lines = readFileSync(join(REPOSITORY, 'docs/conformance.md'), 'utf8').split('\n');
    expect(lines).toEqual(expect.arrayContaining([...deviationRows()]));
    expect(lines.filter((line) => line.startsWith('| ')).length).toBeGreaterThanOrEqual(DEVIATIONS.length);
  });
});

describe('what is promised', () => {
  it('has the 17 columns of a process, and nothing that readers do not know', () => {
    const snapshots = PROMISED_TABLES.find(({ name }) => name === 'process_snapshots');
    const known = EVENTS_SCHEMA.tables.find(({ name }) => name === 'process_snapshots');
    expect(snapshots?.columns.map(({ name }) => name)).toEqual(known?.columns.map(({ name }) => name));
    expect(snapshots?.columns).toHaveLength(17);
  });

  it.skipIf(!isBuilt)(
    `is held by what the product writes${isBuilt ? '' : ' (needs pnpm build)'}`,
    () => {
      const results: CaseResult[] = [];
      for (const result of schemaSuite.run({ corpora: '', programs: PROGRAMS_DIRECTORY }) as Iterable<CaseResult>) results.push(result);
      expect(results.filter(({ problem }) => problem !== undefined)).toEqual([]);
      expect(results.length).toBeGreaterThan(200);
    },
    60_000,
  );
});
