/**
 * What is counted from one cycle to the next, also of rules that ran between or beside them, for the entry that the ledger
 * gets of each cycle and for what is stored of the rules with it.
 */
import type { RuleResult } from '@sentineld/model/rule';
import type { RuleCost, RuleProgress } from '@sentineld/store/agent/writer';
import type { Evaluation } from './detect/evaluate-rule.ts';
import { progressOf, type RuleEntry } from './rule-book.ts';

/** One cycle, as the log, health and the ledger have it. */
export type Cycle = {
  readonly scanId: number;
  readonly correlationId: string;
  readonly timestampMs: number;
  readonly rules: number;
  /** Active rules that were not run because their schedule did not say so. */
  readonly notDue: number;
  /** Rules that take long: they run beside the cycles, and count in the one that follows their end. */
  readonly apart: number;
  /** Times that rules with the schedule 'events' were run since the scan before. */
  readonly eventPasses: number;
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

export type CycleTally = {
  counts: {
    rules: number;
    notDue: number;
    apart: number;
    eventPasses: number;
    matched: number;
    noMatch: number;
    incomplete: number;
    failed: number;
    alerts: number;
    suppressed: number;
  };
  /** Each evaluation: rule, version, what it came to, rows. */
  details: unknown[];
  /** By the ids of rules, what changed alone. */
  progress: Map<string, RuleProgress>;
  costs: Map<string, RuleCost>;
};

const COUNT_BY_RESULT: Readonly<Record<RuleResult, 'matched' | 'noMatch' | 'incomplete' | 'failed'>> = {
  matched: 'matched',
  no_match: 'noMatch',
  incomplete: 'incomplete',
  failed: 'failed',
};

export function createTally(): CycleTally {
  return {
    counts: {
      rules: 0,
      notDue: 0,
      apart: 0,
      eventPasses: 0,
      matched: 0,
      noMatch: 0,
      incomplete: 0,
      failed: 0,
      alerts: 0,
      suppressed: 0,
    },
    details: [],
    progress: new Map(),
    costs: new Map(),
  };
}

/** A rule over a scan. */
export function countEvaluation({ counts, details }: CycleTally, { rule }: RuleEntry, { result, outcome }: Evaluation): void {
  counts.rules++;
  counts[COUNT_BY_RESULT[result]]++;
  details.push([rule.id, rule.version, result, outcome.outcome === 'ok' ? outcome.rows.length : null]);
}

/** What a rule found, over a scan or over events, and how far it came. */
export function countAlerts(
  { counts, progress, costs }: CycleTally,
  entry: RuleEntry,
  before: RuleProgress | null,
  found: { readonly alerts: number; readonly suppressed: number },
): void {
  counts.alerts += found.alerts;
  counts.suppressed += found.suppressed;
  costs.set(entry.rule.id, entry.cost);
  const after = progressOf(entry);
  if (after !== null && JSON.stringify(after) !== JSON.stringify(before)) progress.set(entry.rule.id, after);
}
