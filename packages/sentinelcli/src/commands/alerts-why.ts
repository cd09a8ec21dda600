/**
 * `sentinelcli alerts why`: why one alert was raised, condition by condition, and what else is known around it.
 */
import { displayHostText } from '@sentineld/model/host-text';
import type { JudgedCondition } from '@sentineld/detection/explain/judge-conditions';
import { acknowledgementText } from '../alert-decisions.ts';
import { requireAlert, type StoredAlert } from '../alert-store.ts';
import { explainAlert, type AlertWhy, type Known } from '../alert-why.ts';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { flag } from '../option.ts';
import { alertTitle } from '../output/alert-title.ts';
import { fitCells } from '../output/cells.ts';
import { commandText } from '../output/command-text.ts';
import { jsonText } from '../output/json.ts';
import { LABEL_WIDTH, labelled } from '../output/labelled.ts';
import { isoTime, localTime } from '../output/times.ts';
import { indentText } from '../output/wrap.ts';
import type { TreeProcess } from '../tree-report.ts';
import { alertJson } from './alerts-list.ts';

const MOST_VALUE_CELLS = 60;
const MOST_TEXT_CELLS = 160;
const MOST_COMMAND_CELLS = 200;
/** Of alternatives that did not hold. */
const MOST_OTHERS = 3;

export const alertsWhy: Command = defineCommand({
  name: 'alerts why',
  summary: 'Show why an alert was raised, condition by condition',
  description:
    'Takes the conditions of the rule one by one and holds them, with the rule as it was, against the rows that were kept with the alert: + held, - did not, ? cannot be told from the row. With the ancestry and the coverage of the scan, the number of the entry in the ledger, and alerts of the rule before it, as far as they are kept and may be read.',
  positionals: [{ name: 'ID', summary: 'the number in "alerts list", or newest', required: true }],
  options: { json: flag('As JSON; docs/cli.md has its form') },
  examples: [
    { line: 'sentinelcli alerts why newest', what: 'the conditions, the ancestry, what was not seen' },
    { line: 'sentinelcli alerts why newest --json | jq .rule.conditions', what: 'for another tool' },
  ],
  run: async (context, [word = ''], { json }) => {
    const { alert } = requireAlert(context.paths(), word);
    const why = await explainAlert(context.paths(), alert);
    context.terminal.out(json ? `${jsonText(whyJson(alert, why), 2)}\n` : story(context, alert, why));
    return 0;
  },
});

function story(context: CommandContext, alert: StoredAlert, { rule, ancestry, coverage, ledger, before }: AlertWhy): string {
  const part = (label: string, texts: string | readonly string[]): string => labelled(context, label, texts);
  return [
    alertTitle(context.terminal, alert),
    '\n',
    part('alert', `${alert.id}, raised ${localTime(alert.alertTimeMs)}; scan ${alert.scanId ?? 'none'}`),
    part('handled', alert.acknowledged === null ? [] : [acknowledgementText(alert.acknowledged)]),
    part('rule', `${alert.ruleId} version ${alert.ruleVersion}: ${alert.ruleName}`),
    '\n',
    ...told(
      rule,
      ({ sql, conditions }) => [
        ...(conditions ?? []).flatMap((judged, row) => [
          conditionsText(context, conditions?.length === 1 ? 'conditions' : `row ${row + 1}`, judged),
          '\n',
        ]),
        ...(conditions === null
          ? [part('conditions', 'none that a row could be held against: the query is not one SELECT with a WHERE'), '\n']
          : []),
        queryText(context, sql),
        '\n',
      ],
      (why) => [part('conditions', `not known: ${why}`), '\n'],
    ),
    part(
      'ancestry',
      told(
        ancestry,
        (nodes) => nodes.map(processLine),
        (why) => [`not known: ${why}`, ...parentLine(alert)],
      ),
    ),
    part(
      'coverage',
      told(
        coverage,
        (row) => [typeof row['reason'] === 'string' ? displayHostText(row['reason']) : 'everything was seen in the interval of the scan'],
        notKnown,
      ),
    ),
    part(
      'ledger',
      told(ledger, ({ sequence, entryHash }) => [`entry ${sequence}, ${entryHash}`], notKnown),
    ),
    part('before', beforeLines(before)),
  ].join('');
}

/** As it is written: whoever looks at it knows it by its lines. */
function queryText(context: CommandContext, sql: string): string {
  const lines = sql
    .trimEnd()
    .split('\n')
    .map((line) => `  ${displayHostText(line)}\n`);
  return [labelled(context, 'query', `of ${lines.length} ${lines.length === 1 ? 'line' : 'lines'}`), ...lines].join('');
}

function told<Value>(
  known: Known<Value>,
  tell: (value: Value) => readonly string[],
  otherwise: (why: string) => readonly string[],
): readonly string[] {
  return 'why' in known ? otherwise(known.why) : tell(known.value);
}

