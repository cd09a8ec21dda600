/**
 * From a scan to delivered alerts: detect, decide, deliver. The one place that knows the order of the stages. Alerts
 * of a rule are on their way before the next rule runs; the cycle ends with one entry for the ledger.
 */
import { createHash } from 'node:crypto';
import type { Alert } from '@sentineld/model/alert';
import type { AuditEvent } from '@sentineld/model/audit';
import type { RuleOutcome } from '@sentineld/model/rule';
import type { ScanCompleted } from '@sentineld/model/scan';
import type { ExecutorClient } from '@sentineld/detection/sql/executor-client';
import type { Logger } from '@sentineld/runtime/log/logger';
import type { AgentWriter, FindingContext } from '@sentineld/store/agent/writer';
import { findingsOf } from './decide/findings.ts';
import type { Deliverer } from './deliver/deliver.ts';
import { runRule } from './detect/run-rule.ts';
import type { RuleBook, RuleEntry } from './rule-book.ts';

export type PipelineOptions = {
  readonly book: RuleBook;
  readonly executor: Pick<ExecutorClient, 'run'>;
  readonly store: Pick<AgentWriter, 'recordFindings' | 'queueAudit'>;
  readonly deliverer: Pick<Deliverer, 'drain'>;
  readonly context: FindingContext;
  readonly log: Logger;
  readonly clock: () => number;
};

export type Cycle = {
  readonly scanId: number;
  readonly correlationId: string;
  readonly timestampMs: number;
  readonly rules: number;
  /** Rules that could not be evaluated: their silence means nothing. */
  readonly incomplete: number;
  readonly matched: number;
  readonly alerts: number;
  readonly suppressed: number;
  readonly durationMs: number;
};

/** Runs every active rule over one scan. */
export async function runCycle(options: PipelineOptions, scan: ScanCompleted, previousMs: number): Promise<Cycle> {
  const startedMs = performance.now();
  const counts = { rules: 0, incomplete: 0, matched: 0, alerts: 0, suppressed: 0 };
  const details: unknown[] = [];
  for (const entry of options.book.active()) {
    const outcome = await runRule(options.executor, entry.rule, { now: options.clock(), since: previousMs, scan_id: scan.scanId });
    const recorded = concludeRule(options, entry, outcome, scan);
    counts.rules++;
    counts.alerts += recorded.alerts;
    counts.suppressed += recorded.suppressed;
    if (outcome.outcome !== 'ok') counts.incomplete++;
    else if (outcome.rows.length > 0) counts.matched++;
    details.push([entry.rule.id, entry.rule.version, outcome.outcome, outcome.outcome === 'ok' ? outcome.rows.length : null]);
    // Not awaited: a slow sink does not hold up the next rule.
    if (recorded.alerts > 0)
      void options.deliverer.drain().catch((cause: unknown) => options.log.error({ error: String(cause) }, 'delivery.failed'));
  }
  const durationMs = Math.round((performance.now() - startedMs) * 10) / 10;
  const cycle: Cycle = { scanId: scan.scanId, correlationId: scan.correlationId, timestampMs: options.clock(), ...counts, durationMs };
  options.store.queueAudit(cycleEvidence(cycle, details));
  options.log.info({ ...cycle }, 'cycle.completed');
  return cycle;
}

function concludeRule(
  options: PipelineOptions,
  entry: RuleEntry,
  outcome: RuleOutcome,
  scan: ScanCompleted,
): { readonly alerts: number; readonly suppressed: number } {
  const { store, log, book } = options;
  for (const event of book.recordRun(entry, outcome)) store.queueAudit(event);
  const fields = {
    ruleId: entry.rule.id,
    scanId: scan.scanId,
    correlationId: scan.correlationId,
    ms: Math.round(outcome.durationMs * 10) / 10,
  };
  if (outcome.outcome !== 'ok') {
    const reason = outcome.outcome === 'refused' ? outcome.refusal.message : outcome.message;
    log.warn({ ...fields, outcome: outcome.outcome, reason, state: entry.state }, 'rule.incomplete');
    return { alerts: 0, suppressed: 0 };
  }
  if (outcome.truncated) log.warn({ ...fields, rows: outcome.rows.length }, 'rule.result_cut');
  if (outcome.rows.length === 0) return { alerts: 0, suppressed: 0 };
  const { alerts, suppressed } = store.recordFindings(findingsOf(entry.rule, outcome, scan.correlationId), options.context, alertEvidence);
  for (const alert of alerts) log.info({ ...fields, alertId: alert.id, severity: alert.severity }, 'alert.raised');
  return { alerts: alerts.length, suppressed };
}

function alertEvidence(alert: Alert): AuditEvent {
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

function cycleEvidence(cycle: Cycle, details: readonly unknown[]): AuditEvent {
  return {
    action: 'rule_execute',
    data: {
      scan_id: cycle.scanId,
      correlation_id: cycle.correlationId,
      rules: cycle.rules,
      incomplete: cycle.incomplete,
      matched: cycle.matched,
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
