/**
 * The processes that a finding is about: read by pid from the view `processes`, with a fixed query, in the same
 * snapshot as the finding's rows. A process of an event may be gone, and its pid another's: it is what the row says.
 */
import type { AffectedProcess, ResultRow, SqlValue } from '@sentineld/model/rule';
import type { ReadableSchema } from '@sentineld/model/schema';
import type { Reader } from '@sentineld/store/reader';

const COLUMNS = [
  'pid',
  'start_time',
  'name',
  'exe_path',
  'command_line',
  'user_name',
  'ppid',
  'parent_name',
  'parent_exe',
  'parent_cmdline',
] as const;
const MAX_PROCESSES = 100;

/** In the order in which the rows name them, each once. Empty where the schema has no such view or no row has a pid. */
export function readAffectedProcesses(reader: Reader, schema: ReadableSchema, rows: readonly ResultRow[]): readonly AffectedProcess[] {
  const pids = [
    ...new Set(rows.flatMap((row) => (typeof row['pid'] === 'number' && Number.isInteger(row['pid']) ? [row['pid']] : []))),
  ].slice(0, MAX_PROCESSES);
  if (pids.length === 0 || !hasProcesses(schema)) return [];
  const found = reader.internal(`SELECT ${COLUMNS.join(', ')} FROM processes WHERE pid IN (SELECT value FROM json_each(?1))`, [
    JSON.stringify(pids),
  ]);
  const byPid = new Map(found.map((row) => [row['pid'], toAffectedProcess(row)]));
  return pids.flatMap((pid) => byPid.get(pid) ?? []);
}

/**
 * The processes of rows that were made of events, each once, from the rows' own columns: of an event's process
 * `processes` may have nothing, or another one of the same pid. Without `user_name` the user is its number.
 */
export function processesInRows(rows: readonly ResultRow[]): readonly AffectedProcess[] {
  const byIdentity = new Map<string, AffectedProcess>();
  for (const row of rows) {
    if (typeof row['pid'] !== 'number' || !Number.isInteger(row['pid']) || byIdentity.size >= MAX_PROCESSES) continue;
    const found = toAffectedProcess(row);
    const userId = row['user_id'];
    const cmdline = textOf(row['cmdline']);
    // Joined by spaces the arguments read the same as before; where one of them held a space cannot be told.
    const argv = found.argv ?? (cmdline === null ? null : cmdline.split(' '));
    const user = found.user ?? (typeof userId === 'number' ? `uid ${userId}` : null);
    const identity = JSON.stringify([found.pid, row['start_ticks'] ?? null, found.exePath, argv]);
    if (!byIdentity.has(identity)) byIdentity.set(identity, { ...found, argv, user });
  }
  return [...byIdentity.values()];
}

function hasProcesses({ tables }: ReadableSchema): boolean {
  const columns = tables.find(({ name }) => name === 'processes')?.columns.map(({ name }) => name) ?? [];
  return COLUMNS.every((column) => columns.includes(column));
}

function toAffectedProcess(row: ResultRow): AffectedProcess {
  return {
    pid: Number(row['pid']),
    startTimeMs: typeof row['start_time'] === 'number' ? row['start_time'] : null,
    name: textOf(row['name']) ?? '',
    exePath: textOf(row['exe_path']),
    argv: argvOf(row['command_line']),
    user: textOf(row['user_name']),
    ppid: typeof row['ppid'] === 'number' ? row['ppid'] : null,
    parentName: textOf(row['parent_name']),
    parentExe: textOf(row['parent_exe']),
    parentCmdline: textOf(row['parent_cmdline']),
  };
}

function textOf(value: SqlValue | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

/** command_line is a JSON array of strings; anything else is shown as not known. */
function argvOf(value: SqlValue | undefined): readonly string[] | null {
  if (typeof value !== 'string') return null;
  try {
    const argv: unknown = JSON.parse(value);
    return Array.isArray(argv) && argv.every((argument) => typeof argument === 'string') ? argv : null;
  } catch {
    return null;
  }
}
