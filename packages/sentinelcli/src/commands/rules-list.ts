/**
 * `sentinelcli rules list`: every rule, whether it runs, and what it found.
 */
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { flag } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { severityStyle, type Style, type Styles } from '../output/styles.ts';
import { renderTable } from '../output/table.ts';
import { localTime } from '../output/times.ts';
import { indentText } from '../output/wrap.ts';
import { overrideText } from '../rule-decisions.ts';
import { listRules, type RuleList } from '../rule-list.ts';

export const rulesList: Command = defineCommand({
  name: 'rules list',
  summary: 'List the rules, whether they run, and how often they matched',
  description:
    'Asks the agent. Where it is not running the rules are listed as their files have them, which is said; whether their SQL is accepted is then not known ("rules validate" tells).',
  options: { json: flag('As JSON; docs/cli.md has its form') },
  examples: [
    { line: 'sentinelcli rules list', what: 'what is looked for on this host' },
    { line: 'sentinelcli rules list --json | jq -r \'.rules[] | select(.state != "active") | .id\'', what: 'rules that do not run' },
  ],
  run: async (context, _words, { json }) => {
    const list = await listRules(context);
    if (json) context.terminal.out(`${jsonText(list, 2)}\n`);
    else print(context, list);
    return 0;
  },
});

function print({ terminal }: CommandContext, { why, rules, problems, overrides_without_rule: without }: RuleList): void {
  const { styles, width } = terminal;
  if (why !== null)
    terminal.err(indentText(`sentinelagent cannot be asked (${why}): shown are the rules as their files have them.`, width, ''));
  const rows = rules.map(({ id, severity, state, hits, runs, name }) => [
    id,
    severity,
    state,
    runs === null ? null : `${hits ?? 0}/${runs}`,
    name,
  ]);
  const cellStyles = {
    severity: (value: unknown) => severityStyle(styles, String(value)),
    state: (value: unknown) => stateStyle(styles, String(value)),
  };
  terminal.out(
    renderTable(['id', 'severity', 'state', 'hits/runs', 'name'], rows, { width, styles, cellStyles, empty: '-', whole: ['id'] }).text,
  );
  for (const { id, reason } of rules) if (reason !== null) terminal.out(indentText(reason, width, '  ', `${id}: `));
  for (const { id, schedule, next_run_ms: next } of rules)
    if (schedule !== 'scan') terminal.out(indentText(scheduleText(schedule, next), width, '  ', `${id}: `));
  for (const { id, override } of rules) if (override !== null) terminal.out(indentText(overrideText(override), width, '  ', `${id}: `));
  if (without.length > 0)
    terminal.out(
      `${styles.yellow('decided about rules that are not there')}\n${without.map((one) => indentText(`${one.rule_id}: ${overrideText(one)}`, width, '    ', '  - ')).join('')}`,
    );
  if (problems.length > 0)
    terminal.out(`${styles.yellow('not loaded')}\n${problems.map((problem) => indentText(problem, width, '    ', '  - ')).join('')}`);
}

/** When a rule runs that does not look at every scan. */
export function scheduleText(schedule: string, nextMs: number | null): string {
  return nextMs === null ? schedule : `${schedule}, next with the first scan from ${localTime(nextMs)} on`;
}

function stateStyle(styles: Styles, state: string): Style {
  if (state === 'active') return styles.green;
  return state === 'refused' || state === 'quarantined' ? styles.red : styles.dim;
}
