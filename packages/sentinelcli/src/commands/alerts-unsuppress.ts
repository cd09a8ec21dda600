/**
 * `sentinelcli alerts unsuppress`: lets findings that were suppressed raise alerts again.
 */
import { SuppressionSchema } from '@sentineld/model/reply';
import { requireAgent } from '../agent-requests.ts';
import { suppressionJson, suppressionLines } from '../alert-decisions.ts';
import { defineCommand, type Command } from '../command.ts';
import { readOrdinal } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { DECISION_OPTIONS, requireReason } from '../rule-decisions.ts';

export const alertsUnsuppress: Command = defineCommand({
  name: 'alerts unsuppress',
  summary: 'End a suppression before its time',
  description:
    'What it hid raises alerts again, at once where it lasts. It is recorded in the ledger who ended it and why, and how much it hid.',
  positionals: [{ name: 'ID', summary: 'the number in "alerts suppressions"', required: true }],
  options: DECISION_OPTIONS,
  examples: [{ line: "sentinelcli alerts unsuppress 1 --reason 'the update is through'", what: 'its findings are alerts again' }],
  run: async (context, [word = ''], { reason, json }) => {
    const id = readOrdinal(`"${word}"`, word, 'sentinelcli alerts suppressions shows the numbers');
    const why = requireReason('alerts unsuppress', reason);
    const ended = await requireAgent(context.paths(), { request: 'alerts.unsuppress', id, reason: why }, SuppressionSchema);
    context.terminal.out(json ? `${jsonText(suppressionJson(ended, context.now()), 2)}\n` : suppressionLines(context, ended));
    return 0;
  },
});
