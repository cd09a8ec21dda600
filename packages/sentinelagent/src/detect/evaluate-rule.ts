/**
 * One rule over one scan: what it found, and whether it could see all that it asks for. A rule over process events that
 * missed some is 'incomplete', not 'no match'; what it found counts all the same.
 */
import type { Rule, RuleOutcome, RuleResult, RuleScope } from '@sentineld/model/rule';
import type { ScanCompleted } from '@sentineld/model/scan';
import { nothingFound } from '@sentineld/detection/rules/nothing-found';
import type { ExecutorClient, RunRequest } from '@sentineld/detection/sql/executor-client';
import { EVENTS_TABLE } from '@sentineld/detection/sql/policy';
import type { SeenEvents } from '@sentineld/store/agent/writer';
import { startOf, storedEvents, type StoredEvents } from './event-window.ts';
import { missedEvents, NO_SOURCE } from './missed-events.ts';
import { runRule } from './run-rule.ts';

export type Evaluation = {
  readonly outcome: RuleOutcome;
  readonly result: RuleResult;
  /** Why it is incomplete or failed; null where it is neither. */
  readonly reason: string | null;
  /** Up to where the rule has seen once this is recorded; as before where it failed. */
  readonly seen: SeenEvents | null;
};

/** A rule, the tables that it reads, what it has to look at, and up to where it has seen. */
export type EvaluatedRule = {
  readonly rule: Rule;
  readonly reads: readonly string[];
  readonly scope: RuleScope;
  readonly seen: SeenEvents | null;
};

/** How long the rule may take, and in which lane; the executor's own deadline unless given. */
export type HowToRun = Pick<RunRequest, 'deadlineMs' | 'lane'>;

export type Evaluator = (entry: EvaluatedRule, how?: HowToRun) => Promise<Evaluation>;

/** For the rules of one cycle. `store` names the events.db; what several rules need to know of it is asked once. */
export function createEvaluator(executor: Pick<ExecutorClient, 'run'>, scan: ScanCompleted, store: string): Evaluator {
  let stored: Promise<StoredEvents> | null = null;
  const missedAfter = new Map<number, Promise<string | null>>();
  const missed = async (seen: SeenEvents | null): Promise<string | null> => {
    if (scan.events.tier === 'off') return NO_SOURCE;
    const after = seen !== null && seen.store === store && seen.scanId <= scan.scanId ? seen.scanId : scan.scanId - 1;
    const asked = missedAfter.get(after) ?? missedEvents(executor, after, scan.scanId);
    missedAfter.set(after, asked);
    return asked;
  };
  /** Of another events.db, or of a later scan of this one, that the rule has seen it means nothing. */
  const changesOnly = (scope: RuleScope, seen: SeenEvents | null): Pick<RunRequest, 'changedSince'> => {
    const isKnown = scope === 'changed_processes' && seen?.store === store && seen.scanId <= scan.scanId;
    return isKnown ? { changedSince: seen.scanId } : {};
  };
  return async ({ rule, reads, scope, seen }, how = {}) => {
    const readsEvents = reads.includes(EVENTS_TABLE);
    const events = readsEvents ? await (stored ??= storedEvents(executor)) : null;
    const start = readsEvents ? startOf(seen, events, store) : ALL_SEEN;
    const parameters = { now: scan.timestampMs, since: seen?.scanMs ?? 0, scan_id: scan.scanId, since_seq: start.sinceSeq };
    const nothingNew = scope === 'new_events' && events !== null && events.newest <= start.sinceSeq;
    const outcome = nothingNew
      ? nothingFound(scan.scanId)
      : await runRule(executor, rule, parameters, { ...how, ...changesOnly(scope, seen) });
    if (outcome.outcome !== 'ok') return { outcome, result: 'failed', reason: failureOf(outcome), seen };
    const reason = readsEvents ? ((await missed(seen)) ?? start.passedOver ?? cutOf(outcome)) : null;
    const seq = outcome.eventSeq ?? start.sinceSeq;
    return {
      outcome,
      result: reason !== null ? 'incomplete' : outcome.rows.length > 0 ? 'matched' : 'no_match',
      reason,
      seen: { store, seq, scanId: scan.scanId, scanMs: scan.timestampMs },
    };
  };
}

const ALL_SEEN = { sinceSeq: 0, passedOver: null };

/** What is cut off is not seen again: the next cycle begins after it. */
function cutOf({ rows, truncated }: Extract<RuleOutcome, { outcome: 'ok' }>): string | null {
  return truncated ? `more rows matched than the ${rows.length} that were kept` : null;
}

function failureOf(outcome: Exclude<RuleOutcome, { outcome: 'ok' }>): string {
  return outcome.outcome === 'refused' ? outcome.refusal.message : outcome.message;
}
