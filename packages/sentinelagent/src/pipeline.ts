/**
 * From a scan to delivered alerts: detect, decide, deliver. The one place that knows the order of the stages. Alerts
 * of a rule are on their way before the next rule runs; the cycle ends with one entry for the ledger. Between two scans
 * rules with the schedule 'events' are run over what was stored since, and rules that take long run beside all of it.
 */
import type { ScanCompleted } from '@sentineld/model/scan';
import type { ExecutorClient } from '@sentineld/detection/sql/executor-client';
import { EVENTS_TABLE } from '@sentineld/detection/sql/policy';
import type { Logger } from '@sentineld/runtime/log/logger';
import type { AgentWriter, FindingContext } from '@sentineld/store/agent/writer';
import { alertEvidence, cycleEvidence } from './cycle-evidence.ts';
import { countAlerts, countEvaluation, createTally, type Cycle, type CycleTally } from './cycle-tally.ts';
import { findingsOf } from './decide/findings.ts';
import type { Deliverer } from './deliver/deliver.ts';
import { createEvaluator, type Evaluation, type Evaluator } from './detect/evaluate-rule.ts';
import { isFarBehind, storedEvents, type StoredEvents } from './detect/event-window.ts';
import type { Clocks } from '@sentineld/detection/rules/timetable';
import { progressOf, type RuleBook, type RuleEntry } from './rule-book.ts';
import type { RulesApart } from './rules-apart.ts';

export type PipelineOptions = {
  readonly book: RuleBook;
  readonly executor: Pick<ExecutorClient, 'run'>;
  readonly store: Pick<AgentWriter, 'recordFindings' | 'queueAudit' | 'concludeCycle'>;
  readonly deliverer: Pick<Deliverer, 'drain'>;
  readonly apart: RulesApart;
  /** What was counted since the cycle before. */
  readonly tally: CycleTally;
  /** How long a rule may take in the end. */
  readonly deadlineMs: number;
  readonly context: FindingContext;
  readonly log: Logger;
  readonly clock: () => number;
  /** Milliseconds of a clock that nobody sets; that of the process where it is left out. */
  readonly nowMs?: () => number;
};

/** A rule that takes longer is tried again beside the cycles, where it has its whole deadline. */
const QUICK_MS = 1_000;
const EVENTS = 'events';

/** Runs every active rule over one scan. */
export async function runCycle(options: PipelineOptions, scan: ScanCompleted): Promise<Cycle> {
  const startedMs = performance.now();
  const { tally, book } = options;
  concludeApart(options);
  const evaluate = createEvaluator(options.executor, scan, options.context.hostId);
  const isUrgent = urgentRules(options);
  for (const entry of book.active()) {
    if (entry.timetable.isDue(clocksOf(options)) || (await isUrgent(entry))) await runOne(options, entry, scan, evaluate);
    else tally.counts.notDue++;
  }
  const durationMs = Math.round((performance.now() - startedMs) * 10) / 10;
  const { scanId, correlationId, events } = scan;
  const lost = { eventsLost: events.lost + events.dropped, eventOverruns: events.overruns };
  const cycle: Cycle = { scanId, correlationId, timestampMs: options.clock(), ...tally.counts, ...lost, durationMs };
  options.store.concludeCycle(cycleEvidence(cycle, tally.details), [...tally.progress.values()], [...tally.costs.values()]);
  Object.assign(tally, createTally());
  options.log.info({ ...cycle }, 'cycle.completed');
  return cycle;
}

/** Runs the rules that wait for events over those that were stored since; `scan` is the newest there is. */
export async function runOverEvents(options: PipelineOptions, scan: ScanCompleted): Promise<void> {
  const waiting = options.book.active().filter(({ timetable, isSlow }) => timetable.schedule === EVENTS && !isSlow);
  if (waiting.length === 0) return;
  const evaluate = createEvaluator(options.executor, scan, options.context.hostId);
  options.tally.counts.eventPasses++;
  for (const entry of waiting) {
    const before = progressOf(entry);
    const evaluation = await evaluate(entry, { deadlineMs: quickDeadline(options) });
    // What it could not be run over it sees with the next scan.
    if (evaluation.outcome.outcome === 'ok') countAlerts(options.tally, entry, before, concludeRule(options, entry, evaluation, scan));
  }
}

/** Takes what rules found that ran beside the cycles. */
export function concludeApart(options: PipelineOptions): void {
  for (const { entry, scan, evaluation } of options.apart.take()) {
    // Another set of rules took over: the rule of that set begins where this one began.
    if (!options.book.entries.includes(entry)) continue;
    conclude(options, entry, evaluation, scan);
    const { outcome } = evaluation;
    if (outcome.outcome === 'ok' && outcome.durationMs < QUICK_MS / 2) entry.isSlow = false;
  }
}

/** In the cycle where it is quick enough, beside it where it was not before, or is not now. */
async function runOne(options: PipelineOptions, entry: RuleEntry, scan: ScanCompleted, evaluate: Evaluator): Promise<void> {
  const patient = { deadlineMs: options.deadlineMs, lane: 'patient' } as const;
  if (!entry.isSlow) {
    const deadlineMs = quickDeadline(options);
    const evaluation = await evaluate(entry, { deadlineMs });
    const isTooSlow = evaluation.outcome.outcome === 'timeout' && deadlineMs < options.deadlineMs;
    if (!isTooSlow) return conclude(options, entry, evaluation, scan);
    entry.isSlow = true;
  }
  options.apart.offer(entry, scan, () => evaluate(entry, patient));
  options.tally.counts.apart++;
  return undefined;
}

function quickDeadline({ deadlineMs }: PipelineOptions): number {
  return Math.min(QUICK_MS, deadlineMs);
}

function conclude(options: PipelineOptions, entry: RuleEntry, evaluation: Evaluation, scan: ScanCompleted): void {
  const before = progressOf(entry);
  const recorded = concludeRule(options, entry, evaluation, scan);
  // What is not the rule's fault is tried again with the next scan.
  if (evaluation.outcome.outcome !== 'failed') entry.timetable.ran(clocksOf(options));
  countEvaluation(options.tally, entry, evaluation);
  countAlerts(options.tally, entry, before, recorded);
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
      : store.recordFindings(findingsOf(entry.rule, outcome, scan.correlationId), options.context, {
          auditOf: alertEvidence,
          progress: progressOf({ ...entry, seen: evaluation.seen }),
        });
  // Not before its findings are on disk: they would not be found again.
  entry.seen = evaluation.seen;
  // Not awaited: a slow sink does not hold up the next rule.
  if (found.alerts.length > 0)
    void options.deliverer.drain().catch((cause: unknown) => log.error({ error: String(cause) }, 'delivery.failed'));
  for (const alert of found.alerts) log.info({ ...fields, alertId: alert.id, severity: alert.severity }, 'alert.raised');
  return { alerts: found.alerts.length, suppressed: found.suppressed };
}
