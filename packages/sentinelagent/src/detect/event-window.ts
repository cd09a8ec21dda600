/**
 * From which process event on a rule looks: from the first that it has not seen. A rule that is new, or far behind,
 * begins where its statement still ends in time, and says what it passed over.
 */
import type { SqlValue } from '@sentineld/model/rule';
import { firstEvent, MOST_EVENTS } from '@sentineld/detection/rules/first-event';
import type { ExecutorClient } from '@sentineld/detection/sql/executor-client';
import type { SeenEvents } from '@sentineld/store/agent/writer';

/** The events that are stored: numbers of the oldest and the newest; null where there are none or none can be read. */
export type StoredEvents = { readonly oldest: number; readonly newest: number } | null;

export type EventStart = {
  /** The rule looks at events with larger numbers. */
  readonly sinceSeq: number;
  /** What it does not look at though it has not seen it, in a sentence; null where there is nothing of the kind. */
  readonly passedOver: string | null;
};

/** By order and limit: the view joins other tables, and min() and max() would read all of it. */
const STORED_SQL = `
SELECT (SELECT seq FROM process_events ORDER BY seq LIMIT 1) AS oldest,
       (SELECT seq FROM process_events ORDER BY seq DESC LIMIT 1) AS newest`;

/** What is stored now. An error is no reason not to try a rule, which then says by itself what is wrong. */
export async function storedEvents(executor: Pick<ExecutorClient, 'run'>): Promise<StoredEvents> {
  const outcome = await executor.run({ sql: STORED_SQL, allowedParameters: [] });
  const row = outcome.outcome === 'ok' ? outcome.rows[0] : undefined;
  const [oldest, newest] = [numberOf(row?.['oldest']), numberOf(row?.['newest'])];
  return oldest === null || newest === null ? null : { oldest, newest };
}

/** `store` names the events.db of now: the numbers of another one, or of an older copy, mean nothing here. */
export function startOf(seen: SeenEvents | null, stored: StoredEvents, store: string): EventStart {
  const known = seen !== null && seen.store === store ? seen.seq : null;
  if (stored === null) return { sinceSeq: known ?? 0, passedOver: null };
  const { oldest, newest } = stored;
  const { sinceSeq, passesOver } = firstEvent(known, newest);
  if (passesOver) return { sinceSeq, passedOver: `the ${MOST_EVENTS} newest events were looked at, and none of those before them` };
  const isDeleted = known !== null && known <= newest && known < oldest - 1;
  return { sinceSeq, passedOver: isDeleted ? 'older events were deleted before they were looked at' : null };
}

/** Whether a rule must not wait any longer: a little more, and it could not look at all that it has not seen. */
export function isFarBehind(seen: SeenEvents | null, stored: StoredEvents, store: string): boolean {
  if (seen === null || stored === null || seen.store !== store) return false;
  return stored.newest - seen.seq > MOST_EVENTS / 2;
}

function numberOf(value: SqlValue | undefined): number | null {
  return typeof value === 'number' ? value : null;
}
