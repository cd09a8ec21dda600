/**
 * The rule file: its keys, what belongs in each, and how it becomes a rule. The SQL is text here; it is parsed
 * elsewhere, in a confined process.
 */
import { createHash } from 'node:crypto';
import { SEVERITIES, type Rule, type RuleSource, type SqlPosition } from '@sentineld/model/rule';
import { z } from 'zod';
import type { FilePlace, LoadProblem } from './load-problem.ts';
import { nearestWord } from '@sentineld/runtime/config/nearest-word';
import { type YamlFile, parseYaml } from './parse-yaml.ts';
import type { RuleFile, RuleFileRead } from './read-rule-file.ts';
import { parseSchedule } from './schedule.ts';
import { type KeySummaries, problemsFromIssues } from './schema-problems.ts';

/** A rule as its file has it: with what only people read, and with places for messages. */
export type LoadedRule = Rule & {
  readonly references: readonly string[];
  readonly falsePositives: string;
  /** Under which licence the rule may be passed on; left out where its file does not say. */
  readonly license?: string;
  readonly places: RulePlaces;
  /** The pack it belongs to, as name@version; left out where it lies by itself. */
  readonly pack?: string;
  /** The manifest of that pack. */
  readonly packManifest?: string;
};

export type RulePlaces = {
  readonly id: FilePlace;
  /** The key; the file's beginning where the default is used. */
  readonly dedup: FilePlace;
  readonly query: FilePlace;
  /** Where line 1, column 1 of the SQL stands; null where the query is not a `|` block. */
  readonly sql: FilePlace | null;
  /** The file beside it that has the query; left out where the query stands in the rule's own file. */
  readonly sqlFile?: string;
};

export type ParsedRule =
  | { readonly ok: true; readonly rule: LoadedRule }
  | { readonly ok: false; readonly problems: readonly LoadProblem[] };

/** Every key of a rule file and what belongs there; docs/rules.md has the same list. */
export const RULE_KEYS: KeySummaries = {
  id: 'Small letters, digits and single hyphens, at most 64, beginning with a letter, or a UUID; it never changes.',
  name: 'One line, at most 120 characters.',
  description: 'What the rule finds and what to do about it, at most 4000 characters.',
  severity: 'low, medium, high or critical.',
  category: 'A word such as an ATT&CK tactic: small letters, digits and hyphens.',
  version: 'A whole number from 1, raised when the query changes.',
  query: 'One SELECT, as a text (write it after "query: |"); left out where the file of the same name ending in .sql has it.',
  tags: 'A list of words: small letters, digits, dots, hyphens, underscores.',
  attack: 'A list of ATT&CK technique ids: T1059 or T1059.004.',
  author: 'One line, at most 500 characters.',
  license: 'One line: the licence under which the rule may be passed on.',
  dedup: 'A list of 1 to 8 columns of the result that make two findings the same; [pid, start_time] if left out.',
  dedup_with: 'The id of another rule: what that rule found with equal values of its dedup columns is the same finding.',
  schedule:
    'scan (the default), events (of rules over new events), "every 5m" (s, m or h, from 1s to 24h), or "cron: 0 3 * * *" between quotes.',
  enabled: 'true or false; true if left out.',
  references: 'A list of at most 20 lines: URLs or titles.',
  false_positives: 'What ordinary behaviour also matches, at most 4000 characters.',
};

const DEFAULT_DEDUP = ['pid', 'start_time'];
const YAML_LIMITS = { maxNodes: 1_000, maxDepth: 8 };

/** A text of one line without anything that cannot be seen. */
export const line = (maxLength: number): z.ZodString =>
  z
    .string('it is not a text')
    .trim()
    .min(1, 'it is empty')
    .max(maxLength, `it is longer than ${maxLength}`)
    .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u, 'it holds a line break, control or invisible character');
