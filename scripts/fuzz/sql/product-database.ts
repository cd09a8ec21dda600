/**
 * The tables that rules read, some of them views over hidden tables and views over views as in the product's own
 * database, beside what no statement may ever come to: tables, columns, views and indexes that hold secrets.
 */
import type { ReadableColumn, ReadableSchema, ReadableTable } from '@sentineld/model/schema';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { openFuzzDatabase, type FuzzDatabase } from './fuzz-database.ts';

const ALERTS: ReadableTable = {
  name: 'alerts',
  description: 'a view over an attached database',
  columns: [column('pid', 'INTEGER'), column('name', 'TEXT'), column('cmdline', 'TEXT')],
};
const PLAIN_TABLES: readonly string[] = ['scan_metadata', 'coverage', 'process_events'];
const ROWS_SUFFIX = '_row';

const SCHEMA: ReadableSchema = {
  tables: [...EVENTS_SCHEMA.tables, ALERTS],
  hiddenTables: [...EVENTS_SCHEMA.hiddenTables, 'alert_row', 'process_tree_view', ...EVENTS_SCHEMA.tables.map(rowsOf)],
};

/** Names that a statement may not come to, for the grammar to try. */
export const CLOSED_NAMES: readonly string[] = [
  'secrets', 'v_secrets', 'v_deep', 'secret_search', 'secret_search_data', 'processes_row', 'process_snapshots_row', 'process_tree_view', 'alert_row', 'agent.alert_row',
  'agent.secrets', 'main.secrets', 'temp.v_temp', 'v_temp', 'sqlite_schema', 'sqlite_master', 'sqlite_temp_schema', 'sqlite_temp_master', 'temp.sqlite_schema',
  'sqlite_sequence', 'sqlite_stat1', 'dbstat', 'sqlite_dbpage', 'pragma_function_list', 'pragma_database_list', 'pragma_table_list', 'sqlite_stmt', 'bytecode', 'tables_used',
  'json_each', 'generate_series', 'fts5vocab', 'command', 'path',
]; // prettier-ignore

export function openProductDatabase(): FuzzDatabase {
  return openFuzzDatabase('product', productSql(), SCHEMA);
}

function productSql(): string {
  const tables = EVENTS_SCHEMA.tables.map((table) => {
    if (PLAIN_TABLES.includes(table.name)) return createTable(table.name, table);
    const rows = createTable(rowsOf(table), table);
    if (table.name !== 'process_tree') return `${rows} CREATE VIEW ${table.name} AS SELECT * FROM ${rowsOf(table)};`;
    return `${rows} CREATE VIEW process_tree_view AS SELECT r.* FROM ${rowsOf(table)} r JOIN processes_row p USING (pid);
      CREATE VIEW process_tree AS WITH newest AS (SELECT * FROM process_tree_view) SELECT * FROM newest WHERE json_valid(path) OR lower(name) LIKE 'x%';`;
  });
  return `${tables.join('\n')}
    CREATE TABLE secrets(v TEXT, pid INTEGER, name TEXT, generated TEXT AS (v || 'x')); CREATE INDEX secrets_v ON secrets(v, lower(name)); INSERT INTO secrets VALUES ('deadbeef', 1, 'x');
    CREATE TABLE command(pid INTEGER, name TEXT, cmdline TEXT); CREATE TABLE path(pid INTEGER, name TEXT);
    CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
    CREATE VIEW v_secrets AS SELECT * FROM secrets; CREATE VIEW v_deep AS SELECT name, pid, v FROM v_secrets;
    CREATE VIRTUAL TABLE secret_search USING fts5(v, name);
    CREATE TRIGGER stolen INSTEAD OF INSERT ON processes BEGIN SELECT v FROM secrets; END;
    ATTACH ':memory:' AS agent;
    CREATE TABLE agent.alert_row(pid INTEGER, name TEXT, cmdline TEXT); CREATE TABLE agent.secrets(v TEXT, pid INTEGER, name TEXT);
    CREATE TEMP VIEW alerts AS SELECT pid, name, cmdline FROM agent.alert_row;
    CREATE TEMP VIEW v_temp AS SELECT v, pid, name FROM agent.secrets; ANALYZE;`;
}

function createTable(name: string, { columns }: ReadableTable): string {
  return `CREATE TABLE ${name}(${columns.map((each) => `${each.name} ${each.type}`).join(', ')});`;
}

function rowsOf({ name }: ReadableTable): string {
  return `${name}${ROWS_SUFFIX}`;
}

function column(name: string, type: ReadableColumn['type']): ReadableColumn {
  return { name, type, description: '' };
}
