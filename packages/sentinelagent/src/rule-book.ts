/**
 * The rules the agent has and what became of each: loaded from files here, their SQL looked at in the confined
 * executor alone. A rule that is refused, or that keeps overrunning, is set aside with its reason; the others run.
 */
import { createHash } from 'node:crypto';
import type { AuditEvent } from '@sentineld/model/audit';
import type { OperatorOverride, Refusal, Rule, RuleOutcome } from '@sentineld/model/rule';
import { placeOfRefusal } from '@sentineld/detection/rules/judge-rule';
import type { LoadProblem } from '@sentineld/detection/rules/load-problem';
import { loadRules, type LoadOptions } from '@sentineld/detection/rules/load';
import type { LoadedRule } from '@sentineld/detection/rules/rule-document';
import type { ExecutorClient } from '@sentineld/detection/sql/executor-client';
import { EVENTS_TABLE } from '@sentineld/detection/sql/policy';
import type { RuleCost, RuleProgress } from '@sentineld/store/agent/writer';
import type { Evaluation } from './detect/evaluate-rule.ts';
import { entryOf, judgeEntries, refusalLine, type RuleEntry, type RuleState } from './rule-entry.ts';

export { refusalLine, type RuleEntry, type RuleState };

/** A rule that overran this often in a row is not run again until the agent starts anew. */
const OVERRUNS_UNTIL_QUARANTINE = 2;

export type RuleBook = {
  readonly entries: readonly RuleEntry[];
  readonly problems: readonly LoadProblem[];
  /** What operators decided, also about rules that are not there now. */
  readonly overrides: readonly OperatorOverride[];
  /** Rules to run, those that took longest the last time at the end, so that a slow one delays no other. */
  readonly active: () => readonly RuleEntry[];
  /** Has every enabled rule looked at; returns what the ledger should know of those that were refused. */
  readonly validate: (executor: Pick<ExecutorClient, 'validate'>) => Promise<readonly AuditEvent[]>;
  /** Counts a run; returns what the ledger should know where the rule was set aside because of it. */
  readonly recordRun: (entry: RuleEntry, evaluation: Evaluation, nowMs: number) => readonly AuditEvent[];
  /** Takes up what an earlier run of the agent stored. */
  readonly restore: (progress: readonly RuleProgress[], costs?: readonly RuleCost[]) => void;
  /** Puts another set of rules in the place of this one. */
  readonly replace: (set: RuleSet) => void;
};

export type RuleSet = Pick<RuleBook, 'entries' | 'problems' | 'overrides'>;

/** Loads the rules, with what operators decided about them. */
export function createRuleBook(options: LoadOptions, overrides: readonly OperatorOverride[] = []): RuleBook {
  let set = loadRuleSet(options, overrides);
  return {
    get entries() {
      return set.entries;
    },
    get problems() {
      return set.problems;
    },
    get overrides() {
      return set.overrides;
    },
    active: () => activeOf(set.entries).toSorted((a, b) => (a.lastMs ?? 0) - (b.lastMs ?? 0)),
    validate: async (executor) => {
      const waiting = set.entries.filter((entry) => entry.state === 'unverified');
      await judgeEntries(waiting, executor);
      return waiting.flatMap(({ rule, refusal }) => (refusal === null ? [] : [rejection(rule, refusal, 'refused')]));
    },
    recordRun: (entry, evaluation, nowMs) => {
      if (entry.result !== evaluation.result) entry.resultSinceMs = nowMs;
      entry.result = evaluation.result;
      entry.resultReason = evaluation.reason;
      entry.counts[evaluation.result]++;
      entry.cost = costAfter(entry.cost, evaluation.outcome, nowMs);
      return countRun(entry, evaluation.outcome);
    },
    restore: (progress, costs = []) => {
      const entries = new Map(set.entries.map((entry) => [entry.rule.id, entry]));
      for (const { ruleId, result, sinceMs, reason, seen } of progress) {
        const entry = entries.get(ruleId);
        if (entry !== undefined) Object.assign(entry, { result, resultSinceMs: sinceMs, resultReason: reason, seen });
      }
      for (const cost of costs) Object.assign(entries.get(cost.ruleId) ?? {}, { cost });
    },
    replace: (next) => {
      set = next;
    },
  };
}

/** What the files hold now, with what operators decided; nothing of it was looked at yet. */
export function loadRuleSet(options: LoadOptions, overrides: readonly OperatorOverride[]): RuleSet {
  const { rules, problems } = loadRules(options);
  const byId = new Map(overrides.map((override) => [override.ruleId, override]));
  return { entries: rules.map((rule) => entryOf(rule, byId.get(rule.id) ?? null)), problems, overrides };
}

