/**
 * Reads `<id>.case.yaml`: a list of named cases with their rows and what the rule must find in them.
 */
import type { ResultRow } from '@sentineld/model/rule';
import type { ReadableSchema } from '@sentineld/model/schema';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { type ScratchProblem, type ScratchRows, checkScratchRows } from '@sentineld/store/scratch';
import { z } from 'zod';
import type { RuleCase } from './case.ts';
import type { LoadProblem } from './load-problem.ts';
import { type YamlFile, parseYaml } from './parse-yaml.ts';
import { MAX_CASE_FILE_BYTES, type Trust, readRuleFile } from './read-rule-file.ts';
import { type KeySummaries, problemsFromIssues } from './schema-problems.ts';

export type CaseFile =
  | { readonly ok: true; readonly cases: readonly RuleCase[] }
  | { readonly ok: false; readonly problems: readonly LoadProblem[] };

/** Every key of a case and what belongs there; docs/rules.md has the same list. */
export const CASE_KEYS: KeySummaries = {
  name: 'One line that says what the case shows; unique in the file.',
  processes: 'A list of rows of the table processes: columns and values, argv as a list of texts.',
  tables: 'Rows of other tables, by table name.',
  matches: 'A list with one entry per expected result row: a pid, or the columns it must have; [] where nothing may match.',
};

const YAML_LIMITS = { maxNodes: 10_000, maxDepth: 20 };

const row = z.record(z.string(), z.unknown(), 'it is not a row of columns and values');
const rows = z.array(row, 'it is not a list of rows');
const CASES = z
  .array(
    z.strictObject({
      name: z.string('it is not a text').trim().min(1, 'it is empty').max(200, 'it is longer than 200'),
      processes: rows.default([]),
      tables: z
        .record(z.string(), rows, 'it is not tables with lists of rows')
        .refine((tables) => !Object.hasOwn(tables, 'processes'), 'processes stands beside it')
        .default({}),
      matches: z.array(
        z.union(
          [z.int(), z.record(z.string(), z.union([z.string(), z.number(), z.null()]))],
          'it is neither a pid nor columns with values',
        ),
        'it is not a list',
      ),
    }),
  )
  .min(1);

type Cases = z.infer<typeof CASES>;

/** The path of the case file beside a rule file. */
export function caseFileOf(rulePath: string): string {
  return rulePath.replace(/\.(ya?ml)$/, '.case.$1');
}

/** Reads a case file; everything that is wrong with it comes back with its line. */
export function readCaseFile(path: string, options: { readonly schema?: ReadableSchema; readonly trust?: Trust } = {}): CaseFile {
  const read = readRuleFile(path, { maxBytes: MAX_CASE_FILE_BYTES, trust: options.trust ?? 'configured' });
  if (!read.ok) return { ok: false, problems: [read.problem] };
  return parseCases(read.file.text, path, options.schema ?? EVENTS_SCHEMA);
}

/** The cases in a text; `file` is for messages. */
export function parseCases(text: string, file: string, schema: ReadableSchema): CaseFile {
  const parsed = parseYaml(text, file, YAML_LIMITS);
  if (!parsed.ok) return parsed;
  const checked = CASES.safeParse(parsed.yaml.value);
  if (!checked.success) return { ok: false, problems: problemsFromIssues(checked.error.issues, parsed.yaml, CASE_KEYS) };
  const cases = checked.data.map(toCase);
  const problems = [
    ...checked.data.flatMap((_, at) => rowProblems(at, cases[at]?.rows ?? {}, parsed.yaml, schema)),
    ...nameProblems(checked.data, parsed.yaml),
  ];
  return problems.length > 0 ? { ok: false, problems } : { ok: true, cases };
}

function toCase({ name, processes, tables, matches }: Cases[number]): RuleCase {
  return {
    name,
    rows: { ...tables, processes },
    matches: matches.map((match): ResultRow => (typeof match === 'number' ? { pid: match } : match)),
  };
}

function rowProblems(at: number, given: ScratchRows, yaml: YamlFile, schema: ReadableSchema): LoadProblem[] {
  return checkScratchRows(schema, given).map((problem) => {
    const place = problem.key === null ? yaml.placeOfKey(pathOf(at, problem)) : yaml.placeOf(pathOf(at, problem));
    return {
      file: yaml.file,
      ...place,
      ...(problem.key === null ? {} : { key: problem.key }),
      message: problem.message,
      hint: problem.hint,
    };
  });
}

function pathOf(at: number, problem: ScratchProblem): (string | number)[] {
  const table = problem.table === 'processes' ? [at, 'processes'] : [at, 'tables', problem.table];
  return [...table, ...(problem.row === null ? [] : [problem.row]), ...(problem.key === null ? [] : [problem.key])];
}

function nameProblems(cases: Cases, yaml: YamlFile): LoadProblem[] {
  const names = cases.map(({ name }) => name);
  return names.flatMap((name, at) => {
    if (names.indexOf(name) === at) return [];
    return [
      {
        file: yaml.file,
        ...yaml.placeOf([at, 'name']),
        key: 'name',
        message: `The case "${name}" is there twice`,
        hint: CASE_KEYS['name'] ?? '',
      },
    ];
  });
}
