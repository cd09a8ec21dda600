/**
 * `sentinelcli rules reload`: has the agent load all rules anew, all of them or none, and says what changed.
 */
import { displayHostText } from '@sentineld/model/host-text';
import { RulesReloadReplySchema, type ReloadedRule, type ReloadedRules, type RulesReloadReply } from '@sentineld/model/reply';
import { requireAgent } from '../agent-requests.ts';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { flag } from '../option.ts';
import { jsonText } from '../output/json.ts';
import type { Style } from '../output/styles.ts';
import { indentText } from '../output/wrap.ts';

export const rulesReload: Command = defineCommand({
  name: 'rules reload',
  summary: 'Have the agent load all rules anew, all or nothing',
  description:
    'The built-in rules and all configured directories are read again. Where one file cannot be loaded, or one enabled rule would not be run, the rules that run stay as they are, each fault is shown with its place, and the exit status is 1. Otherwise the new rules take the place of the old ones between two cycles; what a rule has seen and its counts are kept. It is recorded in the ledger who asked, and which rules ran before and after. A SIGHUP to sentinelagent does the same.',
  options: { json: flag('As JSON; docs/cli.md has its form') },
  examples: [
    { line: 'sentinelcli rules reload', what: 'after rule files were changed, checked with "rules validate", and copied' },
    { line: "sentinelcli rules reload --json | jq -r '.changed.rules[].id'", what: 'which rules are others now' },
  ],
  run: async (context, _words, { json }) => {
    const reply = await requireAgent(context.paths(), { request: 'rules.reload' }, RulesReloadReplySchema);
    if (json) context.terminal.out(`${jsonText(reply, 2)}\n`);
    else print(context, reply);
    return reply.taken ? 0 : 1;
  },
});

function print({ terminal }: CommandContext, reply: RulesReloadReply): void {
  const { styles, width, out } = terminal;
  const { problems, added, removed, changed, unchanged } = reply;
  if (!reply.taken) {
    for (const line of problems.lines) out(indentText(line, width, '    ', '  - '));
    if (problems.count > problems.lines.length) out(`  and ${problems.count - problems.lines.length} more, in the log of sentinelagent\n`);
    const faults = `${problems.count} ${problems.count === 1 ? 'fault' : 'faults'}`;
    out(`${styles.red(`not reloaded: ${faults}`)}\nThe rules that ran before go on as they were.\n`);
    return;
  }
  out(listed('added', styles.green, added) + listed('removed', styles.yellow, removed) + listed('changed', styles.yellow, changed));
  out(`${styles.green('reloaded')}: ${added.count} added, ${removed.count} removed, ${changed.count} changed, ${unchanged} unchanged\n`);
}

function listed(label: string, style: Style, { count, rules }: ReloadedRules): string {
  const more = count > rules.length ? `${label.padEnd(8)} and ${count - rules.length} more\n` : '';
  return rules.map((rule) => `${style(label.padEnd(8))} ${ruleText(rule)}\n`).join('') + more;
}

/** Checksums by their beginnings, as people compare them. */
function ruleText({ id, version, checksum, was }: ReloadedRule): string {
  const now = `version ${version}, ${displayHostText(checksum.slice(0, 12))}`;
  const before = was === null ? '' : ` (was version ${was.version}, ${displayHostText(was.checksum.slice(0, 12))})`;
  return `${displayHostText(id)}  ${now}${before}`;
}