function activeOf(entries: readonly RuleEntry[]): readonly RuleEntry[] {
  return entries.filter((entry) => entry.state === 'active');
}

/** What operators decided about rules that are not there now. */
export function overridesWithoutRule({ entries, overrides }: Pick<RuleSet, 'entries' | 'overrides'>): readonly OperatorOverride[] {
  const ids = new Set(entries.map(({ rule }) => rule.id));
  return overrides.filter(({ ruleId }) => !ids.has(ruleId));
}

function costAfter(cost: RuleCost, outcome: RuleOutcome, nowMs: number): RuleCost {
  const rows = outcome.outcome === 'ok' ? outcome.rows.length : 0;
  const isOverrun = outcome.outcome === 'timeout' || outcome.outcome === 'memory';
  return {
    ruleId: cost.ruleId,
    runs: cost.runs + 1,
    rows: cost.rows + rows,
    hits: cost.hits + (rows > 0 ? 1 : 0),
    totalMs: cost.totalMs + outcome.durationMs,
    worstMs: Math.max(cost.worstMs, outcome.durationMs),
    overruns: cost.overruns + (isOverrun ? 1 : 0),
    lastRunMs: nowMs,
  };
}

function countRun(entry: RuleEntry, outcome: RuleOutcome): readonly AuditEvent[] {
  entry.runs++;
  entry.lastOutcome = outcome.outcome;
  entry.lastMs = outcome.durationMs;
  if (outcome.outcome === 'ok') {
    entry.overruns = 0;
    entry.hits += outcome.rows.length > 0 ? 1 : 0;
    return [];
  }
  const refusal: Refusal =
    outcome.outcome === 'refused' ? outcome.refusal : { code: outcome.outcome, message: outcome.message, position: null };
  // Neither the rule's fault nor a reason to set it aside: the store is missing, or a row is larger than is read.
  if (outcome.outcome === 'failed') return [];
  entry.overruns++;
  if (outcome.outcome !== 'refused' && entry.overruns < OVERRUNS_UNTIL_QUARANTINE) return [rejection(entry.rule, refusal, 'stopped')];
  entry.refusal = refusal;
  entry.state = outcome.outcome === 'refused' ? 'refused' : 'quarantined';
  return [rejection(entry.rule, refusal, entry.state)];
}

/** What is stored of a rule that ran: of events it says up to where it has seen them, of others there is nothing to say. */
export function progressOf({ rule, result, resultSinceMs, resultReason, reads, seen }: RuleEntry): RuleProgress | null {
  if (result === null) return null;
  const keepsPlace = reads.includes(EVENTS_TABLE);
  return { ruleId: rule.id, result, sinceMs: resultSinceMs ?? 0, reason: resultReason, seen: keepsPlace ? seen : null };
}

/** What the ledger keeps of a rule that was refused or stopped. */
function rejection(rule: LoadedRule, refusal: Refusal, what: 'refused' | 'stopped' | RuleState): AuditEvent {
  const place = placeOfRefusal(rule, refusal);
  return {
    action: 'rule_rejected',
    data: {
      rule_id: rule.id,
      rule_version: rule.version,
      what,
      code: refusal.code,
      reason: refusal.message,
      sql_position: refusal.position,
      file: place.file,
      line: place.line,
      column: place.column,
      checksum: rule.checksum,
    },
  };
}

/** What the ledger keeps of a file from which no rule could be made. */
export function fileRejection(problem: LoadProblem): AuditEvent {
  return {
    action: 'rule_rejected',
    data: {
      rule_id: problem.ruleId ?? null,
      what: 'not_loaded',
      code: 'file',
      reason: `${problem.message}. ${problem.hint}`,
      file: problem.file,
      line: problem.line,
      column: problem.column,
    },
  };
}

/** SHA-256, hex, over the rules that are run: id, version and checksum of each in a line, in the order of their ids. */
export function ruleSetHash(book: Pick<RuleBook, 'active'>): string {
  return activeHash(book.active());
}

/** The same of a set that is not the book's yet. */
export function entriesHash(entries: readonly RuleEntry[]): string {
  return activeHash(activeOf(entries));
}

function activeHash(active: readonly RuleEntry[]): string {
  const lines = active.map(({ rule }) => `${rule.id}@${rule.version} ${rule.checksum}\n`);
  return createHash('sha256').update(lines.toSorted().join('')).digest('hex');
}

/** Plain rules, as they are stored. */
export function rulesOf(book: Pick<RuleBook, 'entries'>): readonly Rule[] {
  return book.entries.map((entry) => entry.rule);
}
