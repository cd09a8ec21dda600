/**
 * What a reload changed: which rules came, went and are other ones now, in the forms of the answer and of the ledger.
 */
import type { AuditEvent } from '@sentineld/model/audit';
import type { PeerCredentials } from '@sentineld/model/request';
import type { ReloadedRule, ReloadedRules, RulesReloadReply } from '@sentineld/model/reply';
import type { RuleEntry } from './rule-entry.ts';

/** Who asks: a user over the socket, or whoever sent a signal, which does not say who that was. */
export type AskedBy = PeerCredentials | { readonly signal: 'SIGHUP' };

export type RuleChanges = Pick<RulesReloadReply, 'added' | 'removed' | 'changed' | 'unchanged'>;

/** Of each kind so many rules are named, and of the problems so many shown: an answer has to fit a frame. */
const MOST_NAMED = 50;
const MOST_PROBLEMS = 25;
const MOST_CHARACTERS = 600;

export const NO_CHANGES: RuleChanges = { added: named([]), removed: named([]), changed: named([]), unchanged: 0 };

/** A rule is another one where its version or its checksum is. */
export function changesBetween(before: readonly RuleEntry[], after: readonly RuleEntry[]): RuleChanges {
  const [old, present] = [byId(before), byId(after)];
  const added = after.filter(({ rule }) => !old.has(rule.id)).map((entry) => described(entry, null));
  const removed = before.filter(({ rule }) => !present.has(rule.id)).map((entry) => described(entry, null));
  const changed = after.flatMap((entry) => {
    const earlier = old.get(entry.rule.id);
    return earlier === undefined || isSame(entry, earlier) ? [] : [described(entry, earlier)];
  });
  return {
    added: named(added),
    removed: named(removed),
    changed: named(changed),
    unchanged: after.length - added.length - changed.length,
  };
}

function byId(entries: readonly RuleEntry[]): ReadonlyMap<string, RuleEntry> {
  return new Map(entries.map((entry) => [entry.rule.id, entry]));
}

function isSame({ rule: one }: RuleEntry, { rule: other }: RuleEntry): boolean {
  return one.checksum === other.checksum && one.version === other.version;
}

function described({ rule }: RuleEntry, earlier: RuleEntry | null): ReloadedRule {
  const was = earlier === null ? null : { version: earlier.rule.version, checksum: earlier.rule.checksum };
  return { id: rule.id, version: rule.version, checksum: rule.checksum, was };
}

function named(rules: readonly ReloadedRule[]): ReloadedRules {
  return { count: rules.length, rules: rules.slice(0, MOST_NAMED) };
}

/** The first of them, none longer than a few lines. */
export function shownLines(lines: readonly string[]): readonly string[] {
  return lines.slice(0, MOST_PROBLEMS).map((line) => (line.length > MOST_CHARACTERS ? `${line.slice(0, MOST_CHARACTERS)}…` : line));
}

/** What the ledger keeps of a reload, whether it was taken or not. */
export function reloadEvidence(reply: RulesReloadReply, by: AskedBy): AuditEvent {
  const { added, removed, changed } = reply;
  const texts = ({ count, rules }: ReloadedRules) => ({ count, rules: rules.map(({ id, version }) => `${id}@${version}`) });
  return {
    action: 'rules_reload',
    data: {
      taken: reply.taken,
      asked_by: by,
      rule_set_sha256_before: reply.before,
      rule_set_sha256_after: reply.after,
      added: texts(added),
      removed: texts(removed),
      changed: texts(changed),
      unchanged: reply.unchanged,
      problems: reply.problems,
    },
  };
}
