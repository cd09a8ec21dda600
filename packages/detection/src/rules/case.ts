/**
 * Runs a rule against the cases that ship with it: rows in, matches out. The rule runs where rules always run, by
 * the executor that is passed in. This file builds scratch databases with node:sqlite: a process that has
 * better-sqlite3 loaded must not import it.
 */
import type { ResultRow, Rule, RuleOutcome } from '@sentineld/model/rule';
import type { ReadableSchema } from '@sentineld/model/schema';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { SCRATCH_SCAN, type ScratchRows, createScratch } from '@sentineld/store/scratch';

export type RuleCase = {
  readonly name: string;
  readonly rows: ScratchRows;
  /** One entry per expected result row: the columns that it must have. */
  readonly matches: readonly ResultRow[];
};

export type CaseResult = {
  readonly name: string;
  readonly passed: boolean;
  /** Expected, and no row has it. */
  readonly missing: readonly ResultRow[];
  /** Rows that nothing expected. */
  readonly unexpected: readonly ResultRow[];
  /** Why the rule could not be evaluated; null where it was. */
  readonly error: string | null;
};

/** Runs the SQL over the database file and says what became of it; the parameters' names have no prefix. */
export type ExecuteCase = (databasePath: string, sql: string, parameters: Readonly<Record<string, number>>) => Promise<RuleOutcome>;

/** What :now, :since, :scan_id and :since_seq are in every case: the rule has seen no event before. */
export const CASE_PARAMETERS: Readonly<Record<string, number>> = {
  now: SCRATCH_SCAN.timeMs,
  since: SCRATCH_SCAN.timeMs - 60_000,
  scan_id: SCRATCH_SCAN.id,
  since_seq: 0,
};

export type CaseOptions = {
  readonly schema?: ReadableSchema;
  /** Where to make the scratch databases. */
  readonly directory?: string;
};

/** Results in the order of the cases, one after the other. Throws what createScratch and `execute` throw. */
export async function runCases(
  rule: Pick<Rule, 'sql'>,
  cases: readonly RuleCase[],
  execute: ExecuteCase,
  options: CaseOptions = {},
): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  for (const ruleCase of cases) {
    const scratch = createScratch({
      schema: options.schema ?? EVENTS_SCHEMA,
      rows: ruleCase.rows,
      ...(options.directory === undefined ? {} : { directory: options.directory }),
    });
    try {
      results.push(judge(ruleCase, await execute(scratch.path, rule.sql, CASE_PARAMETERS)));
    } finally {
      scratch.close();
    }
  }
  return results;
}

function judge(ruleCase: RuleCase, outcome: RuleOutcome): CaseResult {
  const { name, matches } = ruleCase;
  if (outcome.outcome !== 'ok') {
    const message = outcome.outcome === 'refused' ? outcome.refusal.message : outcome.message;
    return { name, passed: false, missing: matches, unexpected: [], error: `${outcome.outcome}: ${message}` };
  }
  const { missing, unexpected } = compare(matches, outcome.rows);
  const error = outcome.truncated ? 'The result was cut: a case must not have that many rows.' : null;
  return { name, passed: missing.length === 0 && unexpected.length === 0 && error === null, missing, unexpected, error };
}

/** Pairs each expectation with a row of its own, those that say most first. */
function compare(expected: readonly ResultRow[], rows: readonly ResultRow[]): Pick<CaseResult, 'missing' | 'unexpected'> {
  const left = [...rows];
  const missing: ResultRow[] = [];
  for (const expectation of expected.toSorted((a, b) => Object.keys(b).length - Object.keys(a).length)) {
    const found = left.findIndex((row) =>
      Object.entries(expectation).every(([column, value]) => Object.hasOwn(row, column) && row[column] === value),
    );
    if (found < 0) missing.push(expectation);
    else left.splice(found, 1);
  }
  return { missing, unexpected: left };
}
