import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SentinelError } from '@sentineld/model/error';
import type { ReadableSchema } from '@sentineld/model/schema';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openReader, type Reader, type ReaderOptions } from './reader.ts';

const SCHEMA: ReadableSchema = {
  tables: [
    {
      name: 'plain',
      description: '',
      columns: [
        { name: 'id', type: 'INTEGER', description: '' },
        { name: 'v', type: 'BLOB', description: '' },
      ],
    },
    { name: 'names', description: '', columns: [{ name: 'name', type: 'TEXT', description: '' }] },
    { name: 'alerts', description: '', columns: [{ name: 'title', type: 'TEXT', description: '' }] },
  ],
  hiddenTables: ['identity'],
};
const CAPS = { maxRows: 100, maxBytes: 10_000 };

describe('reader', () => {
  let home: string;
  let writer: DatabaseSync;
  let agent: DatabaseSync;
  const opened: Reader[] = [];

  const open = (options: Partial<ReaderOptions> = {}): Reader => {
    const reader = openReader({
      databases: [
        { schema: 'main', path: join(home, 'events.db') },
        { schema: 'agent', path: join(home, 'agent.db') },
      ],
      temporaryViews: [{ name: 'alerts', sql: 'SELECT title FROM agent.alert_row' }],
      schema: { ...SCHEMA, hiddenTables: [...SCHEMA.hiddenTables, 'alert_row'] },
      functions: new Set(['count', 'length', 'json_valid', 'like', 'hex', 'replace']),
      ...options,
    });
    opened.push(reader);
    return reader;
  };
  const query = (reader: Reader, sql: string): readonly unknown[] => reader.prepare(sql).rows([], CAPS).rows;
  const codeOf = (work: () => unknown): string => {
    try {
      work();
    } catch (thrown) {
      if (thrown instanceof SentinelError) return thrown.code;
      throw thrown;
    }
    return 'nothing thrown';
  };

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'sentineld-reader-'));
    writer = new DatabaseSync(join(home, 'events.db'));
    writer.exec(`PRAGMA journal_mode = WAL;
      CREATE TABLE plain(id INTEGER PRIMARY KEY, v BLOB, inner_note TEXT); CREATE TABLE identity(name TEXT, secret TEXT); CREATE TABLE secrets(v TEXT);
      CREATE VIEW names AS WITH one AS (SELECT name FROM identity WHERE length(name) > 0) SELECT name FROM one;
      INSERT INTO identity VALUES ('init', 'x'); INSERT INTO secrets VALUES ('deadbeef');
      INSERT INTO plain(id, v) VALUES (1, 9007199254740993), (2, x'00ff'), (3, 'a' || char(0) || char(27)), (4, CAST(x'ff41' AS TEXT)), (5, 1e999), (6, 1.5), (7, -9007199254740991)`);
    agent = new DatabaseSync(join(home, 'agent.db'));
    agent.exec("PRAGMA journal_mode = WAL; CREATE TABLE alert_row(title TEXT, draft TEXT); INSERT INTO alert_row VALUES ('t', 'd')");
  });
  afterEach(() => {
    for (const reader of opened.splice(0)) reader.close();
    writer.close();
    agent.close();
    rmSync(home, { recursive: true });
  });

  it('reads tables, views over hidden tables and views of attached databases', () => {
    const reader = open();
    expect(query(reader, 'SELECT id FROM plain WHERE id = 1')).toEqual([{ id: 1 }]);
    expect(query(reader, 'SELECT name FROM names')).toEqual([{ name: 'init' }]);
    expect(query(reader, 'SELECT count(*) AS n FROM names, alerts')).toEqual([{ n: 1 }]);
    expect(query(reader, 'SELECT * FROM alerts')).toEqual([{ title: 't' }]);
  });

  it('takes CTEs and subqueries of which no column is read', () => {
    const reader = open();
    const recursive = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 3)';
    expect(query(reader, `${recursive} SELECT count(*) AS n FROM c`)).toEqual([{ n: 3 }]);
    expect(query(reader, `${recursive}, d AS (SELECT 1 FROM c) SELECT count(*) AS n FROM c, d, (SELECT 1 FROM d)`)).toEqual([{ n: 27 }]);
    expect(query(reader, 'SELECT 1 AS one FROM plain WHERE EXISTS (SELECT 1 FROM names) LIMIT 1')).toEqual([{ one: 1 }]);
  });

  it('gives values that survive JSON', () => {
    const rows = query(open(), 'SELECT v FROM plain ORDER BY id');
    expect(rows).toEqual([
      { v: '9007199254740993' },
      { v: '00ff' },
      { v: 'a\u0000\u001b' },
      { v: '\ufffdA' },
      { v: 'Inf' },
      { v: 1.5 },
      { v: -9007199254740991 },
    ]);
  });

  it('keeps columns of the same name apart, and takes __proto__ for a column', () => {
    const prepared = open().prepare("SELECT 1 AS pid, 2 AS pid, 3 AS pid, 'x' AS __proto__");
    expect(prepared.columns).toEqual(['pid', 'pid:1', 'pid:2', '__proto__']);
    expect(JSON.stringify(prepared.rows([], CAPS).rows)).toBe('[{"pid":1,"pid:1":2,"pid:2":3,"__proto__":"x"}]');
  });

  it.each([
    ['SELECT v FROM secrets', 'read the column secrets.v'],
    ['SELECT 1 FROM secrets', 'read the table secrets'],
    ['SELECT count(*) FROM SECRETS', 'read the table SECRETS'],
    ['SELECT count(*) FROM dbstat', 'read the table dbstat'],
    ['SELECT count(*) FROM pragma_database_list', 'read the table pragma_database_list'],
    ['SELECT count(*) FROM sqlite_schema', 'read the table sqlite_schema'],
    ['SELECT inner_note FROM plain', 'read the column plain.inner_note'],
    ['SELECT name FROM identity', 'read the column identity.name'],
    ['WITH plain AS (SELECT v FROM secrets) SELECT v FROM plain', 'read the column secrets.v'],
    ['SELECT sql FROM sqlite_schema', 'read the column sqlite_master.sql'],
    ['SELECT sql FROM temp.sqlite_schema', 'read the column sqlite_temp_master.sql'],
    ["SELECT * FROM pragma_table_info('plain')", 'read the column pragma_table_info.cid'],
    ['SELECT upper(name) FROM names', 'call the function upper'],
    ["SELECT load_extension('x')", 'call the function load_extension'],
    ['PRAGMA query_only = 0', 'do this: pragma query_only'],
    ["ATTACH '/tmp/sentineld-reader.db' AS x", 'do this: attach'],
    ["VACUUM INTO '/tmp/sentineld-reader.db'", 'do this: attach'],
    ['BEGIN', 'do this: transaction BEGIN'],
    ['SAVEPOINT s', 'do this: savepoint BEGIN'],
    ['CREATE TEMP TABLE t(a)', 'do this: insert sqlite_temp_master'],
    ['CREATE TEMP VIEW w AS SELECT 1', 'do this: insert sqlite_temp_master'],
    ['DELETE FROM plain', 'do this: delete plain'],
    ['ANALYZE', 'do this: insert sqlite_master'],
  ])('refuses %s and says what was refused', (sql, what) => {
    const reader = open();
    expect(() => query(reader, sql)).toThrow(expect.objectContaining({ code: 'query.refused', message: expect.stringContaining(what) }));
    expect(readdirSync(home).filter((name) => !/^(events|agent)\.db/.test(name))).toEqual([]);
  });

  it('asks about everything that a statement touches', () => {
    const seen: string[] = [];
    const reader = open({
      onAccess: (access, allowed) => seen.push(`${allowed ? '+' : '-'}${access.action} ${access.object ?? ''}.${access.column ?? ''}`),
    });
    query(reader, "SELECT id FROM plain WHERE v LIKE 'x%'");
    expect(seen).toEqual(expect.arrayContaining(['+select .', '+read plain.id', '+read plain.v', '+function like.']));
  });

  it('caps rows and bytes', () => {
    const reader = open();
    const numbers = reader.prepare("SELECT value AS n FROM json_each('[1,2,3,4,5]')");
    expect(numbers.rows([], { maxRows: 2, maxBytes: 1_000 })).toEqual({ rows: [{ n: 1 }, { n: 2 }], truncated: true });
    expect(numbers.rows([], { maxRows: 5, maxBytes: 1_000 }).truncated).toBe(false);
    expect(numbers.rows([], { maxRows: 5, maxBytes: 20 })).toEqual({ rows: [{ n: 1 }, { n: 2 }], truncated: true });
    // A cut statement is reset: the next one runs and the snapshot is let go.
    expect(query(reader, 'SELECT count(*) AS n FROM plain')).toEqual([{ n: 7 }]);
  });

  it('binds by position and by prefixed name', () => {
    const reader = open();
    expect(reader.prepare('SELECT ?1 AS a, ?2 AS b, ? AS c').rows([1, 'x', null], CAPS).rows).toEqual([{ a: 1, b: 'x', c: null }]);
    expect(reader.prepare('SELECT :a AS a, @a AS b, $c AS c').rows({ ':a': 1, '@a': 2, $c: 3 }, CAPS).rows).toEqual([{ a: 1, b: 2, c: 3 }]);
  });

  it('reads one snapshot within a transaction', () => {
    const reader = open();
    const count = (): unknown => reader.internal('SELECT count(*) AS n FROM secrets')[0];
    const [before, during] = reader.transaction(() => {
      const first = count();
      writer.exec("INSERT INTO secrets VALUES ('more')");
      return [first, count()];
    });
    expect([before, during, count()]).toEqual([{ n: 1 }, { n: 1 }, { n: 2 }]);
    expect(() => reader.transaction(() => query(reader, 'SELECT v FROM secrets'))).toThrow(/may not read/);
    expect(query(reader, 'SELECT count(*) AS n FROM plain')).toEqual([{ n: 7 }]);
  });

  it('streams its own queries: one row at a time, and the snapshot ends with whoever asks no more', () => {
    writer.exec('WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 3100) INSERT INTO plain (id) SELECT i FROM n');
    const reader = open();
    const { columns, rows } = reader.stream('SELECT id, v FROM plain WHERE id >= ? ORDER BY id', [100]);
    expect(columns).toEqual(['id', 'v']);
    expect([...rows].map(([id]) => id)).toEqual(Array.from({ length: 3001 }, (_, at) => 100 + at));
    for (const row of rows) {
      expect(row).toEqual([100, null]);
      break;
    }
    // A reader that is still in the middle would keep the log from being emptied.
    expect(writer.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()).toMatchObject({ busy: 0 });
    expect([...reader.stream('SELECT name FROM identity LIMIT 0').rows]).toEqual([]);
    expect(codeOf(() => reader.stream('SELECT nothing FROM plain'))).toBe('query.failed');
    expect(codeOf(() => [...reader.stream('DELETE FROM plain').rows])).not.toBe('nothing thrown');
  });

  it('does not write, not even for its own queries', () => {
    const reader = open();
    for (const sql of ['DELETE FROM secrets', 'PRAGMA query_only = 0', "ATTACH ':memory:' AS x", 'CREATE TEMP TABLE t(a)']) {
      expect(codeOf(() => reader.internal(sql))).toBe('query.failed');
    }
  });

  it('limits what a value may grow to, and how long a statement may be', () => {
    const reader = open();
    const grown = `SELECT ${'replace('.repeat(5)}'${'a'.repeat(40)}'${`, 'a', '${'a'.repeat(20)}')`.repeat(5)}`;
    expect(() => query(reader, grown)).toThrow(/too big/);
    expect(() => query(reader, `SELECT 1 ${' '.repeat(70_000)}`)).toThrow(SentinelError);
  });

  it('says what is wrong with a store', () => {
    const at = (path: string): ReaderOptions['databases'] => [{ schema: 'main', path }];
    const temporaryViews: ReaderOptions['temporaryViews'] = [];
    expect(codeOf(() => open({ databases: at(join(home, 'none.db')), temporaryViews }))).toBe('store.missing');
    expect(codeOf(() => open({ databases: [...at(join(home, 'events.db')), { schema: 'agent', path: join(home, 'none.db') }] }))).toBe(
      'store.missing',
    );
    writeFileSync(join(home, 'garbage.db'), 'x'.repeat(8_192));
    expect(codeOf(() => open({ databases: at(join(home, 'garbage.db')), temporaryViews }))).toBe('store.corrupt');
    expect(codeOf(() => open({ databases: at(home), temporaryViews }))).toBe('store.unreadable');
    writeFileSync(join(home, 'emptied.db'), '');
    writeFileSync(join(home, 'emptied.db-wal'), 'what is left');
    expect(codeOf(() => open({ databases: at(join(home, 'emptied.db')), temporaryViews }))).toBe('store.corrupt');
    expect(readdirSync(home)).toContain('emptied.db-wal');
    expect(readdirSync(home)).not.toContain('none.db');
  });
});
