/**
 * Changes to the rules of a running agent: all files loaded anew, or one decision of an operator. A new set is made and
 * looked at beside the one that runs, and takes its place between two cycles, together with its entry for the ledger;
 * where anything of it cannot be run, the old one stays as it is.
 */
import type { AuditEvent } from '@sentineld/model/audit';
import { SentinelError, messageOf } from '@sentineld/model/error';
import type { PeerCredentials } from '@sentineld/model/request';
import type { RulesOverrideReply, RulesReloadReply } from '@sentineld/model/reply';
import type { RuleDecision } from '@sentineld/model/rule';
import { formatLoadProblem } from '@sentineld/detection/rules/load-problem';
import { OVERRIDES_PLACE, type LoadOptions } from '@sentineld/detection/rules/load';
import type { ExecutorClient } from '@sentineld/detection/sql/executor-client';
import type { Logger } from '@sentineld/runtime/log/logger';
import type { AgentWriter } from '@sentineld/store/agent/writer';
import type { Detection } from './detection.ts';
import { decide, decisionEvidence, replyOf, type Decided, type Decider } from './rule-decision.ts';
import { entriesHash, loadRuleSet, overridesWithoutRule, ruleSetHash, rulesOf, type RuleBook, type RuleSet } from './rule-book.ts';
import { changesBetween, NO_CHANGES, reloadEvidence, shownLines, type AskedBy, type RuleChanges } from './rule-changes.ts';
import { judgeEntries, judgeEntry, refusalLine, takeOver, takeOverJudgement } from './rule-entry.ts';

export type RuleKeeper = {
  /** Loads all rules anew, all or none. Throws 'state.*' where that cannot be kept. */
  readonly reload: (by: AskedBy) => Promise<RulesReloadReply>;
  /** Keeps what an operator decided. Throws 'usage.invalid' for what makes no sense, 'query.refused' for a rule that would not be run. */
  readonly override: (ruleId: string, decision: RuleDecision, reason: string, by: PeerCredentials) => Promise<RulesOverrideReply>;
};

export type RuleKeeperOptions = {
  readonly load: LoadOptions;
  readonly book: RuleBook;
  readonly store: Pick<AgentWriter, 'saveRules' | 'queueAudit'>;
  readonly executor: Pick<ExecutorClient, 'validate'>;
  readonly detection: Pick<Detection, 'exclusively' | 'between'>;
  readonly log: Logger;
  /** Name of a user; null where he has none here. */
  readonly userName: (uid: number) => string | null;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Called when there is something for the ledger. */
  readonly onRecorded: () => void;
};

/** Takes changes one after the other. */
export function createRuleKeeper(options: RuleKeeperOptions): RuleKeeper {
  const { detection, onRecorded } = options;
  return {
    reload: async (by) => {
      const reply = await detection.exclusively(() => reload(options, by));
      onRecorded();
      return reply;
    },
    override: async (ruleId, decision, reason, by) => {
      const reply = await detection.exclusively(() => override(options, ruleId, decision, reason, by));
      onRecorded();
      return reply;
    },
  };
}

async function reload(options: RuleKeeperOptions, by: AskedBy): Promise<RulesReloadReply> {
  const { book, store, log } = options;
  const next = loadRuleSet(options.load, book.overrides);
  const problems = await problemsOf(next, options);
  if (problems.length === 0) return options.detection.between(() => take(options, next, by));
  const hash = ruleSetHash(book);
  for (const problem of problems) log.warn({ problem }, 'rules.reload_refused');
  const reply = reloadReply(false, hash, hash, NO_CHANGES, problems);
  store.queueAudit(reloadEvidence(reply, by));
  return reply;
}

