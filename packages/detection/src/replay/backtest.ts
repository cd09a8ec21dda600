/**
 * Runs rules over the scans of the past, one scan after the other, as if they had been live: each sees the host as it
 * was then, with the parameters that the agent would have given it, and its findings become alerts or repeats.
 */
import type { RuleOutcome, RuleScope } from '@sentineld/model/rule';
import { groupByDedup } from '../rules/dedup.ts';
import { MOST_EVENTS } from '../rules/first-event.ts';
import { judgeRule, refusalProblem } from '../rules/judge-rule.ts';
import type { LoadedRule } from '../rules/rule-document.ts';
import type { ExecutorClient } from '../sql/executor-client.ts';
import { nothingFound } from '../rules/nothing-found.ts';
import { createTimetable, type Clocks, type Timetable } from '../rules/timetable.ts';
import { EVENTS_TABLE } from '../sql/policy.ts';
import { eventStart, type EventStart } from './event-start.ts';
import { createRepeats } from './past-alerts.ts';
import { createPastClock } from './past-clock.ts';
import type { PastScan, PastScans, UnsureReason } from './past-scans.ts';
import { createHistory, type HistoryCounter, type RuleHistory } from './rule-history.ts';

export type BacktestOptions = {
  readonly rules: readonly LoadedRule[];
  readonly past: PastScans;
  readonly executor: Pick<ExecutorClient, 'validate' | 'run'>;
  /** A finding whose key was seen less than this ago is a repeat. */
  readonly windowMs: number;
  /** True ends the backtest; what runs at that moment does not count. */
  readonly isEnded: () => boolean;
  /** Told of each scan that is done. */
  readonly onScan: (done: number) => void;
};

export type Backtest = {
  /** In the order of the rules. */
  readonly histories: readonly RuleHistory[];
  /** Scans that every rule was run over. */
  readonly scans: readonly PastScan[];
  /** Milliseconds that all rules took together, by scan. */
  readonly costsMs: readonly number[];
};

/** Handed to the executor together, which runs them one by one: it never waits for a question. */
const RULES_AT_ONCE = 64;
/** An agent sets a rule aside that overran so often in a row. */
const OVERRUNS_UNTIL_QUARANTINE = 2;

type LiveRule = {
  readonly rule: LoadedRule;
  readonly readsEvents: boolean;
  readonly scope: RuleScope;
  readonly timetable: Timetable;
  readonly counter: HistoryCounter;
  /** Up to where it has seen; null where it has seen nothing. */
  seen: { readonly seq: number; readonly scanMs: number } | null;
  /** What was missed since the scan that it was run over before. */
  readonly missed: Set<UnsureReason>;
  overruns: number;
  isStopped: boolean;
};

/** One rule over one scan. */
type Run = { readonly live: LiveRule; readonly start: EventStart; readonly outcome: RuleOutcome };
type IsAlert = ReturnType<typeof createRepeats>;

const NO_EVENTS: EventStart = { sinceSeq: 0, unseen: [] };

/** Rejects with 'store.*' or 'executor.failed' where a rule cannot be judged. */
export async function backtestRules(options: BacktestOptions): Promise<Backtest> {
  const { past, isEnded, onScan } = options;
  const live: LiveRule[] = [];
  for (const rule of options.rules) live.push(await takeRule(rule, options));
  const isAlert = createRepeats(options.windowMs);
  const [scans, costsMs]: [PastScan[], number[]] = [[], []];
  const clocksAt = createPastClock();
  for (const scan of past.scans) {
    const clocks = clocksAt(scan.startMs);
    const runs: Run[] = [];
    const running = live.filter((one) => isDue(one, scan, clocks));
    for (let at = 0; at < running.length && !isEnded(); at += RULES_AT_ONCE)
      runs.push(...(await Promise.all(running.slice(at, at + RULES_AT_ONCE).map((one) => runOver(one, scan, options)))));
    if (isEnded()) break;
    for (const one of live) for (const reason of one.readsEvents ? scan.missed : []) one.missed.add(reason);
    for (const run of runs) conclude(run, scan, clocks, isAlert);
    scans.push(scan);
    costsMs.push(runs.reduce((sum, { outcome }) => sum + outcome.durationMs, 0));
    onScan(scans.length);
  }
  return { histories: live.map(({ counter }) => counter.history), scans, costsMs };
}

