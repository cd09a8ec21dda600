/**
 * The schema that the statements of the corpora assume, where that is there: every table may be read but `secrets` and
 * the views over it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { ReadableTable } from '@sentineld/model/schema';
import { missingFiles } from '../../conformance/corpora.ts';
import { openFuzzDatabase, type FuzzDatabase } from './fuzz-database.ts';

const SCHEMA_FILE = 'sql/schema.sql';

/** Undefined where the corpora are absent. */
export function openCorpusDatabase(corpora: string): FuzzDatabase | undefined {
  if (missingFiles(corpora, [SCHEMA_FILE]).length > 0) return undefined;
  const sql = readFileSync(join(corpora, SCHEMA_FILE), 'utf8');
  return openFuzzDatabase('corpus', sql, { tables: readTables(sql), hiddenTables: [] });
}

function readTables(sql: string): readonly ReadableTable[] {
  const database = new DatabaseSync(':memory:');
  database.exec(sql);
  const tables = database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'secrets' AND name NOT LIKE 'sqlite%'")
    .all();
  const columns = database.prepare('SELECT name FROM pragma_table_info(?)');
  const readable = tables.map(({ name: table }) => ({
    name: String(table),
    description: '',
    columns: columns.all(String(table)).map(({ name }) => ({ name: String(name), type: 'TEXT' as const, description: '' })),
  }));
  database.close();
  return readable;
}
