/**
 * A throw-away database with the readable schema's tables as plain tables, for rule cases and replay. Rows may come
 * from a person's file, so names and types are checked; nothing in it is trusted more for having been written here.
 * It uses node:sqlite: a process that has better-sqlite3 loaded must not import this file.
 */
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SentinelError, messageOf } from '@sentineld/model/error';
import type { ReadableColumn, ReadableSchema, ReadableTable } from '@sentineld/model/schema';
import { type Cells, type ScratchRow, type ScratchRows, fillTables, hasColumn, hasProcessRows, toCell } from './scratch-rows.ts';

export { SCRATCH_SCAN, type ScratchRow, type ScratchRows } from './scratch-rows.ts';

/** What is wrong with a row; `row` counts from 0 and is null where the table itself is meant. */
export type ScratchProblem = {
  readonly table: string;
  readonly row: number | null;
  readonly key: string | null;
  readonly message: string;
  readonly hint: string;
};

export type Scratch = {
  /** The database file, mode 0600 in a directory of its own, not in WAL mode. */
  readonly path: string;
  /** Removes the file and its directory. */
  readonly close: () => void;
};

export type ScratchOptions = {
  readonly schema: ReadableSchema;
  readonly rows: ScratchRows;
  /** Where to make the directory; the system's temporary directory by default. */
  readonly directory?: string;
};

/**
 * Builds the database. Missing columns become NULL, or a default where the schema does not allow NULL; `processes`
 * rows need only a pid, and get the rest of a parent from the row that has its pid.
 * Throws `usage.invalid` where a row does not fit the schema, `state.unusable` where the file cannot be written.
 */
export function createScratch(options: ScratchOptions): Scratch {
  const [problem] = checkScratchRows(options.schema, options.rows);
  if (problem !== undefined) {
    const { message, hint, ...context } = problem;
    throw new SentinelError('usage.invalid', { message, hint, context });
  }
  const tables = fillTables(options.schema, options.rows);
  let home: string | undefined;
  try {
    home = mkdtempSync(join(options.directory ?? tmpdir(), 'sentineld-scratch-'));
    const path = join(home, 'scratch.db');
    writeDatabase(path, options.schema, tables);
    return { path, close: removal(home) };
  } catch (cause) {
    if (home !== undefined) removal(home)();
    const hint = 'Give a directory that this user may write and that has free space.';
    throw new SentinelError('state.unusable', { message: `The scratch database cannot be written: ${messageOf(cause)}`, hint, cause });
  }
}

/** Every reason why `createScratch` would refuse these rows, in their order. */
export function checkScratchRows(schema: ReadableSchema, rows: ScratchRows): ScratchProblem[] {
  return Object.entries(rows).flatMap(([name, list]) => {
    const table = schema.tables.find((candidate) => candidate.name === name);
    if (table === undefined) {
      const hint = `The tables are ${schema.tables.map((known) => known.name).join(', ')}.`;
      return [{ table: name, row: null, key: null, message: `There is no table ${name}`, hint }];
    }
    return list.flatMap((row, at) => checkRow(table, row, at));
  });
}

function checkRow(table: ReadableTable, row: ScratchRow, at: number): ScratchProblem[] {
  const problem = (key: string, message: string, hint: string): ScratchProblem => ({
    table: table.name,
    row: at,
    key,
    message: `${table.name}, row ${at + 1}: ${message}`,
    hint,
  });
  const problems: ScratchProblem[] = [];
  for (const [key, value] of Object.entries(row)) {
    if (key === 'argv' && hasColumn(table, 'command_line')) {
      if (Array.isArray(value) && value.every((argument) => typeof argument === 'string')) continue;
      problems.push(problem(key, 'argv is not a list of texts', 'Write argv: [sh, -c, "id"], and quote numbers.'));
      continue;
    }
    const column = table.columns.find((candidate) => candidate.name === key);
    if (column === undefined)
      problems.push(problem(key, `there is no column ${key}`, `The columns are ${table.columns.map((known) => known.name).join(', ')}.`));
    else if (toCell(column, value) === undefined)
      problems.push(
        problem(
          key,
          `${key} is not ${nounOf(column)}`,
          `${key} is ${column.type}${column.nullable === true ? ' or null' : ''}: ${column.description}`,
        ),
      );
  }
  if (hasProcessRows(table) && !Object.hasOwn(row, 'pid'))
    problems.push(problem('pid', 'pid is missing', 'Every process has a pid, a whole number above 0.'));
  return problems;
}

function nounOf(column: ReadableColumn): string {
  const nouns = { INTEGER: 'a whole number', REAL: 'a number', TEXT: 'a text', BLOB: 'bytes' } as const;
  return column.nullable === true ? `${nouns[column.type]} or null` : nouns[column.type];
}

function writeDatabase(path: string, schema: ReadableSchema, tables: ReadonlyMap<string, readonly Cells[]>): void {
  closeSync(openSync(path, 'wx', 0o600));
  const database = new DatabaseSync(path);
  try {
    // Nobody else reads it before it is complete, and nobody needs it after a crash.
    database.exec('PRAGMA synchronous = OFF; BEGIN');
    for (const table of schema.tables) {
      database.exec(
        `CREATE TABLE ${quote(table.name)} (${table.columns.map((column) => `${quote(column.name)} ${column.type}`).join(', ')})`,
      );
      const insert = database.prepare(`INSERT INTO ${quote(table.name)} VALUES (${table.columns.map(() => '?').join(', ')})`);
      for (const cells of tables.get(table.name) ?? []) insert.run(...table.columns.map((column) => cells[column.name] ?? null));
    }
    database.exec('COMMIT');
  } finally {
    database.close();
  }
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function removal(home: string): () => void {
  return () => rmSync(home, { recursive: true, force: true });
}