/** A rule that begins to watch at the first of the scans: what was before it is not its business. */
async function takeRule(rule: LoadedRule, { executor, past: { before } }: BacktestOptions): Promise<LiveRule> {
  const { refusal, tables, scope } = await judgeRule(rule, executor);
  return {
    rule,
    readsEvents: tables.includes(EVENTS_TABLE),
    scope,
    timetable: createTimetable(rule.schedule),
    counter: createHistory(rule, refusal === null ? null : refusalProblem(rule, refusal)),
    seen: before === null ? null : { seq: before.eventsUntil, scanMs: before.startMs },
    missed: new Set(),
    overruns: 0,
    isStopped: refusal !== null,
  };
}

/** A rule over events is run all the same where it would otherwise not see all of them. */
function isDue({ isStopped, timetable, readsEvents, seen }: LiveRule, { eventsUntil }: PastScan, clocks: Clocks): boolean {
  const isFarBehind = readsEvents && seen !== null && eventsUntil - seen.seq > MOST_EVENTS / 2;
  return !isStopped && (timetable.isDue(clocks) || isFarBehind);
}

async function runOver(live: LiveRule, scan: PastScan, { executor, past }: BacktestOptions): Promise<Run> {
  const { rule, readsEvents, scope, seen } = live;
  const start = readsEvents ? eventStart(seen?.seq ?? null, scan, past.oldestEvent) : NO_EVENTS;
  if (scope === 'new_events' && scan.eventsUntil <= start.sinceSeq) return { live, start, outcome: nothingFound(scan.id) };
  const parameters = { now: scan.startMs, since: seen?.scanMs ?? 0, scan_id: scan.id, since_seq: start.sinceSeq };
  return { live, start, outcome: await executor.run({ sql: rule.sql, parameters, enrich: true, asOfScan: scan.id }) };
}

function conclude({ live, start, outcome }: Run, scan: PastScan, clocks: Clocks, isAlert: IsAlert): void {
  const { rule, readsEvents, counter } = live;
  if (outcome.outcome !== 'failed') live.timetable.ran(clocks);
  if (outcome.outcome !== 'ok' || outcome.scanId !== scan.id) return countFailure(live, scan, outcome);
  const reasons = readsEvents ? [...live.missed, ...start.unseen, ...(outcome.truncated ? (['cut'] as const) : [])] : [];
  counter.countRun(reasons, outcome.durationMs);
  for (const finding of groupByDedup(rule, outcome.rows)) counter.countFinding(finding, scan, isAlert(finding.key, scan.startMs));
  live.seen = { seq: scan.eventsUntil, scanMs: scan.startMs };
  live.missed.clear();
  live.overruns = 0;
  return undefined;
}

function countFailure(live: LiveRule, scan: PastScan, outcome: RuleOutcome): void {
  const { rule, counter } = live;
  if (outcome.outcome === 'ok') return counter.countFailure('the scan is not kept any more', outcome.durationMs);
  const isRefused = outcome.outcome === 'refused';
  counter.countFailure(isRefused ? outcome.refusal.message : outcome.message, outcome.durationMs);
  // Neither the rule's fault nor a reason to set it aside: the store is missing, or a row is larger than is read.
  if (outcome.outcome === 'failed') return undefined;
  live.overruns += 1;
  if (!isRefused && live.overruns < OVERRUNS_UNTIL_QUARANTINE) return undefined;
  live.isStopped = true;
  return counter.stop(scan, isRefused ? refusalProblem(rule, outcome.refusal) : null);
}
