/**
 * The functions that a statement may call, by the reason why. Whatever can allocate at will, reach outside the
 * database, name its version or file, or tell one run from another is left out.
 */
import type { Refusal } from '@sentineld/model/rule';
import type { AstNode } from 'sqlite3-parser';
import { boundsOf, foldName, refusal, type SqlPolicy } from './policy.ts';
import type { Statement } from './statement.ts';

export type FunctionGroup = { readonly why: string; readonly names: readonly string[] };

/** All of them are pure: they compute from their arguments, and their result is capped by SQLite's length limit. */
export const OFFERED_FUNCTIONS: readonly FunctionGroup[] = [
  {
    why: 'counting and adding up',
    names: ['count', 'sum', 'total', 'avg', 'min', 'max', 'median', 'percentile', 'group_concat', 'string_agg'],
  },
  {
    why: 'order and neighbours within a window',
    names: [
      'row_number',
      'rank',
      'dense_rank',
      'percent_rank',
      'cume_dist',
      'ntile',
      'lag',
      'lead',
      'first_value',
      'last_value',
      'nth_value',
    ],
  },
  { why: 'choosing a value', names: ['coalesce', 'ifnull', 'nullif', 'iif', 'if', 'likely', 'unlikely', 'likelihood'] },
  { why: 'looking at text', names: ['length', 'octet_length', 'instr', 'substr', 'substring', 'unicode', 'typeof'] },
  {
    why: 'changing text',
    names: ['lower', 'upper', 'trim', 'ltrim', 'rtrim', 'replace', 'concat', 'concat_ws', 'char', 'hex', 'unhex', 'quote'],
  },
  { why: 'writing a line; the format is a literal and its widths are bounded', names: ['printf', 'format'] },
  { why: 'reading JSON columns', names: ['json', 'json_valid', 'json_type', 'json_extract', 'json_array_length', 'json_error_position'] },
  {
    why: 'making JSON of rows',
    names: [
      'json_array',
      'json_object',
      'json_quote',
      'json_group_array',
      'json_group_object',
      'json_set',
      'json_insert',
      'json_replace',
      'json_remove',
      'json_patch',
    ],
  },
  { why: 'times', names: ['date', 'time', 'datetime', 'julianday', 'unixepoch', 'strftime', 'timediff'] },
  {
    why: 'arithmetic',
    names: [
      'abs',
      'round',
      'sign',
      'ceil',
      'ceiling',
      'floor',
      'trunc',
      'mod',
      'pow',
      'power',
      'sqrt',
      'exp',
      'ln',
      'log',
      'log2',
      'log10',
    ],
  },
];

/** Functions that operators and keywords become: SQLite asks the authorizer about them, a statement may not call them. */
const FUNCTIONS_OF_OPERATORS = ['like', 'glob', 'regexp', '->', '->>', 'current_date', 'current_time', 'current_timestamp'];

const OFFERED: ReadonlySet<string> = new Set(OFFERED_FUNCTIONS.flatMap(({ names }) => names));

/** What the authorizer lets through. */
export const AUTHORIZED_FUNCTIONS: ReadonlySet<string> = new Set([...OFFERED, ...FUNCTIONS_OF_OPERATORS]);

const HINTS: Readonly<Record<string, string>> = {
  regexp: "Use the operator: x REGEXP 'expression'.",
  regex_match: "Use the operator: x REGEXP 'expression'.",
  like: 'Use the operator: x LIKE pattern.',
  glob: 'Use the operator: x GLOB pattern.',
  match: 'Full-text search is not offered.',
  zeroblob: 'It makes values of any size.',
  randomblob: 'It makes values of any size.',
  random: 'A rule gives the same answer for the same scan.',
  load_extension: 'It runs code from a file.',
};

const FORMAT_FUNCTIONS = ['printf', 'format'];
const CONVERSION = /%[-+ 0#,!]*(?<width>\*|\d*)(?:\.(?<precision>\*|\d*))?(?<kind>.?)/gsu;

export function checkFunctions({ nodes }: Statement, policy: SqlPolicy): Refusal | undefined {
  const bounds = boundsOf(policy);
  for (const node of nodes) {
    if (node.type !== 'FunctionCallExpr' && node.type !== 'FunctionCallStarExpr') continue;
    const name = foldName(node.name.name);
    if (!OFFERED.has(name)) {
      return refusal(
        'function',
        `The function ${node.name.name} is not offered. ${HINTS[name] ?? 'docs/rules.md lists the functions that are.'}`,
        node.name.span,
      );
    }
    const args = node.type === 'FunctionCallExpr' ? (node.args ?? []) : [];
    if (args.length > bounds.maxArguments)
      return refusal('limit', `${name}() has ${args.length} arguments, at most ${bounds.maxArguments} are taken.`, node.span);
    const wrong = FORMAT_FUNCTIONS.includes(name) ? formatFault(args[0], bounds.maxFormatWidth) : undefined;
    if (wrong !== undefined) return refusal('function', `${name}(): ${wrong}`, args[0]?.span ?? node.span);
  }
  return undefined;
}

function formatFault(format: AstNode | undefined, maxWidth: number): string | undefined {
  if (format?.type !== 'StringLiteral') return 'the format has to be a literal text.';
  for (const { groups } of format.value.matchAll(CONVERSION)) {
    for (const size of [groups?.['width'], groups?.['precision']]) {
      if (size === '*') return 'the width has to be written in the format, not given as *.';
      if (Number(size ?? 0) > maxWidth) return `a width is at most ${maxWidth}.`;
    }
    if (!'diufeEgGxXoscqQw%'.includes(groups?.['kind'] ?? '')) return `the format has no conversion %${groups?.['kind'] ?? ''}.`;
  }
  return undefined;
}
