/**
 * What is too old or too much leaves the file in slices: the oldest scans first, then whatever no kept scan sees any
 * more. The oldest scan that is in the file says what else may go, so a slice that was the last before a stop leaves nothing
 * half done. The newest scan stays, and every kept scan goes on telling exactly what it told.
 */
import type { WriterDatabase } from '../open.ts';
import { createSweep, type Budget, type Sweep } from './sweep.ts';
import { nodeAroundSql, nodesAround } from './scan-interval.ts';

export type MaintenanceLimits = {
  /** Scans and events that ended longer ago are deleted. */
  readonly ageMs: number;
  /** Of the file without its free pages: beyond it the oldest are deleted. */
  readonly sizeBytes: number;
  /** Milliseconds since 1970, decided by the caller. */
  readonly nowMs: number;
  /** Of one slice: rows that are deleted or looked at. */
  readonly maxRows: number;
  /** Of one slice: milliseconds, looked at between rows. */
  readonly maxMs: number;
};

type RowsByTable = Record<string, number>;

export type MaintenanceReport = {
  readonly rowsDeleted: number;
  readonly deletedByTable: Readonly<RowsByTable>;
  /** Given back to the file system. */
  readonly pagesFreed: number;
  /** The oldest scan that is kept; null where there is none. */
  readonly oldestScanId: number | null;
  /** Whether another slice would find more to delete. */
  readonly more: boolean;
};

export type Retention = { readonly slice: (limits: MaintenanceLimits) => MaintenanceReport };

/** Old samples of processes that go on are looked for when the oldest scan has moved on so far. */
const TRIM_EVERY_SCANS = 64;
/** Pages that one slice gives back at most, and the share of the file that stays free for what comes next. */
const VACUUM_PAGES = 256;
const FREE_SHARE = 64;

/** `elapsedMs` is a clock that nobody sets. */
export function createRetention(db: WriterDatabase, elapsedMs: () => number): Retention {
  const statements = prepareRetention(db);
  const sweep = createSweep(db);
  const trim: Trim = { doneTo: 0, round: null };
  const run = (limits: MaintenanceLimits): MaintenanceReport => {
    const deleted: RowsByTable = {};
    const budget = createBudget(limits, elapsedMs, deleted);
    const steps: Steps = { db, statements, sweep, trim };
    const slice = db.transaction(() => deleteSlice(steps, limits, budget))();
    const { pagesFreed, moreToFree } = giveBackPages(db);

    const rowsDeleted = Object.values(deleted).reduce((sum, rows) => sum + rows, 0);
    return { rowsDeleted, deletedByTable: deleted, pagesFreed, oldestScanId: slice.oldestScanId, more: slice.more || moreToFree };
  };
  return {
    slice: (limits) => {
      try {
        return run(limits);
      } catch (cause) {
        // The transaction is undone: what these remember of it is not so.
        sweep.forget();
        trim.doneTo = 0;
        trim.round = null;
        throw cause;
      }
    },
  };
}

function createBudget({ maxRows, maxMs }: MaintenanceLimits, elapsedMs: () => number, deleted: RowsByTable): Budget {
  const untilMs = elapsedMs() + maxMs;
  let left = maxRows;
  return {
    left: () => (elapsedMs() >= untilMs ? 0 : Math.max(0, left)),
    spend: (table, rows) => {
      left -= rows;
      if (table !== null && rows > 0) deleted[table] = (deleted[table] ?? 0) + rows;
    },
  };
}

type Statements = ReturnType<typeof prepareRetention>;
/** Images that hold at the oldest scan and began before it, and how many of them have been looked at. */
type Trim = { doneTo: number; round: { readonly scan: number; readonly images: readonly number[]; next: number } | null };
type Steps = { readonly db: WriterDatabase; readonly statements: Statements; readonly sweep: Sweep; readonly trim: Trim };
type OldestScan = { readonly id: number; readonly events_after: number };