const prose = (): z.ZodString =>
  z
    .string('it is not a text')
    .trim()
    .max(4_000, 'it is longer than 4000')
    .regex(/^[^\p{Cf}\p{Zl}\p{Zp}\x00-\x08\x0b-\x1f\x7f-\x9f]*$/u, 'it holds a control or invisible character');
const words = (pattern: RegExp, problem: string, max: number): z.ZodArray<z.ZodString> =>
  z
    .array(z.string('it is not a text').max(64, 'it is longer than 64').regex(pattern, problem), 'it is not a list')
    .max(max, `it has more than ${max} entries`)
    .refine((list) => new Set(list).size === list.length, 'an entry is given twice');

/** A rule that was converted keeps the id it has elsewhere: Sigma's are UUIDs. */
const RULE_ID = /^(?:[a-z][a-z0-9]*(-[a-z0-9]+)*|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

const ruleId = (): z.ZodString =>
  z.string('it is not a text').max(64, 'it is longer than 64').regex(RULE_ID, 'it is not of the form some-rule-id');

const DOCUMENT = z.strictObject({
  id: ruleId(),
  name: line(120),
  description: prose().min(1, 'it is empty'),
  severity: z.enum(SEVERITIES, { error: (issue) => severityMessage(issue.input) }),
  category: z
    .string('it is not a text')
    .max(64, 'it is longer than 64')
    .regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, 'it is not a word of small letters'),
  version: z.int('it is not a whole number').min(1, 'it is below 1'),
  query: z.string('it is not a text').refine((text) => text.trim() !== '', 'it is empty'),
  tags: words(/^[a-z0-9][a-z0-9._-]*$/, 'it is not a word of small letters', 20).default([]),
  attack: words(/^T\d{4}(\.\d{3})?$/, 'it is not a technique id', 20).default([]),
  author: line(500).default(''),
  license: line(120).optional(),
  dedup: words(/^[A-Za-z_][A-Za-z0-9_]*$/, 'it is not a column name', 8)
    .min(1, 'it is empty')
    .default(DEFAULT_DEDUP),
  dedup_with: ruleId().optional(),
  schedule: z
    .string('it is not a text')
    .superRefine((text, context) => {
      const parsed = parseSchedule(text);
      if (!parsed.ok) context.addIssue({ code: 'custom', message: parsed.problem });
    })
    .optional(),
  enabled: z.boolean('it is neither true nor false').default(true),
  references: z.array(line(300), 'it is not a list').max(20, 'it has more than 20 entries').default([]),
  false_positives: prose().default(''),
});

function severityMessage(input: unknown): string {
  const nearest = typeof input === 'string' ? nearestWord(input, SEVERITIES) : null;
  return nearest === null ? 'there is no such severity' : `there is no such severity; did you mean ${nearest}?`;
}

/** A rule from its file's text; `readSql` gives the file beside it that may have the query, null where there is none. */
export function parseRule(file: RuleFile, source: RuleSource, readSql: () => RuleFileRead | null = () => null): ParsedRule {
  const parsed = parseYaml(file.text, file.path, YAML_LIMITS);
  if (!parsed.ok) return parsed;
  const { yaml } = parsed;
  if (yaml.value === null)
    return {
      ok: false,
      problems: [{ file: file.path, line: 1, column: 1, message: 'The file is empty', hint: 'Write a rule, or remove the file.' }],
    };
  const sql = separateQuery(yaml, readSql);
  if (!sql.ok) return sql;
  const checked = DOCUMENT.safeParse(sql.file === null ? yaml.value : { ...sql.document, query: sql.file.text });
  if (!checked.success) {
    const named = idOf(yaml.value);
    return { ok: false, problems: problemsFromIssues(checked.error.issues, yaml, RULE_KEYS).map((problem) => ({ ...problem, ...named })) };
  }
  const { query, dedup, dedup_with: dedupWith, license, schedule, false_positives: falsePositives, ...rest } = checked.data;
  return {
    ok: true,
    rule: {
      ...rest,
      sql: query.trimEnd(),
      dedupKeys: dedup,
      ...(dedupWith === undefined ? {} : { dedupWith }),
      ...(license === undefined ? {} : { license }),
      ...(schedule === undefined || schedule.trim() === 'scan' ? {} : { schedule: schedule.trim() }),
      falsePositives,
      source,
      sourcePath: file.path,
      checksum: sql.file === null ? file.checksum : checksumOfPair(file, sql.file),
      places: sql.file === null ? placesOf(yaml, file.text) : placesOfPair(yaml, sql.file),
    },
  };
}

