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
import { renderTable } from '../output/table.ts';
import { localTime } from '../output/times.ts';
import { overrideText } from '../rule-decisions.ts';
import { listRules, type ListedRule } from '../rule-list.ts';
import { scheduleText } from './rules-list.ts';
import { storedVersions, type RuleCostJson, type RuleVersionJson } from '../rule-records.ts';

const LABEL_WIDTH = 14;

export const rulesShow: Command = defineCommand({
  name: 'rules show',
  summary: 'Show one rule: what it finds, what else matches it, its SQL',
  positionals: [{ name: 'ID', summary: 'the id in "rules list"', required: true }],
  options: {
    history: flag('The versions there were, and when each was loaded'),
    json: flag('As JSON; docs/cli.md has its form'),
  },
  examples: [
    { line: 'sentinelcli rules show deleted-executable', what: 'read a rule' },
    { line: 'sentinelcli rules show deleted-executable --json | jq -r .query | sentinelcli query -', what: 'run its SQL by hand' },
    { line: 'sentinelcli rules show deleted-executable --history', what: 'what it was before' },
  ],
  run: async (context, [id = ''], { history, json }) => {
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
    const versions = history ? storedVersions(context.paths(), id) : null;
    if (json) context.terminal.out(`${jsonText(ruleJson(rule, state, versions), 2)}\n`);
    else context.terminal.out(ruleText(context, rule, state) + (versions === null ? '' : historyText(context, versions)));
    return 0;
  },
});

function ruleJson(rule: LoadedRule, state: ListedRule | null, versions: readonly RuleVersionJson[] | null): unknown {
  return {
    id: rule.id,
    name: rule.name,
    description: rule.description,
    severity: state?.severity ?? rule.severity,
    own_severity: rule.severity,
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
    pack: rule.pack ?? null,
    checksum: rule.checksum,
    state: state?.state ?? 'unknown',
    reason: state?.reason ?? null,
    runs: state?.runs ?? null,
    hits: state?.hits ?? null,
    last_ms: state?.last_ms ?? null,
    schedule: rule.schedule ?? 'scan',
    next_run_ms: state?.next_run_ms ?? null,
    looks_at: state?.looks_at ?? null,
    override: state?.override ?? null,
    cost: state?.cost ?? null,
    query: rule.sql,
    ...(versions === null ? {} : { history: versions }),
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
  const severity = state?.severity ?? rule.severity;
  const override = state?.override ?? null;
  const sql = rule.sql.split('\n').map((line) => `  ${displayHostText(line)}\n`);
  return [
    `${severityStyle(styles, severity)(displayHostText(severity.toUpperCase()))}  ${styles.bold(displayHostText(rule.name))}\n\n`,
    part('id', `${rule.id}, version ${rule.version}`),
    part('state', `${state?.state ?? 'unknown'}${figures}`),
    part('reason', state?.reason ?? ''),
    part('schedule', scheduleText(rule.schedule ?? 'scan', state?.next_run_ms ?? null)),
    part('looks at', (state?.looks_at ?? '').replace('_', ' ')),
    part('decided', override === null ? [] : overrideText(override)),
    part('cost', costText(state?.cost ?? null)),
    part('category', rule.category),
    part('tags', rule.tags.join(', ')),
    part(
      'ATT&CK',
      rule.attack.map((id) => `${id} https://attack.mitre.org/techniques/${id.replace('.', '/')}/`),
    ),
    part('author', rule.author),
    part('file', rule.sourcePath),
    part('pack', rule.pack ?? []),
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

function costText(cost: RuleCostJson | null): string | readonly string[] {
  if (cost === null || cost.runs === 0) return [];
  const { runs, rows, hits, total_ms: totalMs, worst_ms: worstMs, overruns, last_run_ms: lastRunMs } = cost;
  const mean = `${(totalMs / runs).toFixed(1)} ms each, ${worstMs.toFixed(1)} ms at worst`;
  return `${runs} runs since it was first loaded, ${mean}; ${hits} with a match, ${rows} rows in all; ${overruns} overruns; last at ${localTime(lastRunMs)}`;
}

function historyText({ terminal: { styles, width } }: CommandContext, versions: readonly RuleVersionJson[]): string {
  if (versions.length === 0) return `\n${styles.dim('history')}\n  none is kept: sentinelagent has not loaded it yet\n`;
  const rows = versions.map(({ version, checksum, first_seen_ms: first, last_seen_ms: last, severity, enabled }) => [
    version,
    checksum.slice(0, 12),
    localTime(first),
    localTime(last),
    severity,
    enabled ? 'yes' : 'no',
  ]);
  const columns = ['version', 'checksum', 'first loaded', 'last seen loaded', 'severity', 'enabled'];
  return `\n${styles.dim('history')}\n${renderTable(columns, rows, { width, styles, cellStyles: {}, empty: '-' }).text}`;
}
