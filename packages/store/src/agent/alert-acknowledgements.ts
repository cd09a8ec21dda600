/**
 * Alerts that operators marked as handled. What is marked stays as it is, unless it is to be marked again: who was first
 * is what counts.
 */
import type { Acknowledgement } from '@sentineld/model/alert-decision';
import { SentinelError } from '@sentineld/model/error';
import type { WriterDatabase } from '../open.ts';

/** What is said of alerts; the time is that of the writer. */
export type NewAcknowledgement = Omit<Acknowledgement, 'atMs'> & { readonly again: boolean };

export type AcknowledgedAlert = { readonly id: number; readonly isNew: boolean; readonly acknowledgement: Acknowledgement };

type Row = {
  readonly acknowledged_ms: number | null;
  readonly acknowledged_by: string | null;
  readonly acknowledged_uid: number | null;
  readonly acknowledged_reason: string | null;
};

/** Must run within a transaction. Throws 'usage.invalid' for an alert that is not there. */
export function prepareAcknowledgements(db: WriterDatabase): {
  acknowledge(ids: readonly number[], given: NewAcknowledgement, nowMs: number): AcknowledgedAlert[];
} {
  const find = db.prepare<[number], Row>(
    'SELECT acknowledged_ms, acknowledged_by, acknowledged_uid, acknowledged_reason FROM alerts WHERE id = ?',
  );
  const mark = db.prepare<[Record<string, unknown>]>(
    `UPDATE alerts SET acknowledged_ms = :atMs, acknowledged_by = :by, acknowledged_uid = :uid, acknowledged_reason = :reason WHERE id = :id`,
  );
  return {
    acknowledge: (ids, { again, ...said }, nowMs) =>
      [...new Set(ids)].map((id) => {
        const row = find.get(id);
        if (row === undefined)
          throw new SentinelError('usage.invalid', { message: `there is no alert ${id}: nothing was acknowledged`, context: { id } });
        const earlier = acknowledgementOf(row);
        if (earlier !== null && !again) return { id, isNew: false, acknowledgement: earlier };
        const acknowledgement = { ...said, atMs: nowMs };
        mark.run({ ...acknowledgement, id });
        return { id, isNew: true, acknowledgement };
      }),
  };
}

function acknowledgementOf(row: Row): Acknowledgement | null {
  const { acknowledged_ms: atMs, acknowledged_by: by, acknowledged_uid: uid, acknowledged_reason: reason } = row;
  return atMs === null || uid === null ? null : { atMs, uid, by: by ?? '', reason: reason ?? '' };
}
