/**
 * What the ledger keeps of cycles and alerts: who was told what, and hashes of what is too much for an entry.
 */
import { createHash } from 'node:crypto';
import type { Alert } from '@sentineld/model/alert';
import type { AuditEvent } from '@sentineld/model/audit';
import type { Cycle } from './cycle-tally.ts';

/** For each alert. */
export function alertEvidence(alert: Alert): AuditEvent {
  return {
    action: 'alert_generate',
    data: {
      alert_id: alert.id,
      rule_id: alert.ruleId,
      rule_version: alert.ruleVersion,
      severity: alert.severity,
      scan_id: alert.scanId,
      correlation_id: alert.correlationId,
      pids: alert.processes.map((process) => process.pid),
      rows_sha256: sha256(alert.rows),
    },
  };
}

/** For each scan: one entry, whatever number of rules there is; `details` has the evaluations one by one. */
export function cycleEvidence(cycle: Cycle, details: readonly unknown[]): AuditEvent {
  return {
    action: 'rule_execute',
    data: {
      scan_id: cycle.scanId,
      correlation_id: cycle.correlationId,
      rules: cycle.rules,
      not_due: cycle.notDue,
      apart: cycle.apart,
      event_passes: cycle.eventPasses,
      matched: cycle.matched,
      no_match: cycle.noMatch,
      incomplete: cycle.incomplete,
      failed: cycle.failed,
      alerts: cycle.alerts,
      suppressed: cycle.suppressed,
      duration_ms: cycle.durationMs,
      details_sha256: sha256(details),
    },
  };
}

function sha256(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