/** Why this set is not taken, a line each: every file that cannot be loaded and every enabled rule that would not be run. */
async function problemsOf(set: RuleSet, { book, executor }: RuleKeeperOptions): Promise<readonly string[]> {
  const faults = set.problems.filter(({ file }) => file !== OVERRIDES_PLACE).map(formatLoadProblem);
  const earlier = new Map(book.entries.map((entry) => [entry.rule.id, entry]));
  for (const entry of set.entries) takeOverJudgement(entry, earlier.get(entry.rule.id));
  const unseen = set.entries.filter(({ state }) => state === 'unverified');
  try {
    await judgeEntries(unseen, executor);
  } catch (cause) {
    return [...faults, `the SQL of the rules cannot be looked at now: ${messageOf(cause)}`];
  }
  return [...faults, ...set.entries.filter(({ state }) => state === 'refused').map(refusalLine)];
}

/** The rules that run go on up to here: what they came to meanwhile is not lost. */
function take({ book, store, log }: RuleKeeperOptions, next: RuleSet, by: AskedBy): RulesReloadReply {
  const earlier = new Map(book.entries.map((entry) => [entry.rule.id, entry]));
  for (const entry of next.entries) {
    const before = earlier.get(entry.rule.id);
    if (before !== undefined) takeOver(entry, before);
  }
  const changes = changesBetween(book.entries, next.entries);
  const reply = reloadReply(true, ruleSetHash(book), entriesHash(next.entries), changes, []);
  store.saveRules(rulesOf(next), { event: reloadEvidence(reply, by) });
  book.replace(next);
  const { added, removed, changed, unchanged } = reply;
  log.info({ by, added: added.count, removed: removed.count, changed: changed.count, unchanged }, 'rules.reloaded');
  for (const { ruleId } of overridesWithoutRule(next)) log.warn({ ruleId }, 'rules.override_without_rule');
  return reply;
}

function reloadReply(taken: boolean, before: string, after: string, changes: RuleChanges, problems: readonly string[]): RulesReloadReply {
  return { taken, before, after, ...changes, problems: { count: problems.length, lines: shownLines(problems) } };
}

async function override(
  options: RuleKeeperOptions,
  ruleId: string,
  decision: RuleDecision,
  reason: string,
  by: PeerCredentials,
): Promise<RulesOverrideReply> {
  const { book, executor, detection } = options;
  const decider = { reason, uid: by.uid, userName: options.userName(by.uid), decidedMs: options.clock() };
  const decided = decide(book, ruleId, decision, decider);
  const { entry } = decided;
  // One that runs already was looked at; one that nobody could look at yet waits for procmond with the others.
  if (entry?.state === 'unverified' && decided.needsJudgement) {
    await judgeEntry(entry, executor);
    if (entry.refusal !== null)
      throw new SentinelError('query.refused', { message: `rule ${ruleId} would not be run: ${refusalLine(entry)}` });
  }
  return detection.between(() => keepDecision(options, decided, decision, { by, decider }));
}

function keepDecision(
  { book, store, log }: RuleKeeperOptions,
  decided: Decided,
  decision: RuleDecision,
  { by, decider }: { readonly by: PeerCredentials; readonly decider: Decider },
): RulesOverrideReply {
  const { ruleId, override: kept, entry } = decided;
  const before = book.entries.find(({ rule }) => rule.id === ruleId);
  if (entry !== null && before !== undefined) decided.takeOver(entry, before);
  const entries = book.entries.map((present) => (present === before && entry !== null ? entry : present));
  const others = book.overrides.filter((other) => other.ruleId !== ruleId);
  const overrides = kept === null ? others : [...others, kept].toSorted((a, b) => (a.ruleId < b.ruleId ? -1 : 1));
  const hashes = { before: ruleSetHash(book), after: entriesHash(entries) };
  const event: AuditEvent = decisionEvidence(decided, decision, by, hashes, decider);
  store.saveRules(rulesOf({ entries }), { event, ...(kept === null ? { withoutOverride: ruleId } : { override: kept }) });
  book.replace({ entries, problems: book.problems, overrides });
  log.info({ ...event.data }, 'rule.override');
  return replyOf(decided);
}
