/**
 * One rule of the agent and what became of it: what its file says, what operators decided, whether it runs, what it
 * found and cost. A new set of rules takes over from the old one what belongs to the rule and not to its file.
 */
import type { OperatorOverride, Refusal, RuleOutcome, RuleResult, RuleScope } from '@sentineld/model/rule';
import { judgeRule, placeOfRefusal } from '@sentineld/detection/rules/judge-rule';
import { formatLoadProblem } from '@sentineld/detection/rules/load-problem';
import { applyOverride } from '@sentineld/detection/rules/load';
import type { LoadedRule } from '@sentineld/detection/rules/rule-document';
import type { ExecutorClient } from '@sentineld/detection/sql/executor-client';
import { EVENTS_TABLE } from '@sentineld/detection/sql/policy';
import type { RuleCost, SeenEvents } from '@sentineld/store/agent/writer';
import { createTimetable, type Timetable } from '@sentineld/detection/rules/timetable';

export type RuleState = 'unverified' | 'active' | 'disabled' | 'refused' | 'quarantined';

export type RuleEntry = {
  /** As it is run: with what the configuration and operators changed. */
  readonly rule: LoadedRule;
  /** As its file and the configuration have it. */
  readonly loaded: LoadedRule;
  /** What operators decided about it; null where nobody did. */
  readonly override: OperatorOverride | null;
  state: RuleState;
  /** Why it is refused or quarantined. */
  refusal: Refusal | null;
  runs: number;
  hits: number;
  overruns: number;
  lastOutcome: RuleOutcome['outcome'] | null;
  lastMs: number | null;
  /** Tables that its statement reads; known once it was looked at. */
  reads: readonly string[];
  /** What it has to look at in a scan; known once it was looked at. */
  scope: RuleScope;
  /** What the newest evaluation came to, perhaps before this start; null before the first. */
  result: RuleResult | null;
  /** Since when every evaluation came to this, in milliseconds since 1970. */
  resultSinceMs: number | null;
  /** Why it was incomplete or failed. */
  resultReason: string | null;
  /** Evaluations since the start, by what they came to. */
  readonly counts: Record<RuleResult, number>;
  /** Up to where it has seen; null before the first evaluation. */
  seen: SeenEvents | null;
  /** What it cost and found since it was first run, also before this start. */
  cost: RuleCost;
  /** When it is run. */
  timetable: Timetable;
  /** Whether it took so long that it is run beside the cycles. */
  isSlow: boolean;
};

/** A rule that was never run. */
export function entryOf(loaded: LoadedRule, override: OperatorOverride | null): RuleEntry {
  const rule = applyOverride(loaded, override ?? undefined);
  return {
    rule,
    loaded,
    override,
    state: rule.enabled ? 'unverified' : 'disabled',
    refusal: null,
    runs: 0,
    hits: 0,
    overruns: 0,
    lastOutcome: null,
    lastMs: null,
    reads: [],
    scope: 'everything',
    result: null,
    resultSinceMs: null,
    resultReason: null,
    counts: { matched: 0, no_match: 0, incomplete: 0, failed: 0 },
    seen: null,
    cost: { ruleId: rule.id, runs: 0, rows: 0, hits: 0, totalMs: 0, worstMs: 0, overruns: 0, lastRunMs: 0 },
    timetable: createTimetable(rule.schedule),
    isSlow: false,
  };
}

/**
 * Gives a rule what the one of its id had: its counts always; when it is due, where its schedule is the same; its place among events and its newest result while it is
 * enabled, as the store keeps them; and that it is quarantined, where it would run the same query again.
 */
export function takeOver(entry: RuleEntry, earlier: RuleEntry): void {
  const { runs, hits, lastOutcome, lastMs, cost } = earlier;
  Object.assign(entry, { runs, hits, lastOutcome, lastMs, cost });
  Object.assign(entry.counts, earlier.counts);
  if (entry.timetable.schedule === earlier.timetable.schedule) entry.timetable = earlier.timetable;
  if (entry.state === 'disabled') return;
  const { result, resultSinceMs, resultReason, seen } = earlier;
  Object.assign(entry, { result, resultSinceMs, resultReason, seen });
  if (entry.rule.sql !== earlier.rule.sql) {
    // Of events it goes on where the other one was; processes it has not looked at, whatever the other one saw.
    if (!earlier.reads.includes(EVENTS_TABLE)) entry.seen = null;
    return;
  }
  const { overruns, isSlow } = earlier;
  Object.assign(entry, { overruns, isSlow });
  if (earlier.state === 'quarantined' && entry.state === 'active') Object.assign(entry, { state: 'quarantined', refusal: earlier.refusal });
}

/** A query that was looked at and accepted is not looked at again: the answer would be the same. */
export function takeOverJudgement(entry: RuleEntry, earlier: RuleEntry | undefined): void {
  if (entry.state !== 'unverified' || earlier === undefined) return;
  const wasAccepted = earlier.state === 'active' || earlier.state === 'quarantined';
  const isSame = entry.rule.sql === earlier.rule.sql && entry.rule.dedupKeys.join() === earlier.rule.dedupKeys.join();
  if (wasAccepted && isSame) Object.assign(entry, { state: 'active', reads: earlier.reads, scope: earlier.scope });
}

/** So many at a time: one at a time, each would wait for a rule of the cycle that runs beside. */
const JUDGED_AT_ONCE = 32;

/** Has all of these looked at. Rejects where the executor cannot. */
export async function judgeEntries(entries: readonly RuleEntry[], executor: Pick<ExecutorClient, 'validate'>): Promise<void> {
  for (let at = 0; at < entries.length; at += JUDGED_AT_ONCE)
    await Promise.all(entries.slice(at, at + JUDGED_AT_ONCE).map((entry) => judgeEntry(entry, executor)));
}

/** Has a rule that nobody looked at yet looked at in the confined executor. Throws what the executor throws. */
export async function judgeEntry(entry: RuleEntry, executor: Pick<ExecutorClient, 'validate'>): Promise<void> {
  if (entry.state !== 'unverified') return;
  const { refusal, tables, scope } = await judgeRule(entry.rule, executor);
  Object.assign(entry, { refusal, reads: tables, scope, state: refusal === null ? 'active' : 'refused' });
}

/** One line for people: where in which file, and why. */
export function refusalLine(entry: RuleEntry): string {
  if (entry.refusal === null) return '';
  const { rule, refusal } = entry;
  return formatLoadProblem({
    ...placeOfRefusal(rule, refusal),
    ruleId: rule.id,
    message: `rule ${rule.id} ${entry.state}: ${refusal.message}`,
    hint: '',
  });
}
