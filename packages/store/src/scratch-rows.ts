/**
 * The rows of a scratch database: what a person wrote, completed to what a scan would have stored. The rows were
 * checked before they come here.
 */
import { basename } from 'node:path';
import type { ReadableColumn, ReadableSchema, ReadableTable } from '@sentineld/model/schema';

/** Values by column name. A table with `command_line` also takes `argv`, a list of strings. */
export type ScratchRow = Readonly<Record<string, unknown>>;
export type ScratchRows = Readonly<Record<string, readonly ScratchRow[]>>;

export type Cell = string | number | null | Uint8Array;
export type Cells = Record<string, Cell>;

/** 2026-01-01T00:00:00Z. */
const SCAN_TIME_MS = 1_767_225_600_000;
/** The scan that rows belong to unless they say otherwise. */
export const SCRATCH_SCAN: { readonly id: number; readonly timeMs: number } = { id: 1, timeMs: SCAN_TIME_MS };
const PROCESS_AGE_MS = 3_600_000;
const PIDS_PER_SCAN = 4_194_304;
const NAME_BYTES = 15;
const TREE_LEVELS = 64;

/** What a column that may not be NULL holds where the row does not say; otherwise 0 or ''. */
const DEFAULTS: Readonly<Record<string, string | number>> = {
  scan_id: SCRATCH_SCAN.id,
  timestamp_ms: SCAN_TIME_MS,
  status: 'sleeping',
  hash_algorithm: 'sha256',
  platform_data: '{}',
  event: 'exec',
  events_tier: 'kernel',
};

/** The rows of every table; what is not given and follows from `processes` is made from it. */
export function fillTables(schema: ReadableSchema, rows: ScratchRows): ReadonlyMap<string, readonly Cells[]> {
  const filled = new Map<string, readonly Cells[]>();
  for (const table of schema.tables) {
    const given = rows[table.name];
    if (given !== undefined && !isEventTable(table))
      filled.set(
        table.name,
        isProcessTable(table) ? fillProcesses(table, given) : given.map((row) => completeRow(table, cellsOf(table, row))),
      );
  }
  const events = schema.tables.find(isEventTable);
  if (events !== undefined) filled.set(events.name, fillEvents(events, rows[events.name] ?? [], filled.get('processes') ?? []));
  const processes = filled.get('processes') ?? [];
  const derive = (name: string, make: (table: ReadableTable) => Cells[]): void => {
    const table = schema.tables.find((candidate) => candidate.name === name);
    if (table !== undefined && !filled.has(name))
      filled.set(
        name,
        make(table).map((cells) => completeRow(table, cells)),
      );
  };
  derive('process_snapshots', (table) =>
    processes.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => hasColumn(table, name)))),
  );
  derive('process_tree', () => treeOf(processes));
  derive('scan_metadata', () => [
    {
      id: SCRATCH_SCAN.id,
      start_time: SCAN_TIME_MS,
      end_time: SCAN_TIME_MS,
      total_processes: processes.length,
      accessible_processes: processes.length,
      os_name: 'Linux',
    },
  ]);
  return filled;
}

function cellsOf(table: ReadableTable, row: ScratchRow): Cells {
  const cells: Cells = {};
  for (const column of table.columns) {
    if (Object.hasOwn(row, column.name)) cells[column.name] = toCell(column, row[column.name]) ?? null;
  }
  return cells;
}

function completeRow(table: ReadableTable, cells: Cells): Cells {
  const complete: Cells = {};
  for (const column of table.columns) complete[column.name] = cells[column.name] ?? defaultOf(column);
  return complete;
}

function defaultOf(column: ReadableColumn): Cell {
  if (column.nullable === true) return null;
  return DEFAULTS[column.name] ?? (column.type === 'TEXT' ? '' : column.type === 'BLOB' ? new Uint8Array() : 0);
}

function fillProcesses(table: ReadableTable, rows: readonly ScratchRow[]): Cells[] {
  const own = rows.map((row) => completeRow(table, fillProcess(cellsOf(table, row), row['argv'])));
  if (!hasColumn(table, 'parent_name')) return own;
  const byPid = new Map(own.toReversed().map((cells) => [cells['pid'], cells]));
  return own.map((cells, at) => {
    return withParent(cells, byPid.get(cells['ppid'] ?? null), rows[at] ?? {});
  });
}

/** With what the row leaves out of its parent. */
function withParent(cells: Cells, parent: Cells | undefined, row: ScratchRow): Cells {
  const inherited: Cells = {
    parent_name: parent?.['name'] ?? null,
    parent_exe: parent?.['exe_path'] ?? null,
    parent_cmdline: parent?.['cmdline'] ?? null,
  };
  return { ...cells, ...inherited, ...givenOf(cells, row, Object.keys(inherited)) };
}

