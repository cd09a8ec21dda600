/**
 * `sentinelcli rules disable`: keeps a rule from being run, also after upgrades.
 */
import { defineCommand, type Command } from '../command.ts';
import { DECISION_DESCRIPTION, DECISION_OPTIONS, RULE_ID, decideRule } from '../rule-decisions.ts';

export const rulesDisable: Command = defineCommand({
  name: 'rules disable',
  summary: 'Keep a rule from being run, also after upgrades',
  description: DECISION_DESCRIPTION,
  positionals: RULE_ID,
  options: DECISION_OPTIONS,
  examples: [{ line: "sentinelcli rules disable deleted-executable --reason 'noisy on build hosts'", what: 'it is not run any more' }],
  run: (context, [id = ''], given) => decideRule(context, 'rules disable', id, { kind: 'disable' }, given),
});
