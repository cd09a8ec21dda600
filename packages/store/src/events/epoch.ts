/**
 * Epochs of scans: what processes and events share is shared within one alone, so that it can be deleted by its id once
 * the epoch is out of what is kept, and no table needs an index over what it refers to.
 */
import type { WriterDatabase } from '../open.ts';
import { FLOOR_COLUMNS, SHARED_TABLES, type SharedTable } from './shared-rows.ts';

/** Scans of an epoch; a day and a half of them at one in 30 s. */
const EPOCH_SCANS = 4096;

/** Whether a scan is the first of an epoch. */
export function beginsEpoch(scanId: number): boolean {
  return scanId % EPOCH_SCANS === 0;
}

/** The first scan of the epoch of a scan. */
export function epochOf(scanId: number): number {
  return scanId - (scanId % EPOCH_SCANS);
}

export type BeginEpoch = (firstScan: number, runId: number, nextIds: Readonly<Record<SharedTable, number>>) => void;

/** Within the transaction of the last scan of the epoch before: what comes after it belongs to the new one. */
export function prepareBeginEpoch(db: WriterDatabase): BeginEpoch {
  const columns = SHARED_TABLES.map((table) => FLOOR_COLUMNS[table]).join(', ');
  const insert = db.prepare(
    `INSERT INTO epoch (first_scan, first_run, first_image, ${columns})
     VALUES (?, ?, (SELECT coalesce(max(id), 0) + 1 FROM process_image)${', ?'.repeat(SHARED_TABLES.length)})`,
  );
  return (firstScan, runId, nextIds) => {
    insert.run(firstScan, runId, ...SHARED_TABLES.map((table) => nextIds[table]));
  };
}
