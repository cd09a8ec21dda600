/**
 * The suite `schema`: what was promised of tables and columns against databases that the product has just written,
 * read by another SQLite than the one that wrote them.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Suite } from '../suite.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { DEVIATIONS, judgeFacets } from './deviations.ts';
import { checkTable, type Facet } from './facets.ts';
import { PROMISED_TABLES } from './promised-tables.ts';
import { checkReadable, openAll, READABLE_SCHEMA } from './readable.ts';
import { DATABASE_NAMES, writeDatabases, type DatabaseName, type DatabasePaths } from './written-databases.ts';

/** Where a table has to be. */
const DATABASES_BY_TABLE: Readonly<Record<string, readonly DatabaseName[]>> = {
  process_snapshots: ['events'],
  scan_metadata: ['events'],
  detection_rules: ['agent'],
  alerts: ['agent'],
  alert_deliveries: ['agent'],
  audit_ledger: ['ledger'],
  system_metadata: DATABASE_NAMES,
};

export const schemaSuite: Suite = {
  name: 'schema',
  summary: 'the promised tables, columns and CHECKs against written databases',
  needs: [],
  needsPrograms: true,
  *run({ programs }) {
    using home = temporaryDirectory('conformance-schema', { open: true });
    const paths = writeDatabases(programs, home.path);
    yield* judgeFacets(checkDatabases(paths, home.path), DEVIATIONS);
  },
};

function* checkDatabases(paths: DatabasePaths, home: string): Generator<Facet> {
  const copies = new Map(DATABASE_NAMES.map((name) => [name, openCopy(paths[name], join(home, `${name}-copy.db`))]));
  try {
    for (const promised of PROMISED_TABLES) {
      const names = DATABASES_BY_TABLE[promised.name] ?? [];
      for (const name of names) {
        const database = copies.get(name);
        if (database === undefined) throw new Error(`no database for ${promised.name}`);
        const subject = { table: promised.name, database };
        yield* checkTable(promised, subject, names.length === 1 ? promised.name : `${promised.name} of ${name}.db`);
      }
    }
  } finally {
    for (const copy of copies.values()) copy.close();
  }
  const reader = openAll(paths);
  try {
    for (const promised of PROMISED_TABLES) yield* checkReadable(promised, reader, READABLE_SCHEMA);
  } finally {
    reader.close();
  }
}

/** A copy with the same schema and rows, to try writes in. The database itself is only read. */
function openCopy(path: string, copy: string): DatabaseSync {
  const original = new DatabaseSync(path, { readOnly: true });
  try {
    original.prepare('VACUUM INTO ?').run(copy);
  } finally {
    original.close();
  }
  const database = new DatabaseSync(copy, { enableForeignKeyConstraints: true });
  // Nothing that is tried is kept.
  database.exec('PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF');
  return database;
}