function prepareRetention(db: WriterDatabase) {
  return {
    newestScan: db.prepare<[], number | null>('SELECT max(id) FROM scan').pluck(),
    oldestScan: db.prepare<[], OldestScan>('SELECT id, events_after FROM scan ORDER BY id LIMIT 1'),
    firstScans: db.prepare<[number, number], { id: number; start_time_ms: number }>(
      'SELECT id, start_time_ms FROM scan WHERE id < ? ORDER BY id LIMIT ?',
    ),
    deleteScans: db.prepare<[number]>('DELETE FROM scan WHERE id <= ?'),
    endedBetween: db.prepare<[number, number, number], number>('SELECT id FROM process_image WHERE node > ? AND node < ? LIMIT ?').pluck(),
    endedAt: db.prepare<[number, number, number], number>('SELECT id FROM process_image WHERE node = ? AND last_scan < ? LIMIT ?').pluck(),
    deleteImage: db.prepare<[number]>('DELETE FROM process_image WHERE id = ?'),
    deleteSamples: db.prepare<[number, number, number, number]>(
      `DELETE FROM process_sample WHERE image_id = ?
         AND scan_id IN (SELECT scan_id FROM process_sample WHERE image_id = ? AND scan_id < ? ORDER BY scan_id LIMIT ?)`,
    ),
    newestSample: db
      .prepare<[number, number], number | null>('SELECT max(scan_id) FROM process_sample WHERE image_id = ? AND scan_id <= ?')
      .pluck(),
    deleteEvents: db.prepare<[number, number]>(
      'DELETE FROM process_event WHERE seq IN (SELECT seq FROM process_event WHERE seq <= ? ORDER BY seq LIMIT ?)',
    ),
    imagesAt: db
      .prepare<[number], number>(
        `SELECT i.id FROM scan s CROSS JOIN scan_level v CROSS JOIN process_image i
         WHERE s.id = ? AND i.node = ${nodeAroundSql('s.id', 'v.n')} AND i.last_scan >= s.id AND i.first_scan < s.id`,
      )
      .pluck(),
  };
}

const EVERYTHING = Number.MAX_SAFE_INTEGER;

function deleteSlice(steps: Steps, limits: MaintenanceLimits, budget: Budget): { oldestScanId: number | null; more: boolean } {
  const { statements } = steps;
  const newest = statements.newestScan.get() ?? null;
  if (newest === null) return { oldestScanId: null, more: false };
  let more = !deleteOldScans(steps, limits, newest, budget);
  let cleared = deleteUnseen(steps, isTooLarge(steps.db, limits), budget);
  // Room is made by scans only once everything is gone that none of them sees.
  while (cleared && budget.left() > 0 && isTooLarge(steps.db, limits)) {
    if (!deleteForRoom(steps, limits, newest, budget)) break;
    cleared = deleteUnseen(steps, true, budget);
  }
  more ||= !cleared || (budget.left() === 0 && isTooLarge(steps.db, limits));
  return { oldestScanId: statements.oldestScan.get()?.id ?? null, more };
}

/**
 * Deletes scans from the first on as long as they are old. A scan whose time is in the future, because the clock was wrong
 * then, is as old as the next one. False where there may be more.
 */
function deleteOldScans({ statements }: Steps, limits: MaintenanceLimits, newest: number, budget: Budget): boolean {
  const oldestMs = limits.nowMs - limits.ageMs;
  const rows = statements.firstScans.all(newest, budget.left());
  const firstKept = rows.findIndex(({ start_time_ms: ms }) => ms >= oldestMs && ms <= limits.nowMs);
  const last = rows.slice(0, firstKept < 0 ? rows.length : firstKept).findLast(({ start_time_ms: ms }) => ms < oldestMs);
  if (last === undefined) return true;
  budget.spend('scan', statements.deleteScans.run(last.id).changes);
  return firstKept >= 0 || budget.left() > 0;
}

/** Everything that no kept scan sees. True where nothing of it is left. */
function deleteUnseen(steps: Steps, isPressed: boolean, budget: Budget): boolean {
  const oldest = steps.statements.oldestScan.get();
  if (oldest === undefined) return true;
  return (
    deleteEndedImages(steps, oldest.id, budget) &&
    deleteEvents(steps, oldest.events_after, budget) &&
    trimSamples(steps, oldest.id, isPressed, budget) &&
    steps.sweep.run(oldest.id, budget)
  );
}

