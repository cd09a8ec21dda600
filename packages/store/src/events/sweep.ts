/**
 * Deletes what images and events shared once no kept image or event refers to it: rows of epochs that ended before the
 * oldest scan, except for what images of those epochs that are still there use. Runs when an epoch is over, in slices.
 */
import type { WriterDatabase } from '../open.ts';
import { FLOOR_COLUMNS, type SharedTable } from './shared-rows.ts';

/** What a slice may still do. */
export type Budget = {
  /** Rows that are left; 0 once the time is over. */
  readonly left: () => number;
  /** Notes rows that were deleted or, with null, looked at. */
  readonly spend: (table: string | null, rows: number) => void;
};

export type Sweep = {
  /** Within a transaction, when no image that ended before the scan is left. True where nothing is left to be swept. */
  readonly run: (oldestScan: number, budget: Budget) => boolean;
  readonly forget: () => void;
};

type SweptTable = SharedTable | 'executable' | 'collector_run';
/** Paths come after commands: which of them commands still use is known only then. */
const ORDER: readonly SweptTable[] = ['command', 'process_owner', 'process_context', 'executable', 'collector_run', 'path'];

type Floors = Readonly<Record<string, number>>;
type Progress = {
  readonly floors: Floors;
  /** Ids that what is kept of earlier epochs uses. */
  readonly used: Readonly<Record<SweptTable, Set<number>>>;
  table: number;
  /** The last id of the table that was looked at. */
  cursor: number;
};

type OldImage = Readonly<Record<'command_id' | 'owner_id' | 'run_id', number>> &
  Readonly<Record<'executable_id' | 'cwd_id' | 'context_id', number | null>>;

export function createSweep(db: WriterDatabase): Sweep {
  const statements = prepareSweep(db);
  let progress: Progress | null = null;
  return {
    run: (oldestScan, budget) => {
      progress ??= beginSweep(statements, oldestScan);
      if (progress === null) return true;
      for (; progress.table < ORDER.length; progress.table++, progress.cursor = 0) {
        const table = ORDER[progress.table] ?? 'path';
        if (table === 'path') keepPathsOfCommands(statements, progress);
        if (!sweepTable(statements, progress, table, budget)) return false;
      }
      statements.deleteEpochs.run(progress.floors['first_scan'] ?? 0);
      progress = null;
      return true;
    },
    forget: () => {
      progress = null;
    },
  };
}

type Statements = ReturnType<typeof prepareSweep>;

function prepareSweep(db: WriterDatabase) {
  /** Candidates in the order of their ids, and the deletion of one. */
  const table = (name: SweptTable, isOld: string) => ({
    candidates: db
      .prepare<[number, number, number], number>(`SELECT id FROM ${name} WHERE id > ? AND ${isOld} ORDER BY id LIMIT ?`)
      .pluck(),
    remove: db.prepare<[number]>(`DELETE FROM ${name} WHERE id = ?`),
  });
  return {
    command: table('command', 'id < ?'),
    path: table('path', 'id < ?'),
    process_owner: table('process_owner', 'id < ?'),
    process_context: table('process_context', 'id < ?'),
    executable: table('executable', 'used_scan < ?'),
    collector_run: table('collector_run', 'id < ?'),
    epochs: db.prepare<[number], Floors>('SELECT * FROM epoch WHERE first_scan <= ? ORDER BY first_scan DESC LIMIT 2'),
    deleteEpochs: db.prepare<[number]>('DELETE FROM epoch WHERE first_scan < ?'),
    oldImages: db.prepare<[number], OldImage>(
      'SELECT command_id, owner_id, run_id, executable_id, cwd_id, context_id FROM process_image WHERE id < ?',
    ),
    pathsOfCommands: db
      .prepare<[number], number>('SELECT DISTINCT exe_path_id FROM command WHERE id < ? AND exe_path_id IS NOT NULL')
      .pluck(),
  };
}

/** Null where no epoch is over since the last sweep. */
function beginSweep(statements: Statements, oldestScan: number): Progress | null {
  const [floors, before] = statements.epochs.all(oldestScan);
  if (floors === undefined || before === undefined) return null;
  const used: Progress['used'] = {
    command: new Set(),
    path: new Set(),
    process_owner: new Set(),
    process_context: new Set(),
    executable: new Set(),
    collector_run: new Set(),
  };
  for (const image of statements.oldImages.iterate(floors['first_image'] ?? 0)) {
    used.command.add(image.command_id);
    used.process_owner.add(image.owner_id);
    used.collector_run.add(image.run_id);
    if (image.executable_id !== null) used.executable.add(image.executable_id);
    if (image.cwd_id !== null) used.path.add(image.cwd_id);
    if (image.context_id !== null) used.process_context.add(image.context_id);
  }
  return { floors, used, table: 0, cursor: 0 };
}

function keepPathsOfCommands(statements: Statements, { floors, used }: Progress): void {
  for (const id of statements.pathsOfCommands.all(floors['first_command'] ?? 0)) used.path.add(id);
}

/** True where the table is done. */
function sweepTable(statements: Statements, progress: Progress, table: SweptTable, budget: Budget): boolean {
  const limit = budget.left();
  if (limit === 0) return false;
  const ids = statements[table].candidates.all(progress.cursor, floorOf(progress.floors, table), limit);
  for (const id of ids) {
    progress.cursor = id;
    if (progress.used[table].has(id)) {
      budget.spend(null, 1);
      continue;
    }
    statements[table].remove.run(id);
    budget.spend(table, 1);
    if (budget.left() === 0) return false;
  }
  return ids.length < limit;
}

function floorOf(floors: Floors, table: SweptTable): number {
  const column = table === 'executable' ? 'first_scan' : table === 'collector_run' ? 'first_run' : FLOOR_COLUMNS[table];
  return floors[column] ?? 0;
}
