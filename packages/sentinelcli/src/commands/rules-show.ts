/**
 * `sentinelcli rules show`: one rule, from what it looks for to its SQL.
 */
import { SentinelError } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';
import type { LoadedRule } from '@sentineld/detection/rules/rule-document';
import { nearestWord } from '@sentineld/runtime/config/nearest-word';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { flag } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { severityStyle } from '../output/styles.ts';
import { indentText, paragraphsOf } from '../output/wrap.ts';
import { configuredRules } from '../rule-files.ts';
import { listRules, type ListedRule } from '../rule-list.ts';

const LABEL_WIDTH = 14;

export const rulesShow: Command = defineCommand({
  name: 'rules show',
  summary: 'Show one rule: what it finds, what else matches it, its SQL',
  positionals: [{ name: 'ID', summary: 'the id in "rules list"', required: true }],
  options: { json: flag('As JSON; docs/cli.md has its form') },
  examples: [
    { line: 'sentinelcli rules show deleted-executable', what: 'read a rule' },
    { line: 'sentinelcli rules show deleted-executable --json | jq -r .query | sentinelcli query -', what: 'run its SQL by hand' },
  ],
  run: async (context, [id = ''], { json }) => {
    const { rules } = configuredRules(context.config().config);
    const rule = rules.find((candidate) => candidate.id === id);
    if (rule === undefined) {
      const nearest = nearestWord(
        id,
        rules.map((candidate) => candidate.id),
      );
      throw new SentinelError('usage.invalid', {
        message: `there is no rule ${id}`,
        why: `none of the ${rules.length} rules that are loaded has this id`,
        hint: nearest === null ? 'sentinelcli rules list shows those there are' : `did you mean ${nearest}?`,
      });
    }
    const list = await listRules(context);
    const state = list.rules.find((listed) => listed.id === id) ?? null;
    context.terminal.out(json ? `${jsonText(ruleJson(rule, state), 2)}\n` : ruleText(context, rule, state));
    return 0;
  },
});

function ruleJson(rule: LoadedRule, state: ListedRule | null): unknown {
  return {
    id: rule.id,
    name: rule.name,
    description: rule.description,
    severity: rule.severity,
    category: rule.category,
    tags: rule.tags,
    attack: rule.attack,
    version: rule.version,
    author: rule.author,
    references: rule.references,
    false_positives: rule.falsePositives,
    dedup: rule.dedupKeys,
    enabled: rule.enabled,
    source: rule.source,
    path: rule.sourcePath,
    checksum: rule.checksum,
    state: state?.state ?? 'unknown',
    reason: state?.reason ?? null,
    runs: state?.runs ?? null,
    hits: state?.hits ?? null,
    last_ms: state?.last_ms ?? null,
    query: rule.sql,
  };
}

function ruleText({ terminal: { styles, width } }: CommandContext, rule: LoadedRule, state: ListedRule | null): string {
  const indent = ' '.repeat(LABEL_WIDTH);
  const part = (label: string, texts: string | readonly string[]): string =>
    texts.length === 0 ? '' : indentText(texts, width, indent, `${styles.dim(label)}${indent.slice(label.length)}`);
  const figures =
    state === null || state.runs === null
      ? ''
      : `, ${state.runs} runs, ${state.hits ?? 0} with a match${state.last_ms === null ? '' : `, the last took ${state.last_ms.toFixed(1)} ms`}`;
  const sql = rule.sql.split('\n').map((line) => `  ${displayHostText(line)}\n`);
  return [
    `${severityStyle(styles, rule.severity)(rule.severity.toUpperCase())}  ${styles.bold(displayHostText(rule.name))}\n\n`,
    part('id', `${rule.id}, version ${rule.version}`),
    part('state', `${state?.state ?? 'unknown'}${figures}`),
    part('reason', state?.reason ?? ''),
    part('category', rule.category),
    part('tags', rule.tags.join(', ')),
    part(
      'ATT&CK',
      rule.attack.map((id) => `${id} https://attack.mitre.org/techniques/${id.replace('.', '/')}/`),
    ),
    part('author', rule.author),
    part('file', rule.sourcePath),
    '\n',
    part('finds', paragraphsOf(rule.description)),
    '\n',
    ...(rule.falsePositives === '' ? [] : [part('also matches', paragraphsOf(rule.falsePositives)), '\n']),
    part('references', rule.references),
    part('same when', `${rule.dedupKeys.join(', ')} are equal: then repeats are counted, not alerted`),
    `\n${styles.dim('query')}\n`,
    ...sql,
  ].join('');
}
