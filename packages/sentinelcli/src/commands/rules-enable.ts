/**
 * `sentinelcli rules enable`: lets a rule run, whatever its file or the configuration says.
 */
import { defineCommand, type Command } from '../command.ts';
import { DECISION_DESCRIPTION, DECISION_OPTIONS, RULE_ID, decideRule } from '../rule-decisions.ts';

export const rulesEnable: Command = defineCommand({
  name: 'rules enable',
  summary: 'Let a rule run, whatever its file says',
  description: `Its SQL is looked at before; a rule that would be refused is not enabled. One that was set aside because it overran is tried again. ${DECISION_DESCRIPTION}`,
  positionals: RULE_ID,
  options: DECISION_OPTIONS,
  examples: [
    { line: "sentinelcli rules enable deleted-executable --reason 'build hosts are quiet now'", what: 'it runs with the next scan' },
  ],
  run: (context, [id = ''], given) => decideRule(context, 'rules enable', id, { kind: 'enable' }, given),
});