function notKnown(why: string): readonly string[] {
  return [`not known: ${displayHostText(why)}`];
}

type ConditionLine = { readonly depth: number; readonly text: string };

/** One line a condition, what belongs together below its "one of" or "all of". */
function conditionsText(context: CommandContext, label: string, judged: JudgedCondition): string {
  const { width } = context.terminal;
  const [first, ...rest] = conditionLines(judged, 0);
  const indent = ' '.repeat(LABEL_WIDTH);
  return [
    labelled(context, label, first?.text ?? ''),
    ...rest.map(({ depth, text }) => indentText(text, width, `${indent}${'  '.repeat(depth)}`)),
  ].join('');
}

function conditionLines(judged: JudgedCondition, depth: number): readonly ConditionLine[] {
  const { kind, held, why, parts } = judged;
  const mark = held === null ? '?' : held ? '+' : '-';
  const line = (text: string): ConditionLine => ({ depth, text: `${mark} ${text}` });
  const below = (some: readonly JudgedCondition[]): readonly ConditionLine[] => some.flatMap((part) => conditionLines(part, depth + 1));
  if (kind === 'test') return [line(`${textOf(judged)}${valuesText(judged)}`)];
  if (kind === 'unknown') return [line(`${textOf(judged)} (${why})`)];
  if (kind === 'all') return depth === 0 ? parts.flatMap((part) => conditionLines(part, 0)) : [line('all of'), ...below(parts)];
  const holding = parts.filter((part) => part.held !== false);
  const others = parts.filter((part) => part.held === false);
  const more = others.length - MOST_OTHERS;
  return [
    line('one of'),
    ...below([...holding, ...others.slice(0, MOST_OTHERS)]),
    ...(more > 0 ? [{ depth: depth + 1, text: `- and ${more} more that did not hold` }] : []),
  ];
}

/** A query may be written over many lines. */
function textOf({ text }: JudgedCondition): string {
  return fitCells(displayHostText(text.replaceAll(/\s+/g, ' ')), MOST_TEXT_CELLS);
}

function valuesText({ values }: JudgedCondition): string {
  const list = Object.entries(values).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? fitCells(jsonText(value), MOST_VALUE_CELLS) : value}`,
  );
  return list.length === 0 ? '' : ` [${list.join(', ')}]`;
}

function processLine({ pid, name, userName, startMs, argv }: TreeProcess): string {
  const command = argv === null || argv.length === 0 ? displayHostText(name) : fitCells(commandText(argv), MOST_COMMAND_CELLS);
  return `${pid} ${displayHostText(userName ?? '?')} ${localTime(startMs)} ${command}`;
}

/** What the alert itself keeps. */
function parentLine({ processes: [first] }: StoredAlert): readonly string[] {
  if (first?.ppid === null || first === undefined) return [];
  const command = first.parentCmdline ?? first.parentExe ?? first.parentName ?? '';
  return [`parent then: ${first.ppid} ${fitCells(displayHostText(command), MOST_COMMAND_CELLS)}`];
}

function beforeLines({ count, newest }: AlertWhy['before']): readonly string[] {
  if (count === 0) return ['the first alert of this rule'];
  const more = count - newest.length;
  return [
    ...newest.map(
      ({ id, alertTimeMs, title, repeats }) =>
        `${id}  ${localTime(alertTimeMs)}  ${displayHostText(title)}${repeats > 0 ? `, seen ${repeats + 1} times` : ''}`,
    ),
    ...(more > 0 ? [`and ${more} more`] : []),
  ];
}

function whyJson(alert: StoredAlert, { rule, ancestry, coverage, ledger, before }: AlertWhy): unknown {
  return {
    alert: alertJson(alert),
    rule: 'why' in rule ? { not_known: rule.why } : { sql: rule.value.sql, conditions: rule.value.conditions?.map(conditionJson) ?? null },
    ancestry: 'why' in ancestry ? { not_known: ancestry.why } : ancestry.value.map(processJson),
    coverage: 'why' in coverage ? { not_known: coverage.why } : coverage.value,
    ledger: 'why' in ledger ? { not_known: ledger.why } : { sequence: ledger.value.sequence, entry_hash: ledger.value.entryHash },
    before: {
      count: before.count,
      newest: before.newest.map(({ id, alertTimeMs, title, repeats }) => ({ id, time: isoTime(alertTimeMs), title, repeats })),
    },
  };
}

function conditionJson({ kind, text, held, why, values, parts }: JudgedCondition): unknown {
  const common = { kind, text, held };
  if (kind === 'unknown') return { ...common, why };
  return kind === 'test' ? { ...common, values, ...(why === null ? {} : { why }) } : { ...common, parts: parts.map(conditionJson) };
}

function processJson({ pid, ppid, name, exePath, argv, userName, startMs }: TreeProcess): unknown {
  return { pid, ppid, name, exe_path: exePath, argv, user: userName, started: isoTime(startMs) };
}
