/**
 * One decision of an operator about a rule: what it makes of the rule, whether it makes sense, and how it is told.
 */
import type { AuditEvent } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import type { PeerCredentials } from '@sentineld/model/request';
import type { RulesOverrideReply } from '@sentineld/model/reply';
import type { OperatorOverride, RuleDecision } from '@sentineld/model/rule';
import { nearestWord } from '@sentineld/runtime/config/nearest-word';
import type { RuleBook } from './rule-book.ts';
import { entryOf, takeOver, type RuleEntry } from './rule-entry.ts';

export type Decided = {
  readonly ruleId: string;
  /** What is decided from now on; null where nothing is. */
  readonly override: OperatorOverride | null;
  /** The rule as it is from now on; null where there is no such rule now. */
  readonly entry: RuleEntry | null;
  /** Whether it was not run before, and its query has to be looked at. */
  readonly needsJudgement: boolean;
  /** Gives the rule what it had. */
  readonly takeOver: (entry: RuleEntry, earlier: RuleEntry) => void;
};

/** Who decides, when and why. */
export type Decider = Pick<OperatorOverride, 'reason' | 'uid' | 'userName' | 'decidedMs'>;

/** Throws 'usage.invalid' for a rule that nobody knows, and for a reset of what was never decided. */
export function decide(book: Pick<RuleBook, 'entries' | 'overrides'>, ruleId: string, decision: RuleDecision, by: Decider): Decided {
  const present = book.entries.find(({ rule }) => rule.id === ruleId);
  const known = book.overrides.find((override) => override.ruleId === ruleId) ?? null;
  if (present === undefined && known === null) throw unknownRule(book, ruleId);
  if (decision.kind === 'reset' && known === null)
    throw new SentinelError('usage.invalid', { message: `nothing is decided about rule ${ruleId}: there is nothing to take back` });
  const override = overrideAfter(ruleId, known, decision, by);
  if (present === undefined) return { ruleId, override, entry: null, needsJudgement: false, takeOver };
  const entry = entryOf(present.loaded, override);
  // The query is the same: what is known of it stays known, unless it is to be tried again.
  const isTriedAgain = decision.kind === 'enable' && present.state !== 'active';
  const needsJudgement = entry.state !== 'disabled' && (isTriedAgain || present.state === 'disabled');
  if (entry.state !== 'disabled' && !needsJudgement) {
    const { state, refusal, reads } = present;
    Object.assign(entry, { state, refusal, reads });
  }
  return { ruleId, override, entry, needsJudgement, takeOver: isTriedAgain ? takeOverAnew : keepAll };
}

function keepAll(entry: RuleEntry, earlier: RuleEntry): void {
  takeOver(entry, earlier);
  // It may have been set aside while the decision waited for the end of a cycle.
  if (entry.state !== 'disabled' && earlier.state !== 'disabled') {
    const { state, refusal } = earlier;
    Object.assign(entry, { state, refusal });
  }
}

/** A rule that an operator enables is tried again, also where it overran before. */
function takeOverAnew(entry: RuleEntry, earlier: RuleEntry): void {
  takeOver(entry, { ...earlier, state: 'active', overruns: 0 });
}

function overrideAfter(ruleId: string, known: OperatorOverride | null, decision: RuleDecision, by: Decider): OperatorOverride | null {
  const before = { ruleId, enabled: known?.enabled ?? null, severity: known?.severity ?? null };
  switch (decision.kind) {
    case 'enable':
      return { ...before, enabled: true, ...by };
    case 'disable':
      return { ...before, enabled: false, ...by };
    case 'severity':
      return { ...before, severity: decision.severity, ...by };
    case 'reset':
      return null;
  }
}

/** Names the rule that was probably meant. */
export function unknownRule({ entries }: Pick<RuleBook, 'entries'>, ruleId: string): SentinelError {
  const nearest = nearestWord(
    ruleId,
    entries.map(({ rule }) => rule.id),
  );
  const hint = nearest === null ? '' : `; did you mean ${nearest}?`;
  return new SentinelError('usage.invalid', { message: `there is no rule ${ruleId}${hint}` });
}

/** What the ledger keeps of a decision. */
export function decisionEvidence(
  { ruleId, override, entry }: Decided,
  decision: RuleDecision,
  by: PeerCredentials,
  hashes: { readonly before: string; readonly after: string },
  decider: Decider,
): AuditEvent {
  return {
    action: 'rule_override',
    data: {
      rule_id: ruleId,
      rule_version: entry?.rule.version ?? null,
      decision: decision.kind,
      enabled: override?.enabled ?? null,
      severity: override?.severity ?? null,
      reason: decider.reason,
      asked_by: by,
      user_name: decider.userName,
      rule_set_sha256_before: hashes.before,
      rule_set_sha256_after: hashes.after,
    },
  };
}

/** What holds now, for whoever asked. */
export function replyOf({ ruleId, override, entry }: Decided): RulesOverrideReply {
  return { ruleId, override, state: entry?.state ?? null, severity: entry?.rule.severity ?? null };
}