/** Images that ended before a scan: all below it in the tree except those around it that reach it. */
function deleteEndedImages({ statements }: Steps, scan: number, budget: Budget): boolean {
  let above = 0;
  for (const node of nodesAround(scan)) {
    if (node > scan) break;
    if (!deleteImages(statements, (limit) => statements.endedBetween.all(above, node, limit), budget)) return false;
    if (!deleteImages(statements, (limit) => statements.endedAt.all(node, scan, limit), budget)) return false;
    above = node;
  }
  return deleteImages(statements, (limit) => statements.endedBetween.all(above, scan, limit), budget);
}

const BATCH = 256;

function deleteImages(statements: Statements, next: (limit: number) => readonly number[], budget: Budget): boolean {
  for (;;) {
    const images = next(BATCH);
    for (const image of images) {
      if (!deleteSamples(statements, image, EVERYTHING, budget) || budget.left() === 0) return false;
      statements.deleteImage.run(image);
      budget.spend('process_image', 1);
    }
    if (images.length < BATCH) return true;
  }
}

/** Samples of an image before a scan. True where none is left. */
function deleteSamples(statements: Statements, image: number, before: number, budget: Budget): boolean {
  const limit = budget.left();
  const { changes } = statements.deleteSamples.run(image, image, before, limit);
  budget.spend('process_sample', changes);
  return changes < limit;
}

function deleteEvents({ statements }: Steps, until: number, budget: Budget): boolean {
  const limit = budget.left();
  const { changes } = statements.deleteEvents.run(until, limit);
  budget.spend('process_event', changes);
  return changes < limit;
}

/** Of images that hold at the oldest scan: the samples before the one that tells what they were then. */
function trimSamples({ statements, trim }: Steps, scan: number, isPressed: boolean, budget: Budget): boolean {
  if (trim.round === null) {
    if (scan < trim.doneTo + (isPressed ? 1 : TRIM_EVERY_SCANS)) return true;
    trim.round = { scan, images: statements.imagesAt.all(scan), next: 0 };
  }
  const { round } = trim;
  for (; round.next < round.images.length; round.next++) {
    const image = round.images[round.next] ?? 0;
    const known = statements.newestSample.get(image, round.scan) ?? 0;
    if (budget.left() === 0 || !deleteSamples(statements, image, known, budget)) return false;
    budget.spend(null, 1);
  }
  trim.doneTo = round.scan;
  trim.round = null;
  return true;
}

/** Deletes some of the oldest scans, or events where one scan is left. False where there is nothing that may go. */
function deleteForRoom({ db, statements }: Steps, limits: MaintenanceLimits, newest: number, budget: Budget): boolean {
  const oldest = statements.oldestScan.get()?.id ?? newest;
  if (oldest === newest) {
    const { changes } = statements.deleteEvents.run(EVERYTHING, budget.left());
    budget.spend('process_event', changes);
    return changes > 0;
  }
  const used = usedBytes(db);
  const share = Math.min(0.25, (used - limits.sizeBytes) / used);
  const count = Math.min(budget.left(), Math.max(1, Math.floor((newest - oldest) * share)));
  const last = statements.firstScans.all(newest, count).at(-1);
  if (last === undefined) return false;
  budget.spend('scan', statements.deleteScans.run(last.id).changes);
  return true;
}

function isTooLarge(db: WriterDatabase, { sizeBytes }: MaintenanceLimits): boolean {
  return usedBytes(db) > sizeBytes;
}

function usedBytes(db: WriterDatabase): number {
  return (pragma(db, 'page_count') - pragma(db, 'freelist_count')) * pragma(db, 'page_size');
}

/** Moves pages of the end of the file into its holes and cuts it, a few pages at a time. */
function giveBackPages(db: WriterDatabase): { pagesFreed: number; moreToFree: boolean } {
  const free = pragma(db, 'freelist_count');
  const spare = Math.ceil(pragma(db, 'page_count') / FREE_SHARE);
  const pages = Math.min(VACUUM_PAGES, free - spare);
  if (pages <= 0) return { pagesFreed: 0, moreToFree: false };
  db.pragma(`incremental_vacuum(${pages})`);
  return { pagesFreed: free - pragma(db, 'freelist_count'), moreToFree: free - spare > pages };
}

function pragma(db: WriterDatabase, name: string): number {
  return Number(db.pragma(name, { simple: true }));
}
