/**
 * The database that the SQL corpus assumes: its own schema with rows, and what its statements name of the product's
 * tables. Every table may be read but `secrets`; views are not listed, so those over it are closed too.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { ReadableColumn, ReadableSchema, ReadableTable } from '@sentineld/model/schema';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';

export const CORPUS_SCHEMA_FILE = 'sql/schema.sql';
const SECRET_TABLE = 'secrets';

export type CorpusDatabase = {
  readonly path: string;
  readonly schema: ReadableSchema;
  /** Texts of the secret rows: none of them may come out. */
  readonly secrets: readonly string[];
  readonly close: () => void;
};

export function createCorpusDatabase(corpora: string, directory: string): CorpusDatabase {
  const path = join(directory, 'corpus.db');
  const writer = new DatabaseSync(path);
  writer.exec(`PRAGMA journal_mode = WAL; ${readFileSync(join(corpora, CORPUS_SCHEMA_FILE), 'utf8')}`);
  addProductTables(writer);
  const secrets = writer
    .prepare(`SELECT v FROM ${SECRET_TABLE}`)
    .all()
    .map((row) => String(row['v']));
  if (secrets.length === 0) throw new Error(`${CORPUS_SCHEMA_FILE} has no row in ${SECRET_TABLE}: a leak would not be seen`);
  return { path, schema: { tables: readTables(writer), hiddenTables: [] }, secrets, close: () => writer.close() };
}

/** Published attacks speak of the product's tables: they have to be there and have rows, or nothing would be tested. */
function addProductTables(writer: DatabaseSync): void {
  const known = new Set(readTables(writer).map(({ name }) => name));
  for (const { name, columns } of EVENTS_SCHEMA.tables) {
    if (!known.has(name)) writer.exec(`CREATE TABLE ${name} (${columns.map((column) => `${column.name} ${column.type}`).join(', ')})`);
  }
  writer.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
    INSERT INTO process_snapshots (pid, ppid, name) SELECT i, i / 2, 'name' || i FROM n`);
}

function readTables(database: DatabaseSync): readonly ReadableTable[] {
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> ? AND name NOT LIKE 'sqlite%'");
  const columns = database.prepare('SELECT name, type FROM pragma_table_info(?)');
  return tables.all(SECRET_TABLE).map((table) => ({
    name: String(table['name']),
    description: '',
    columns: columns.all(String(table['name'])).map((column) => ({
      name: String(column['name']),
      type: typeOf(String(column['type'])),
      description: '',
    })),
  }));
}

function typeOf(declared: string): ReadableColumn['type'] {
  return declared === 'INTEGER' || declared === 'REAL' || declared === 'BLOB' ? declared : 'TEXT';
}
