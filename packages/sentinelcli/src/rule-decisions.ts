/**
 * What the commands share by which operators decide about a rule: the reason that has to be given, the request, and how
 * its outcome is told.
 */
import { SentinelError } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';
import { MAX_REASON_LENGTH, MAX_RULE_ID_LENGTH } from '@sentineld/model/request';
import { RulesOverrideReplySchema, type RulesOverrideReply } from '@sentineld/model/reply';
import type { OperatorOverride, RuleDecision } from '@sentineld/model/rule';
import { requireAgent } from './agent-requests.ts';
import type { CommandContext, Positional } from './command.ts';
import { flag, text, type Option } from './option.ts';
import { jsonText } from './output/json.ts';
import { localTime } from './output/times.ts';

export const RULE_ID: readonly Positional[] = [{ name: 'ID', summary: 'the id in "rules list"', required: true }];

export const DECISION_OPTIONS: { readonly reason: Option<string | null>; readonly json: Option<boolean> } = {
  reason: text('TEXT', 'Why; has to be given, and is recorded with who decided'),
  json: flag('As JSON; docs/cli.md has its form'),
};

/** What all of them do with a decision, for --help. */
export const DECISION_DESCRIPTION =
  'The agent keeps it in its database: it holds at once, and after reloads, restarts and upgrades of the rule, until it is taken back by "rules reset". It is recorded in the ledger who decided and why.';

type Given = { readonly reason: string | null; readonly json: boolean };

/** Has the agent keep a decision, and says what holds now. Throws 'usage.invalid' where the reason is missing or too long. */
export async function decideRule(
  context: CommandContext,
  command: string,
  id: string,
  decision: RuleDecision,
  { reason, json }: Given,
): Promise<number> {
  const why = requireReason(command, reason);
  if (id.length > MAX_RULE_ID_LENGTH)
    throw new SentinelError('usage.invalid', {
      message: `an id of ${id.length} characters: not taken`,
      why: `the id of a rule has at most ${MAX_RULE_ID_LENGTH}`,
      hint: 'sentinelcli rules list shows those there are',
    });
  const request = { request: 'rules.override', ruleId: id, decision, reason: why } as const;
  const reply = await requireAgent(context.paths(), request, RulesOverrideReplySchema);
  context.terminal.out(json ? `${jsonText(replyJson(reply), 2)}\n` : replyText(reply));
  return 0;
}

/** The reason, which has to be given. Throws 'usage.invalid' where it is missing or too long. */
export function requireReason(command: string, reason: string | null): string {
  const hint = "write for instance --reason 'noisy on build hosts, ticket 123'";
  if (reason === null || reason.trim() === '')
    throw new SentinelError('usage.invalid', {
      message: `${command} needs --reason`,
      why: 'whoever finds it so later must learn why',
      hint,
    });
  if (reason.length <= MAX_REASON_LENGTH) return reason;
  throw new SentinelError('usage.invalid', {
    message: `--reason of ${reason.length} characters: not taken`,
    why: `at most ${MAX_REASON_LENGTH} are kept`,
    hint,
  });
}

/** As in the JSON of "rules list" and "rules show". */
export type OverrideJson = {
  readonly rule_id: string;
  readonly enabled: boolean | null;
  readonly severity: string | null;
  readonly reason: string;
  readonly uid: number;
  readonly user_name: string | null;
  readonly decided_ms: number;
};

export function overrideJson({ ruleId, enabled, severity, reason, uid, userName, decidedMs }: OperatorOverride): OverrideJson {
  return { rule_id: ruleId, enabled, severity, reason, uid, user_name: userName, decided_ms: decidedMs };
}

/** What was decided, by whom, when and why, in a sentence. */
export function overrideText({ enabled, severity, reason, uid, user_name: userName, decided_ms: decidedMs }: OverrideJson): string {
  const what = [...(enabled === null ? [] : [enabled ? 'enabled' : 'disabled']), ...(severity === null ? [] : [`severity ${severity}`])];
  const who = userName === null ? `uid ${uid}` : `${userName} (uid ${uid})`;
  return `${what.join(', ')} by ${who} at ${localTime(decidedMs)}: ${reason}`;
}

function replyJson({ ruleId, override, state, severity }: RulesOverrideReply): unknown {
  return { id: ruleId, state, severity, override: override === null ? null : overrideJson(override) };
}

function replyText({ ruleId, override, state, severity }: RulesOverrideReply): string {
  const id = displayHostText(ruleId);
  const decided = override === null ? 'nothing is decided about it any more' : displayHostText(overrideText(overrideJson(override)));
  if (state === null) return `${id}: there is no such rule now; ${decided}\n`;
  return `${id}: ${displayHostText(state)}, severity ${severity ?? 'unknown'}; ${decided}\n`;
}
