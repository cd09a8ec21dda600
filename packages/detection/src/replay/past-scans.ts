/**
 * The scans that a store keeps, as a rule that had been live would have met them one after the other: their times, the
 * events before each, and why a rule over events could not have been sure of it.
 */
import type { ResultRow, SqlValue } from '@sentineld/model/rule';
import type { Reader } from '@sentineld/store/reader';

/** Why a rule over events cannot be sure that it saw all of them. */
export type UnsureReason = 'lost' | 'dropped' | 'overrun' | 'away' | 'no_source' | 'deleted' | 'passed_over' | 'cut';

export type PastScan = {
  readonly id: number;
  /** Milliseconds since 1970. */
  readonly startMs: number;
  /** Since the scan before by the collector's count; null for the first after a start. */
  readonly intervalMs: number | null;
  /** Number of the newest event that was stored by then; 0 where there was none. */
  readonly eventsUntil: number;
  /** What happened to the events since the scan before. */
  readonly missed: readonly UnsureReason[];
};

export type PastScans = {
  /** Ascending by their ids. */
  readonly scans: readonly PastScan[];
  /** The scan before the first of them; null where none is kept. */
  readonly before: PastScan | null;
  /** Number of the oldest event that is kept; null where there is none. */
  readonly oldestEvent: number | null;
};

const COLUMNS = `id, start_time_ms, interval_ms, events_until, events_tier, events_lost, events_dropped, events_overruns,
  EXISTS (SELECT 1 FROM scan b WHERE b.id < s.id) AS has_before`;

/** Scans that began from `sinceMs` on and before `untilMs`. Throws 'store.*' and 'query.failed'. */
export function readPastScans(reader: Reader, sinceMs: number, untilMs: number): PastScans {
  const sql = `SELECT ${COLUMNS} FROM scan s WHERE start_time_ms >= ? AND start_time_ms < ? ORDER BY id`;
  // Row by row: a year has more scans than a query gives back at once.
  const { columns, rows } = reader.stream(sql, [sinceMs, untilMs]);
  const scans = Array.from(rows, (values) => pastScan(Object.fromEntries(columns.map((name, at) => [name, values[at] ?? null]))));
  const [first] = scans;
  const [before] =
    first === undefined ? [] : reader.internal(`SELECT ${COLUMNS} FROM scan s WHERE id < ? ORDER BY id DESC LIMIT 1`, [first.id]);
  const [event] = reader.internal('SELECT seq FROM process_event ORDER BY seq LIMIT 1');
  return { scans, before: before === undefined ? null : pastScan(before), oldestEvent: numberOf(event?.['seq']) };
}

function pastScan(row: ResultRow): PastScan {
  const intervalMs = numberOf(row['interval_ms']);
  const isAbove0 = (column: string): boolean => (numberOf(row[column]) ?? 0) > 0;
  return {
    id: numberOf(row['id']) ?? 0,
    startMs: numberOf(row['start_time_ms']) ?? 0,
    intervalMs,
    eventsUntil: numberOf(row['events_until']) ?? 0,
    missed: [
      ...(isAbove0('events_lost') ? (['lost'] as const) : []),
      ...(isAbove0('events_dropped') ? (['dropped'] as const) : []),
      ...(isAbove0('events_overruns') ? (['overrun'] as const) : []),
      ...(intervalMs === null && isAbove0('has_before') ? (['away'] as const) : []),
      ...(row['events_tier'] === 'off' ? (['no_source'] as const) : []),
    ],
  };
}

function numberOf(value: SqlValue | undefined): number | null {
  return typeof value === 'number' ? value : null;
}
