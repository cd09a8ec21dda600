import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { ReadableSchema } from '@sentineld/model/schema';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openReader, type Reader } from './reader.ts';

const SCHEMA: ReadableSchema = {
  tables: [{ name: 'shown', description: '', columns: [{ name: 'v', type: 'INTEGER', description: '' }] }],
  hiddenTables: ['hidden'],
};
let directory: string;
let reader: Reader;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-views-'));
  const path = join(directory, 'events.db');
  const database = new DatabaseSync(path);
  database.exec('CREATE TABLE hidden (v INTEGER); INSERT INTO hidden VALUES (1), (2), (3); CREATE VIEW shown AS SELECT v FROM hidden');
  database.close();
  reader = openReader({ databases: [{ schema: 'main', path }], schema: SCHEMA, functions: new Set() });
});
afterEach(() => {
  reader.close();
  rmSync(directory, { recursive: true });
});

const shown = (): unknown[] =>
  reader
    .prepare('SELECT v FROM shown')
    .rows([], { maxRows: 9, maxBytes: 1000 })
    .rows.map(({ v }) => v);
const upTo = (most: number) => [{ name: 'shown', sql: `SELECT v FROM hidden WHERE v <= ${most}` }];

describe('views that a reader shows', () => {
  it('stand in the place of those before, and of those of the file', () => {
    expect(shown()).toEqual([1, 2, 3]);
    for (const most of [1, 2, 1]) {
      reader.showViews(upTo(most));
      expect(shown()).toHaveLength(most);
    }
    reader.showViews([]);
    expect(shown()).toEqual([1, 2, 3]);
  });

  it('leave the reader as closed as it was', () => {
    reader.showViews(upTo(1));
    const refused = expect.objectContaining({ code: 'query.refused' });
    for (const sql of [
      'SELECT v FROM hidden',
      'CREATE TEMP VIEW x AS SELECT 1',
      'DROP VIEW shown',
      'PRAGMA query_only = 0',
      'DELETE FROM hidden',
    ])
      expect(() => reader.prepare(sql)).toThrow(refused);
  });

  it('are closed as well where one of them cannot be made, and can be mended', () => {
    expect(() => reader.showViews([...upTo(2), { name: 'other', sql: 'no statement' }])).toThrow(
      expect.objectContaining({ code: 'query.failed' }),
    );
    expect(() => reader.prepare('SELECT v FROM hidden')).toThrow(expect.objectContaining({ code: 'query.refused' }));
    reader.showViews(upTo(1));
    expect(shown()).toEqual([1]);
  });
});
