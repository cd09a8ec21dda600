/**
 * Keeps the store within its age and size: small slices between scans, so that neither a scan nor a reader waits for a
 * deletion. How old something is, is told by a clock that a jump of the time of day does not move.
 */
import { messageOf } from '@sentineld/model/error';
import type { AuditEvent } from '@sentineld/model/audit';
import type { Logger } from '@sentineld/runtime/log/logger';
import type { EventsWriter } from '@sentineld/store/events/writer';

const IDLE_MS = 60_000;
/** Between two slices while there is more to do: a slice of 50 ms is then a twentieth of the time. */
const BUSY_MS = 1000;
const SLICE_ROWS = 5000;
const SLICE_MS = 50;

export type MaintenanceOptions = {
  readonly events: Pick<EventsWriter, 'maintain'>;
  /** Asked anew each time. */
  readonly limits: () => { readonly ageMs: number; readonly sizeBytes: number };
  /** Milliseconds since 1970 as far as they are believed. */
  readonly trustedNow: () => number;
  /** False while storage is paused for another reason than want of room. */
  readonly mayDelete: () => boolean;
  readonly record: (event: AuditEvent) => void;
  readonly log: Logger;
};

export type Maintenance = { readonly start: () => void; readonly stop: () => void; readonly slice: () => boolean };

export function createMaintenance(options: MaintenanceOptions): Maintenance {
  let timer: NodeJS.Timeout | undefined;
  const deleted = new Map<string, number>();
  let freedPages = 0;
  /** One slice; true where there is more to do. */
  const slice = (): boolean => {
    if (!options.mayDelete()) return false;
    const report = options.events.maintain({ ...options.limits(), nowMs: options.trustedNow(), maxRows: SLICE_ROWS, maxMs: SLICE_MS });
    for (const [table, rows] of Object.entries(report.deletedByTable)) deleted.set(table, (deleted.get(table) ?? 0) + rows);
    freedPages += report.pagesFreed;
    if (report.more || deleted.size === 0) return report.more;
    // One entry for each run of slices that deleted something.
    const rowsDeleted = Object.fromEntries(deleted);
    options.record({ action: 'retention', data: { rows_deleted: rowsDeleted, pages_freed: freedPages, oldest_scan: report.oldestScanId } });
    deleted.clear();
    freedPages = 0;
    return false;
  };
  const run = (): void => {
    let more = false;
    try {
      more = slice();
    } catch (cause) {
      options.log.error({ error: messageOf(cause) }, 'retention.failed');
    }
    timer = setTimeout(run, more ? BUSY_MS : IDLE_MS);
  };
  return {
    slice,
    start: () => {
      timer = setTimeout(run, IDLE_MS);
    },
    stop: () => {
      clearTimeout(timer);
    },
  };
}
