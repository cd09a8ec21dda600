/**
 * `sentinelcli rules reset`: takes back what operators decided about a rule.
 */
import { defineCommand, type Command } from '../command.ts';
import { DECISION_OPTIONS, RULE_ID, decideRule } from '../rule-decisions.ts';

export const rulesReset: Command = defineCommand({
  name: 'rules reset',
  summary: 'Take back what was decided about a rule',
  description:
    'The rule is again as its file and the configuration have it. That of a rule that is not there any more is taken back too. It is recorded in the ledger who did it and why.',
  positionals: RULE_ID,
  options: DECISION_OPTIONS,
  examples: [
    { line: "sentinelcli rules reset deleted-executable --reason 'fixed upstream'", what: 'its own state and severity hold again' },
  ],
  run: (context, [id = ''], given) => decideRule(context, 'rules reset', id, { kind: 'reset' }, given),
});
