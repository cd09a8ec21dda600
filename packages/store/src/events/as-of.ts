/**
 * The state of the host at a past moment: which scan tells it, and the views with which a reader hides those of now, so
 * that a query over `processes` answers for then. Knows no SQLite library.
 */
import { viewOfChanges, viewsOfScan, type View } from './views.ts';

export { CHANGED_SINCE } from './views.ts';

/**
 * The id of the newest scan that began at a time (ms since 1970, the one parameter) or before; no row where there is
 * none. After the clock was put back two scans can claim a time: the one that began closer to it is taken.
 */
export const AS_OF_SCAN_SQL = 'SELECT id FROM scan WHERE start_time_ms <= ? ORDER BY start_time_ms DESC, id DESC LIMIT 1';

/**
 * Each readable view as it was when the scan was the newest, as the SELECT of a TEMP VIEW of the same name. Hashes of
 * executables are as they are known now. Of a scan that is not in the file they are empty. Throws RangeError for what
 * is no scan id.
 */
export function viewsAsOf(scanId: number): readonly View[] {
  return viewsOfScan(scanId);
}

/** The SELECT of a TEMP VIEW that hides the processes which are as they were at an earlier scan; the reader's `changedSince` says which. */
export function viewsOfChanges(): readonly View[] {
  return [viewOfChanges()];
}
