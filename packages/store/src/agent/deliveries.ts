/**
 * The outbox of alerts: one row per alert and sink, updated at each attempt until it succeeded or is given up.
 */
import type { Alert, DeliveryStatus } from '@sentineld/model/alert';
import { SentinelError } from '@sentineld/model/error';
import type { WriterDatabase } from '../open.ts';
import { type AlertRow, alertFromRow } from './alert-rows.ts';

export type PendingDelivery = {
  readonly deliveryId: number;
  readonly sinkName: string;
  readonly sinkType: string;
  /** Attempts so far. */
  readonly attemptCount: number;
  readonly alert: Alert;
};

export type DeliveryAttempt = {
  /** 'failed' is final: a dead letter. */
  readonly status: Exclude<DeliveryStatus, 'pending'>;
  readonly responseTimeMs: number | null;
  readonly error: string | null;
  readonly httpStatus?: number | null;
};

export type PendingOptions = {
  readonly limit?: number;
  /** Only deliveries with a greater id: the next page. */
  readonly afterDeliveryId?: number;
  /** Sinks whose deliveries are left out. */
  readonly withoutSinks?: readonly string[];
};

type PendingRow = {
  readonly id: number;
  readonly alert_id: number;
  readonly sink_name: string;
  readonly sink_type: string;
  readonly attempt_count: number;
};

const MAX_ERROR_CHARACTERS = 2_000;

export type Deliveries = {
  pending(options: PendingOptions): PendingDelivery[];
  /** Throws internal.bug for a delivery that is not open. */
  record(deliveryId: number, attempt: DeliveryAttempt, nowMs: number): void;
  giveUp(sinkName: string, error: string, nowMs: number): number;
  open(): number;
};

export function prepareDeliveries(db: WriterDatabase): Deliveries {
  const open = db.prepare<[number, string, number], PendingRow>(
    `SELECT id, alert_id, sink_name, sink_type, attempt_count FROM alert_deliveries
     WHERE status IN ('pending', 'retrying') AND id > ? AND sink_name NOT IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT ?`,
  );
  const count = db.prepare<[], { open: number }>("SELECT count(*) AS open FROM alert_deliveries WHERE status IN ('pending', 'retrying')");
  const bury = db.prepare<[number, string, string]>(
    `UPDATE alert_deliveries SET status = 'failed', attempt_time = ?, error_message = ?
     WHERE sink_name = ? AND status IN ('pending', 'retrying')`,
  );
  const alertById = db.prepare<[number], AlertRow>('SELECT * FROM alerts WHERE id = ?');
  const update = db.prepare<[Record<string, unknown>]>(
    `UPDATE alert_deliveries SET status = :status, attempt_time = :nowMs, attempt_count = attempt_count + 1,
       response_time_ms = :responseTimeMs, error_message = :error, http_status = :httpStatus
     WHERE id = :deliveryId AND status IN ('pending', 'retrying')`,
  );

  return {
    pending: ({ limit = 500, afterDeliveryId = 0, withoutSinks = [] }) => {
      const alerts = new Map<number, Alert>();
      const alertOf = (id: number): Alert => {
        const known = alerts.get(id);
        if (known !== undefined) return known;
        const row = alertById.get(id);
        if (row === undefined) throw new SentinelError('store.corrupt', { message: `${db.name}: alert ${id} has a delivery and no row.` });
        const alert = alertFromRow(row);
        alerts.set(id, alert);
        return alert;
      };
      return open.all(afterDeliveryId, JSON.stringify(withoutSinks), limit).map((row) => ({
        deliveryId: row.id,
        sinkName: row.sink_name,
        sinkType: row.sink_type,
        attemptCount: row.attempt_count,
        alert: alertOf(row.alert_id),
      }));
    },
    record: (deliveryId, attempt, nowMs) => {
      const { changes } = update.run({
        deliveryId,
        nowMs,
        status: attempt.status,
        responseTimeMs: attempt.responseTimeMs === null ? null : Math.round(attempt.responseTimeMs),
        error: attempt.error?.slice(0, MAX_ERROR_CHARACTERS) ?? null,
        httpStatus: attempt.httpStatus ?? null,
      });
      if (changes === 0)
        throw new SentinelError('internal.bug', {
          message: `Delivery ${deliveryId} is not open, so no attempt can be recorded.`,
          context: { deliveryId },
        });
    },
    giveUp: (sinkName, error, nowMs) => bury.run(nowMs, error.slice(0, MAX_ERROR_CHARACTERS), sinkName).changes,
    open: () => count.get()?.open ?? 0,
  };
}
