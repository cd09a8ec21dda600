/**
 * The rules the agent has and what became of each: loaded from files here, their SQL looked at in the confined
 * executor alone. A rule that is refused, or that keeps overrunning, is set aside with its reason; the others run.
 */
import { createHash } from 'node:crypto';
import type { AuditEvent } from '@sentineld/model/audit';
import type { Refusal, Rule, RuleOutcome, RuleResult } from '@sentineld/model/rule';
import { checkDedupKeys } from '@sentineld/detection/rules/check-dedup-keys';
import { formatLoadProblem, type LoadProblem } from '@sentineld/detection/rules/load-problem';
import { loadRules, type LoadOptions } from '@sentineld/detection/rules/load';
import { placeInFile, type LoadedRule } from '@sentineld/detection/rules/rule-document';
import type { ExecutorClient } from '@sentineld/detection/sql/executor-client';
import { EVENTS_TABLE } from '@sentineld/detection/sql/policy';
import type { RuleProgress, SeenEvents } from '@sentineld/store/agent/writer';
import type { Evaluation } from './detect/evaluate-rule.ts';

/** A rule that overran this often in a row is not run again until the agent starts anew. */
const OVERRUNS_UNTIL_QUARANTINE = 2;

export type RuleState = 'unverified' | 'active' | 'disabled' | 'refused' | 'quarantined';

export type RuleEntry = {
  readonly rule: LoadedRule;
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
};

export type RuleBook = {
  readonly entries: readonly RuleEntry[];
  readonly problems: readonly LoadProblem[];
  /** Rules to run, those that took longest the last time at the end, so that a slow one delays no other. */
  readonly active: () => readonly RuleEntry[];
  /** Has every enabled rule looked at; returns what the ledger should know of those that were refused. */
  readonly validate: (executor: Pick<ExecutorClient, 'validate'>) => Promise<readonly AuditEvent[]>;
  /** Counts a run; returns what the ledger should know where the rule was set aside because of it. */
  readonly recordRun: (entry: RuleEntry, evaluation: Evaluation, nowMs: number) => readonly AuditEvent[];
  /** Takes up what an earlier run of the agent stored. */
  readonly restore: (progress: readonly RuleProgress[]) => void;
};

export function createRuleBook(options: LoadOptions): RuleBook {
  const { rules, problems } = loadRules(options);
  const entries: readonly RuleEntry[] = rules.map((rule) => ({
    rule,
    state: rule.enabled ? 'unverified' : 'disabled',
    refusal: null,
    runs: 0,
    hits: 0,
    overruns: 0,
    lastOutcome: null,
    lastMs: null,
    reads: [],
    result: null,
    resultSinceMs: null,
    resultReason: null,
    counts: { matched: 0, no_match: 0, incomplete: 0, failed: 0 },
    seen: null,
  }));
  return {
    entries,
    problems,
    active: () => entries.filter((entry) => entry.state === 'active').toSorted((a, b) => (a.lastMs ?? 0) - (b.lastMs ?? 0)),
    validate: async (executor) => {
      const rejections: AuditEvent[] = [];
      for (const entry of entries) {
        if (entry.state !== 'unverified') continue;
        const judged = await judge(entry.rule, executor);
        entry.refusal = judged.refusal;
        entry.reads = judged.tables;
        entry.state = entry.refusal === null ? 'active' : 'refused';
        if (entry.refusal !== null) rejections.push(rejection(entry.rule, entry.refusal, 'refused'));
      }
      return rejections;
    },
    recordRun: (entry, evaluation, nowMs) => {
      if (entry.result !== evaluation.result) entry.resultSinceMs = nowMs;
      entry.result = evaluation.result;
      entry.resultReason = evaluation.reason;
      entry.counts[evaluation.result]++;
      return countRun(entry, evaluation.outcome);
    },
    restore: (progress) => {
      for (const { ruleId, result, sinceMs, reason, seen } of progress) {
        const entry = entries.find(({ rule }) => rule.id === ruleId);
        if (entry !== undefined) Object.assign(entry, { result, resultSinceMs: sinceMs, resultReason: reason, seen });
      }
    },
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

type Judged = { readonly refusal: Refusal | null; readonly tables: readonly string[] };

async function judge(rule: LoadedRule, executor: Pick<ExecutorClient, 'validate'>): Promise<Judged> {
  const first = await executor.validate(rule.sql);
  // On a host that is short of time the first look at a harmless statement may take too long.
  const validation = !first.ok && first.refusal.code === 'limit' ? await executor.validate(rule.sql) : first;
  if (!validation.ok) return { refusal: validation.refusal, tables: [] };
  const problem = checkDedupKeys(rule, validation.columns);
  const refusal = problem === null ? null : { code: 'dedup', message: `${problem.message}. ${problem.hint}`, position: null };
  return { refusal, tables: validation.tables };
}

/** What is stored of a rule that ran: of events it says up to where it has seen them, of others there is nothing to say. */
export function progressOf({ rule, result, resultSinceMs, resultReason, reads, seen }: RuleEntry): RuleProgress | null {
  if (result === null) return null;
  const keepsPlace = reads.includes(EVENTS_TABLE);
  return { ruleId: rule.id, result, sinceMs: resultSinceMs ?? 0, reason: resultReason, seen: keepsPlace ? seen : null };
}

/** What the ledger keeps of a rule that was refused or stopped. */
function rejection(rule: LoadedRule, refusal: Refusal, what: 'refused' | 'stopped' | RuleState): AuditEvent {
  const place = placeInFile(rule, refusal.position);
  return {
    action: 'rule_rejected',
    data: {
      rule_id: rule.id,
      rule_version: rule.version,
      what,
      code: refusal.code,
      reason: refusal.message,
      sql_position: refusal.position,
      file: rule.sourcePath,
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

/** One line for people: where in which file, and why. */
export function refusalLine(entry: RuleEntry): string {
  if (entry.refusal === null) return '';
  const { rule, refusal } = entry;
  const place = placeInFile(rule, refusal.position);
  return formatLoadProblem({
    file: rule.sourcePath,
    line: place.line,
    column: place.column,
    ruleId: rule.id,
    message: `rule ${rule.id} ${entry.state}: ${refusal.message}`,
    hint: '',
  });
}

/** SHA-256, hex, over the rules that are run: id, version and checksum of each in a line, in the order of their ids. */
export function ruleSetHash(book: Pick<RuleBook, 'active'>): string {
  const lines = book.active().map(({ rule }) => `${rule.id}@${rule.version} ${rule.checksum}\n`);
  return createHash('sha256').update(lines.toSorted().join('')).digest('hex');
}

/** Plain rules, as they are stored. */
export function rulesOf(book: RuleBook): readonly Rule[] {
  return book.entries.map((entry) => entry.rule);
}
