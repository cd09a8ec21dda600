/**
 * What of the process events between two scans nobody saw: summed from the coverage of every scan since the one that a
 * rule saw before, so that scans which were passed over count too.
 */
import type { ResultRow, SqlValue } from '@sentineld/model/rule';
import type { ExecutorClient } from '@sentineld/detection/sql/executor-client';

/** What a rule over events says of itself for as long as there is nothing to read them from. */
export const NO_SOURCE = 'no event source';

/** `before_ms` tells what procmond itself cannot: that it was away. */
const MISSED_SQL = `
WITH steps AS (
  SELECT scan_id, timestamp_ms, interval_ms, coalesce(events_tier, 'off') AS tier, coalesce(events_lost, 0) AS lost,
         coalesce(events_overruns, 0) AS overruns, coalesce(events_dropped, 0) AS dropped,
         lag(timestamp_ms) OVER (ORDER BY scan_id) AS before_ms
  FROM coverage
  WHERE scan_id BETWEEN :after AND :upto
)
SELECT sum(lost) AS lost, sum(overruns) AS overruns, sum(dropped) AS dropped, sum(tier = 'off') AS unwatched,
       sum(interval_ms IS NULL AND before_ms IS NOT NULL) AS gaps, max(timestamp_ms) AS to_ms,
       min(coalesce(before_ms, timestamp_ms - coalesce(interval_ms, 0))) AS from_ms
FROM steps
WHERE scan_id > :after
  AND (lost > 0 OR overruns > 0 OR dropped > 0 OR tier = 'off' OR (interval_ms IS NULL AND before_ms IS NOT NULL))`;

/**
 * In a sentence, for the scans after `after` up to `upto`; null where nothing was missed. What cannot be found out is
 * said as such: it is not 'nothing'.
 */
export async function missedEvents(executor: Pick<ExecutorClient, 'run'>, after: number, upto: number): Promise<string | null> {
  const outcome = await executor.run({ sql: MISSED_SQL, allowedParameters: [':after', ':upto'], parameters: { after, upto } });
  if (outcome.outcome !== 'ok') {
    const why = outcome.outcome === 'refused' ? outcome.refusal.message : outcome.message;
    return `what was missed cannot be told: ${why}`;
  }
  return missedText(outcome.rows[0] ?? {});
}

function missedText(row: ResultRow): string | null {
  const [lost, dropped, overruns] = [countOf(row['lost']), countOf(row['dropped']), countOf(row['overruns'])];
  const parts = [
    ...(lost > 0 ? [`${lost} ${lost === 1 ? 'event was' : 'events were'} lost`] : []),
    ...(dropped > 0 ? [`${dropped} ${dropped === 1 ? 'event was' : 'events were'} dropped`] : []),
    // The kernel says that its buffer was full, not for how many events.
    ...(overruns > 0 && lost === 0 ? ['an unknown number of events was lost'] : []),
    ...(countOf(row['gaps']) > 0 ? ['procmond was away'] : []),
    ...(countOf(row['unwatched']) > 0 ? ['there was no event source'] : []),
  ];
  if (parts.length === 0) return null;
  return `${parts.join(' and ')} between ${timeOfDay(row['from_ms'])} and ${timeOfDay(row['to_ms'])} UTC`;
}

function countOf(value: SqlValue | undefined): number {
  return typeof value === 'number' ? value : 0;
}

function timeOfDay(value: SqlValue | undefined): string {
  return typeof value === 'number' ? new Date(value).toISOString().slice(11, 19) : 'an unknown time';
}