/** Events in their order; the parent is the newest event of that pid before, or the process that has it. */
function fillEvents(table: ReadableTable, rows: readonly ScratchRow[], processes: readonly Cells[]): Cells[] {
  const known = new Map(processes.toReversed().map((cells) => [cells['pid'], cells]));
  return rows.map((row, at) => {
    const own = completeRow(table, { seq: at + 1, ...fillProcess(cellsOf(table, row), row['argv']) });
    const cells = withParent(own, known.get(own['ppid'] ?? null), row);
    known.set(own['pid'], cells);
    return cells;
  });
}

function givenOf(cells: Cells, row: ScratchRow, names: readonly string[]): Cells {
  return Object.fromEntries(names.filter((name) => Object.hasOwn(row, name)).map((name) => [name, cells[name] ?? null]));
}

/** What follows from the columns that were given: arguments in both forms, a name, an id, an age. */
function fillProcess(given: Cells, argvGiven: unknown): Cells {
  const isKernelThread = given['is_kthread'] === 1;
  const scanId = given['scan_id'] ?? SCRATCH_SCAN.id;
  const argv = argvOf(given, argvGiven, isKernelThread);
  const path = given['exe_path'] ?? argv?.[0] ?? '';
  return {
    id: Number(scanId) * PIDS_PER_SCAN + Number(given['pid']),
    ppid: given['pid'] === 1 ? 0 : isKernelThread ? 2 : 1,
    name: cutBytes(basename(String(path)), NAME_BYTES),
    start_time: Number(given['timestamp_ms'] ?? SCAN_TIME_MS) - PROCESS_AGE_MS,
    command_line: argv === null ? null : JSON.stringify(argv),
    cmdline: argv === null ? null : argv.join(' '),
    ...given,
  };
}

function argvOf(given: Cells, argvGiven: unknown, isKernelThread: boolean): readonly string[] | null {
  if (Array.isArray(argvGiven)) return argvGiven.map(String);
  const text = given['command_line'];
  if (typeof text !== 'string') return isKernelThread ? [] : null;
  try {
    const parsed: unknown = JSON.parse(text);
    return Array.isArray(parsed) ? parsed.map(String) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** The kernel cuts names by bytes; a character that does not fit whole is left out. */
function cutBytes(text: string, bytes: number): string {
  return Buffer.from(text)
    .subarray(0, bytes)
    .toString()
    .replace(/\uFFFD+$/, '');
}

function treeOf(processes: readonly Cells[]): Cells[] {
  const byPid = new Map(processes.map((cells) => [cells['pid'], cells]));
  return processes.map((cells) => {
    const names = [String(cells['name'])];
    let top = cells;
    for (let level = 1; level < TREE_LEVELS; level++) {
      const parent = byPid.get(top['ppid'] ?? null);
      if (parent === undefined || parent === top) break;
      top = parent;
      names.unshift(String(parent['name']));
    }
    return {
      pid: cells['pid'] ?? 0,
      ppid: cells['ppid'] ?? 0,
      name: cells['name'] ?? '',
      exe_path: cells['exe_path'] ?? null,
      root_pid: top['pid'] ?? 0,
      depth: names.length - 1,
      path: names.join(' > '),
    };
  });
}

/** The value as SQLite stores it, or undefined where it does not fit the column. */
export function toCell(column: ReadableColumn, value: unknown): Cell | undefined {
  if (value === null) return column.nullable === true ? null : undefined;
  if (column.type === 'TEXT') return typeof value === 'string' ? value : undefined;
  if (column.type === 'BLOB') return value instanceof Uint8Array ? value : undefined;
  if (typeof value === 'boolean' && column.unit === '0 or 1') return value ? 1 : 0;
  if (typeof value !== 'number') return undefined;
  if (column.type === 'REAL') return Number.isFinite(value) ? value : undefined;
  return Number.isSafeInteger(value) ? value : undefined;
}

export function hasColumn(table: ReadableTable, name: string): boolean {
  return table.columns.some((column) => column.name === name);
}

/** Whether every row of the table is about one process, and needs its pid. */
export function hasProcessRows(table: ReadableTable): boolean {
  return isProcessTable(table) || isEventTable(table);
}

function isEventTable(table: ReadableTable): boolean {
  return table.name === 'process_events';
}

function isProcessTable(table: ReadableTable): boolean {
  return table.name === 'processes' || table.name === 'process_snapshots';
}
