/**
 * `sentinelcli alerts ack`: marks alerts as handled.
 */
import { MAX_ACKNOWLEDGED } from '@sentineld/model/alert-decision';
import { SentinelError } from '@sentineld/model/error';
import { AlertsAckReplySchema, type AlertsAckReply } from '@sentineld/model/reply';
import { requireAgent } from '../agent-requests.ts';
import { acknowledgementJson, acknowledgementText } from '../alert-decisions.ts';
import { requireAlert } from '../alert-store.ts';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { flag } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { indentText } from '../output/wrap.ts';
import { DECISION_OPTIONS, requireReason } from '../rule-decisions.ts';

export const alertsAck: Command = defineCommand({
  name: 'alerts ack',
  summary: 'Mark alerts as handled, with a reason',
  description:
    'Who acknowledged an alert, when and why is kept with it and recorded in the ledger; nothing else changes: what is found again is counted on. An alert that is acknowledged already stays as it is, and it is told who was first.',
  positionals: [{ name: 'ID', summary: 'the number in "alerts list", or newest', required: true, repeated: true }],
  options: { again: flag('Also those that are acknowledged already: this reason counts from now on'), ...DECISION_OPTIONS },
  examples: [
    {
      line: "sentinelcli alerts ack newest --reason 'an update of ours, ticket 123'",
      what: 'it is not in "alerts list --unacknowledged" any more',
    },
    { line: "sentinelcli alerts ack 3 4 --again --reason 'it was not that update' --json", what: 'two of them, anew' },
  ],
  run: async (context, words, { reason, again, json }) => {
    const why = requireReason('alerts ack', reason);
    refuseTooMany(words);
    const ids = [...new Set(words.map((word) => requireAlert(context.paths(), word).alert.id))];
    const reply = await requireAgent(context.paths(), { request: 'alerts.ack', ids, again, reason: why }, AlertsAckReplySchema);
    context.terminal.out(json ? `${jsonText(replyJson(reply), 2)}\n` : replyText(context, reply));
    return 0;
  },
});

function refuseTooMany(words: readonly string[]): void {
  if (words.length <= MAX_ACKNOWLEDGED) return;
  throw new SentinelError('usage.invalid', {
    message: `${words.length} alerts at once: not taken`,
    why: `at most ${MAX_ACKNOWLEDGED} are acknowledged at a time, all of them or none`,
    hint: 'give them in several commands',
  });
}

function replyJson({ alerts }: AlertsAckReply): unknown {
  return {
    alerts: alerts.map(({ id, isNew, acknowledgement }) => ({ id, new: isNew, acknowledged: acknowledgementJson(acknowledgement) })),
  };
}

function replyText({ terminal: { width } }: CommandContext, { alerts }: AlertsAckReply): string {
  const lines = alerts.map(({ id, isNew, acknowledgement }) => {
    const said = acknowledgementText(acknowledgement);
    return isNew ? `${id}: ${said}` : `${id}: was ${said}; that stays (--again replaces it)`;
  });
  return lines.map((line) => indentText(line, width, '  ', '')).join('');
}
