/**
 * `sentinelcli alerts suppress`: lets findings that are known raise no alert for a while.
 */
import { MAX_SUPPRESSION_MS, MIN_SUPPRESSION_MS, type Suppression } from '@sentineld/model/alert-decision';
import { SentinelError } from '@sentineld/model/error';
import { SuppressionSchema } from '@sentineld/model/reply';
import { requireAgent } from '../agent-requests.ts';
import { suppressionJson, suppressionLines, whereLines } from '../alert-decisions.ts';
import { withAgentReader } from '../alert-store.ts';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { duration, flag, text, texts } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { labelled } from '../output/labelled.ts';
import { isoTime, localTime } from '../output/times.ts';
import { DECISION_OPTIONS, requireReason } from '../rule-decisions.ts';
import { scopeOf } from '../suppression-scope.ts';
import { previewOf, type Preview, type Scope } from '../suppression-store.ts';

const OPTIONS = {
  rule: text('ID', 'Findings of this rule; all that are not critical without --where'),
  alert: text('ID', "Findings like this alert: its rule, and its values of the rule's dedup columns"),
  where: texts('COLUMN=VALUE', 'Those alone whose rows all have this value; may be given again, then all have to hold'),
  for: duration({ leastMs: MIN_SUPPRESSION_MS, mostMs: MAX_SUPPRESSION_MS }, 'How long, from 1h to 90d; has to be given'),
  preview: flag('Only show which alerts of the last 7 days it would have hidden'),
  ...DECISION_OPTIONS,
};

export const alertsSuppress: Command = defineCommand({
  name: 'alerts suppress',
  summary: 'Let findings that are known raise no alert for a while',
  description:
    'What is found so is counted with the suppression and not raised, until its time is over or "alerts unsuppress" ends it; what lasts is an alert then. The rule goes on to run, and other findings of it are alerts as before. It is recorded in the ledger who decided what and why, survives restarts and upgrades, and nothing critical is hidden without a condition.',
  options: OPTIONS,
  examples: [
    { line: 'sentinelcli alerts suppress --alert newest --preview', what: 'what it would have hidden; nothing is changed' },
    {
      line: "sentinelcli alerts suppress --alert newest --for 7d --reason 'an update of ours, ticket 123'",
      what: 'findings like this one raise no alert for a week',
    },
    {
      line: "sentinelcli alerts suppress --rule deleted-executable --where user_name=build --for 1d --reason 'builds replace themselves'",
      what: 'of one rule, and of one user',
    },
  ],
  run: async (context, _words, options) => {
    const given = options.preview ? null : requireGiven(options);
    const scope = scopeOf(context.paths(), options);
    if (given === null) {
      const preview = previewNow(context, scope);
      requireKnownColumns(scope, preview);
      context.terminal.out(
        options.json
          ? `${jsonText({ suppression: null, ...previewJson(scope, preview) }, 2)}\n`
          : scopeText(context, scope) + previewText(context, preview),
      );
      return 0;
    }
    const made = await requireAgent(context.paths(), { request: 'alerts.suppress', ...scope, ...given }, SuppressionSchema);
    tell(context, made, options.json);
    return 0;
  },
});

function requireGiven(options: { readonly for: number | null; readonly reason: string | null }): {
  readonly forMs: number;
  readonly reason: string;
} {
  const reason = requireReason('alerts suppress', options.reason);
  if (options.for !== null) return { forMs: options.for, reason };
  throw new SentinelError('usage.invalid', {
    message: 'alerts suppress needs --for',
    why: 'nothing is suppressed for ever: from 1h to 90d',
    hint: 'write for instance --for 7d',
  });
}

function previewNow(context: CommandContext, scope: Scope): Preview {
  return withAgentReader(context.paths(), (reader) => previewOf(reader, scope, context.now()));
}

/** The agent looks at the rule itself; without it the alerts say which columns there are. */
function requireKnownColumns({ ruleId, conditions }: Scope, { alerts, columns }: Preview): void {
  const unknown = conditions.find(({ column }) => !columns.includes(column));
  if (alerts === 0 || unknown === undefined) return;
  throw new SentinelError('usage.invalid', {
    message: `the alerts of rule ${ruleId} have no column ${unknown.column}`,
    why: `they have ${columns.join(', ')}`,
    hint: `write for instance --where ${columns[0] ?? 'pid'}=VALUE`,
  });
}

function tell(context: CommandContext, made: Suppression, json: boolean): void {
  const preview = previewNow(context, made);
  if (json) context.terminal.out(`${jsonText({ suppression: suppressionJson(made, context.now()), ...previewJson(made, preview) }, 2)}\n`);
  else context.terminal.out(`${suppressionLines(context, made)}${previewText(context, preview)}`);
}

function scopeText(context: CommandContext, { ruleId, conditions }: Scope): string {
  return labelled(context, 'preview', `${ruleId}; nothing was changed`) + labelled(context, '  where', whereLines(conditions));
}

function previewText(context: CommandContext, { sinceMs, alerts, hidden, newest }: Preview): string {
  const more = hidden - newest.length;
  const lines = newest.map(({ id, alertTimeMs, severity, title }) => `${id}  ${localTime(alertTimeMs)}  ${severity}  ${title}`);
  return labelled(context, '  before', [
    `it would have hidden ${hidden} of the ${alerts} alerts of this rule since ${localTime(sinceMs)}`,
    ...lines,
    ...(more > 0 ? [`and ${more} more`] : []),
  ]);
}

function previewJson(
  { ruleId, conditions, alertId }: Scope,
  { sinceMs, alerts, hidden, newest }: Preview,
): Readonly<Record<string, unknown>> {
  return {
    scope: { rule_id: ruleId, conditions, alert_id: alertId },
    preview: {
      since: isoTime(sinceMs),
      alerts,
      hidden,
      newest: newest.map(({ id, alertTimeMs, severity, title }) => ({ id, time: isoTime(alertTimeMs), severity, title })),
    },
  };
}
