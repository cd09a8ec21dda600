/**
 * Findings become alerts, unless their key was seen lately. A key that keeps being seen stays known, so that one
 * condition is one alert for as long as it lasts.
 */
import type { Alert, Finding } from '@sentineld/model/alert';
import type { WriterDatabase } from '../open.ts';
import { type AlertOrigin, INSERT_ALERT_SQL, alertOf, alertParameters } from './alert-rows.ts';
import { prepareHiding } from './suppressions.ts';

export type Sink = { readonly name: string; readonly type: string };

export type FindingContext = AlertOrigin & {
  /** A key that was last seen less than this ago is a repeat. 0: every finding is an alert. */
  readonly windowMs: number;
  /** Every new alert gets one pending delivery to each. */
  readonly sinks: readonly Sink[];
};

export type RecordedFindings = {
  readonly alerts: readonly Alert[];
  /** Findings that were only counted: repeats of an earlier alert, and those that operators suppressed. */
  readonly suppressed: number;
};

/** Must run within a transaction. */
export function prepareFindings(db: WriterDatabase): {
  record(findings: readonly Finding[], context: FindingContext, nowMs: number): RecordedFindings;
} {
  const forgetOld = prepareForgetting(db);
  const withoutHidden = prepareHiding(db);
  const repeat = db.prepare<[number, string]>('UPDATE alert_dedup SET repeats = repeats + 1, last_seen_ms = ? WHERE dedup_key = ?');
  const insertAlert = db.prepare<[Record<string, unknown>]>(INSERT_ALERT_SQL);
  const remember = db.prepare<[string, number, number, number]>(
    'INSERT INTO alert_dedup (dedup_key, alert_id, first_seen_ms, last_seen_ms) VALUES (?, ?, ?, ?)',
  );
  const queueDelivery = db.prepare<[number, string, string, number]>(
    "INSERT INTO alert_deliveries (alert_id, sink_name, sink_type, attempt_time, attempt_count, status) VALUES (?, ?, ?, ?, 0, 'pending')",
  );

  const raise = (finding: Finding, context: FindingContext, nowMs: number): Alert => {
    const content = alertOf(finding, context, nowMs);
    const id = Number(insertAlert.run(alertParameters(content)).lastInsertRowid);
    remember.run(finding.dedupKey, id, nowMs, nowMs);
    for (const sink of context.sinks) queueDelivery.run(id, sink.name, sink.type, nowMs);
    return { ...content, id };
  };

  return {
    record: (findings, context, nowMs) => {
      forgetOld(context.windowMs, nowMs);
      const alerts: Alert[] = [];
      // Hidden ones are no repeats either: once a suppression has ended, what still lasts is an alert.
      for (const finding of withoutHidden(findings, nowMs)) {
        if (repeat.run(nowMs, finding.dedupKey).changes === 0) alerts.push(raise(finding, context, nowMs));
      }
      return { alerts, suppressed: findings.length - alerts.length };
    },
  };
}

/**
 * Removes the keys that left the window and writes their counts to their alerts. A key from the future is removed
 * too: a clock that was ahead for a while must not suppress anything until that time comes.
 */
function prepareForgetting(db: WriterDatabase): (windowMs: number, nowMs: number) => void {
  const remove = db.prepare<[number, number], { alert_id: number; repeats: number; last_seen_ms: number }>(
    'DELETE FROM alert_dedup WHERE last_seen_ms <= ? OR last_seen_ms >= ? RETURNING alert_id, repeats, last_seen_ms',
  );
  const settle = db.prepare<[number, number, number]>('UPDATE alerts SET repeats = ?, last_seen = ? WHERE id = ?');
  return (windowMs, nowMs) => {
    for (const key of remove.all(nowMs - windowMs, nowMs + windowMs)) {
      if (key.repeats > 0) settle.run(key.repeats, key.last_seen_ms, key.alert_id);
    }
  };
}
