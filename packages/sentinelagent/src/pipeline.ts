/**
 * From a scan to delivered alerts: detect, decide, deliver. The one place that knows the order of the stages. Alerts
 * of a rule are on their way before the next rule runs; the cycle ends with one entry for the ledger.
 */
import { createHash } from 'node:crypto';
import type { Alert } from '@sentineld/model/alert';
import type { AuditEvent } from '@sentineld/model/audit';
import type { RuleResult } from '@sentineld/model/rule';
import type { ScanCompleted } from '@sentineld/model/scan';
import type { ExecutorClient } from '@sentineld/detection/sql/executor-client';
import { EVENTS_TABLE } from '@sentineld/detection/sql/policy';
import type { Logger } from '@sentineld/runtime/log/logger';
import type { AgentWriter, FindingContext, RuleCost, RuleProgress } from '@sentineld/store/agent/writer';
import { findingsOf } from './decide/findings.ts';
import type { Deliverer } from './deliver/deliver.ts';
import { createEvaluator, type Evaluation } from './detect/evaluate-rule.ts';
import { isFarBehind, storedEvents, type StoredEvents } from './detect/event-window.ts';
import type { Clocks } from './detect/timetable.ts';
import { progressOf, type RuleBook, type RuleEntry } from './rule-book.ts';

export type PipelineOptions = {
  readonly book: RuleBook;
  readonly executor: Pick<ExecutorClient, 'run'>;
  readonly store: Pick<AgentWriter, 'recordFindings' | 'queueAudit' | 'concludeCycle'>;
  readonly deliverer: Pick<Deliverer, 'drain'>;
  readonly context: FindingContext;
  readonly log: Logger;
  readonly clock: () => number;
  /** Milliseconds of a clock that nobody sets; that of the process where it is left out. */
  readonly nowMs?: () => number;
};

export type Cycle = {
  readonly scanId: number;
  readonly correlationId: string;
  readonly timestampMs: number;
  readonly rules: number;
  /** Active rules that were not run because their schedule did not say so. */
  readonly notDue: number;
  /** Rules by what they came to; the four make up `rules`. */
  readonly matched: number;
  readonly noMatch: number;
  /** Rules that ran and could not see all that they ask for: that they found nothing means nothing. */
  readonly incomplete: number;
  /** Rules that could not be run. */
  readonly failed: number;
  readonly alerts: number;
  readonly suppressed: number;
  /** Process events that are known to be lost in the interval before the scan. */
  readonly eventsLost: number;
  /** Times that the kernel's buffer of events was full in that interval, which it says without a number of events. */
  readonly eventOverruns: number;
  readonly durationMs: number;
};

const COUNT_BY_RESULT: Readonly<Record<RuleResult, 'matched' | 'noMatch' | 'incomplete' | 'failed'>> = {
  matched: 'matched',
  no_match: 'noMatch',
  incomplete: 'incomplete',
  failed: 'failed',
};

/** Runs every active rule over one scan. */
export async function runCycle(options: PipelineOptions, scan: ScanCompleted): Promise<Cycle> {
  const startedMs = performance.now();
  const counts = { rules: 0, notDue: 0, matched: 0, noMatch: 0, incomplete: 0, failed: 0, alerts: 0, suppressed: 0 };
  const details: unknown[] = [];
  const progress: RuleProgress[] = [];
  const costs: RuleCost[] = [];
  const evaluate = createEvaluator(options.executor, scan, options.context.hostId);
  const isUrgent = urgentRules(options);
  for (const entry of options.book.active()) {
    if (!entry.timetable.isDue(clocksOf(options)) && !(await isUrgent(entry))) {
      counts.notDue++;
      continue;
    }
    const before = progressOf(entry);
    const evaluation = await evaluate(entry);
    const recorded = concludeRule(options, entry, evaluation, scan);
    // What is not the rule's fault is tried again with the next scan.
    if (evaluation.outcome.outcome !== 'failed') entry.timetable.ran(clocksOf(options));
    counts.rules++;
    counts.alerts += recorded.alerts;
    counts.suppressed += recorded.suppressed;
    counts[COUNT_BY_RESULT[evaluation.result]]++;
    const after = progressOf(entry);
    if (after !== null && JSON.stringify(after) !== JSON.stringify(before)) progress.push(after);
    costs.push(entry.cost);
    details.push([entry.rule.id, entry.rule.version, evaluation.result, rowsOf(evaluation)]);
    // Not awaited: a slow sink does not hold up the next rule.
    if (recorded.alerts > 0)
      void options.deliverer.drain().catch((cause: unknown) => options.log.error({ error: String(cause) }, 'delivery.failed'));
  }
  const durationMs = Math.round((performance.now() - startedMs) * 10) / 10;
  const { scanId, correlationId, events } = scan;
  const lost = { eventsLost: events.lost + events.dropped, eventOverruns: events.overruns };
  const cycle: Cycle = { scanId, correlationId, timestampMs: options.clock(), ...counts, ...lost, durationMs };
  options.store.concludeCycle(cycleEvidence(cycle, details), progress, costs);
  options.log.info({ ...cycle }, 'cycle.completed');
  return cycle;
}

function clocksOf({ clock, nowMs }: PipelineOptions): Clocks {
  return { monotonicMs: nowMs?.() ?? performance.now(), wallMs: clock() };
}

/**
 * For the rules of one cycle that are not due. A rule over events is run all the same where it would otherwise lose some:
 * it looks at so many at once, and no more.
 */
function urgentRules(options: PipelineOptions): (entry: RuleEntry) => Promise<boolean> {
  let stored: Promise<StoredEvents> | null = null;
  return async ({ reads, seen }) =>
    reads.includes(EVENTS_TABLE) && isFarBehind(seen, await (stored ??= storedEvents(options.executor)), options.context.hostId);
}

function rowsOf({ outcome }: Evaluation): number | null {
  return outcome.outcome === 'ok' ? outcome.rows.length : null;
}

function concludeRule(
  options: PipelineOptions,
  entry: RuleEntry,
  evaluation: Evaluation,
  scan: ScanCompleted,
): { readonly alerts: number; readonly suppressed: number } {
  const { store, log, book } = options;
  const { outcome, result, reason } = evaluation;
  const isNew = entry.result !== result;
  for (const event of book.recordRun(entry, evaluation, options.clock())) store.queueAudit(event);
  const fields = {
    ruleId: entry.rule.id,
    scanId: scan.scanId,
    correlationId: scan.correlationId,
    ms: Math.round(outcome.durationMs * 10) / 10,
  };
  if (outcome.outcome !== 'ok') {
    log.warn({ ...fields, outcome: outcome.outcome, reason, state: entry.state }, 'rule.failed');
    return { alerts: 0, suppressed: 0 };
  }
  // Once for as long as it lasts: a host without a source of events would say it in every cycle.
  if (result === 'incomplete' && isNew) log.warn({ ...fields, reason }, 'rule.incomplete');
  if (outcome.truncated) log.warn({ ...fields, rows: outcome.rows.length }, 'rule.result_cut');
  const found =
    outcome.rows.length === 0
      ? { alerts: [], suppressed: 0 }
      : store.recordFindings(findingsOf(entry.rule, outcome, scan.correlationId), options.context, alertEvidence);
  // Not before its findings are on disk: they would not be found again.
  entry.seen = evaluation.seen;
  for (const alert of found.alerts) log.info({ ...fields, alertId: alert.id, severity: alert.severity }, 'alert.raised');
  return { alerts: found.alerts.length, suppressed: found.suppressed };
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
      not_due: cycle.notDue,
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