type SeparateQuery =
  | { readonly ok: true; readonly document: object; readonly file: RuleFile | null }
  | { readonly ok: false; readonly problems: readonly LoadProblem[] };

/** The file that has the query where the rule's own does not. Two queries are one too many: nobody could say which is run. */
function separateQuery(yaml: YamlFile, readSql: () => RuleFileRead | null): SeparateQuery {
  const document = typeof yaml.value === 'object' && yaml.value !== null ? yaml.value : {};
  const read = readSql();
  if (read === null) return { ok: true, document, file: null };
  const refused = (problem: LoadProblem): SeparateQuery => ({ ok: false, problems: [{ ...problem, ...idOf(yaml.value) }] });
  if ('query' in document) {
    const path = read.ok ? read.file.path : read.problem.file;
    const message = `The query stands here and in ${path}`;
    return refused({ file: yaml.file, ...yaml.placeOfKey(['query']), key: 'query', message, hint: 'Remove one of them.' });
  }
  if (!read.ok) return refused(read.problem);
  if (read.file.text.trim() !== '') return { ok: true, document, file: read.file };
  return refused({ file: read.file.path, line: 1, column: 1, message: 'The file is empty', hint: 'Write the query, one SELECT.' });
}

/** A change of either file changes it. */
function checksumOfPair(rule: RuleFile, sql: RuleFile): string {
  return createHash('sha256').update(`${rule.checksum}\n${sql.checksum}\n`).digest('hex');
}

function placesOfPair(yaml: YamlFile, sql: RuleFile): RulePlaces {
  const start = { line: 1, column: 1 };
  return { id: yaml.placeOfKey(['id']), dedup: yaml.placeOfKey(['dedup']), query: start, sql: start, sqlFile: sql.path };
}

/** The file in which the rule's SQL stands. */
export function sqlFileOf(rule: Pick<LoadedRule, 'places' | 'sourcePath'>): string {
  return rule.places.sqlFile ?? rule.sourcePath;
}

/** Where a position of the rule's SQL stands in its file: exact for a `|` block, else the query's beginning. */
export function placeInFile(rule: Pick<LoadedRule, 'places'>, position: SqlPosition | null): FilePlace {
  const { sql, query } = rule.places;
  if (sql === null || position === null) return query;
  return { line: sql.line + position.line - 1, column: sql.column + position.column - 1 };
}

function idOf(value: unknown): { readonly ruleId?: string } {
  const id: unknown = typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined;
  return typeof id === 'string' ? { ruleId: id.slice(0, 64) } : {};
}

function placesOf(yaml: YamlFile, text: string): RulePlaces {
  const query = yaml.placeOf(['query']);
  const lines = text.split(/\r\n|\r|\n/);
  // The block begins on the line after `query: |`; its first line with text shows the indentation.
  const first = lines.slice(query.line).find((content) => content.trim() !== '') ?? '';
  const indentation = first.length - first.trimStart().length;
  const isBlock =
    yaml.styleOf(['query']) === 'BLOCK_LITERAL' && !/[1-9]/.test(lines[query.line - 1]?.slice(query.column - 1).split('#')[0] ?? '');
  return {
    id: yaml.placeOfKey(['id']),
    dedup: yaml.placeOfKey(['dedup']),
    query,
    sql: isBlock ? { line: query.line + 1, column: indentation + 1 } : null,
  };
}
