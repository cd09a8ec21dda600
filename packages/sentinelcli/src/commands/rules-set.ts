/**
 * `sentinelcli rules set`: gives a rule another severity than its file does.
 */
import { SentinelError } from '@sentineld/model/error';
import { SEVERITIES } from '@sentineld/model/rule';
import { defineCommand, type Command } from '../command.ts';
import { choice } from '../option.ts';
import { DECISION_DESCRIPTION, DECISION_OPTIONS, RULE_ID, decideRule } from '../rule-decisions.ts';

export const rulesSet: Command = defineCommand({
  name: 'rules set',
  summary: 'Give a rule another severity, also after upgrades',
  description: `Alerts of the rule have this severity from now on; those that were raised keep theirs. ${DECISION_DESCRIPTION}`,
  positionals: RULE_ID,
  options: { severity: choice(SEVERITIES, 'The severity that counts; has to be given'), ...DECISION_OPTIONS },
  examples: [{ line: "sentinelcli rules set deleted-executable --severity low --reason 'updates run all day here'", what: 'alert as low' }],
  run: async (context, [id = ''], { severity, ...given }) => {
    if (severity === null)
      throw new SentinelError('usage.invalid', {
        message: 'rules set needs --severity',
        why: `it sets the severity of a rule: one of ${SEVERITIES.join(', ')}`,
        hint: 'write for instance --severity low',
      });
    return decideRule(context, 'rules set', id, { kind: 'severity', severity }, given);
  },
});
