/**
 * Holds a row against the conditions of a rule: each test is asked of SQLite, with the values of the row as parameters.
 */
import type { ResultRow, RuleOutcome, SqlValue } from '@sentineld/model/rule';
import type { Condition } from './conditions.ts';

/** Asks one statement; its values by the names of parameters. The sandbox does. */
export type AskStatement = (sql: string, parameters: Readonly<Record<string, SqlValue>>) => Promise<RuleOutcome>;

export type JudgedCondition = {
  readonly kind: Condition['kind'];
  readonly text: string;
  /** Null where it cannot be told. */
  readonly held: boolean | null;
  /** Why it cannot be told. */
  readonly why: string | null;
  /** Of a test: what the row has in the columns that it looks at. */
  readonly values: Readonly<Record<string, SqlValue>>;
  readonly parts: readonly JudgedCondition[];
};

type Test = Extract<Condition, { kind: 'test' }>;

/** In one statement: a result has that many columns. */
const TESTS_AT_ONCE = 50;

/** Never throws for what a rule is: what cannot be asked is not known. */
export async function judgeConditions(condition: Condition, row: ResultRow, ask: AskStatement): Promise<JudgedCondition> {
  const tests = testsIn(condition);
  const answers = new Map<Test, SqlValue | undefined>();
  for (let at = 0; at < tests.length; at += TESTS_AT_ONCE) {
    const some = tests.slice(at, at + TESTS_AT_ONCE);
    const found = await askTests(some, row, ask);
    some.forEach((test, index) => answers.set(test, found[index]));
  }
  return judged(condition, row, answers);
}

function testsIn(root: Condition): readonly Test[] {
  if (root.kind === 'test') return [root];
  return root.kind === 'unknown' ? [] : root.parts.flatMap(testsIn);
}

/** One by one where together they cannot be asked, so that one of them spoils no other. */
async function askTests(tests: readonly Test[], row: ResultRow, ask: AskStatement): Promise<readonly (SqlValue | undefined)[]> {
  const columns = tests.map(({ expression }, at) => `(${expression}) IS TRUE AS t${at}`);
  const values = tests.flatMap((test) => test.values.map(({ parameter, column }) => [parameter, row[column] ?? null] as const));
  const outcome = await ask(`SELECT ${columns.join(', ')}`, Object.fromEntries(values));
  if (outcome.outcome === 'ok') return tests.map((_, at) => outcome.rows[0]?.[`t${at}`]);
  if (tests.length === 1) return [undefined];
  const found: (SqlValue | undefined)[] = [];
  for (const test of tests) found.push(...(await askTests([test], row, ask)));
  return found;
}

function judged(condition: Condition, row: ResultRow, answers: ReadonlyMap<Test, SqlValue | undefined>): JudgedCondition {
  const { kind, text } = condition;
  const plain = { kind, text, why: null, values: {}, parts: [] };
  if (condition.kind === 'unknown') return { ...plain, held: null, why: condition.why };
  if (condition.kind === 'test') {
    const answer = answers.get(condition);
    const values = Object.fromEntries(condition.values.map(({ column }) => [column, row[column] ?? null]));
    if (answer === undefined) return { ...plain, values, held: null, why: 'it cannot be asked by itself' };
    return { ...plain, values, held: answer === 1 };
  }
  const parts = condition.parts.map((part) => judged(part, row, answers));
  const decisive = condition.kind === 'any';
  const isDecided = parts.some(({ held }) => held === decisive);
  const held = isDecided ? decisive : parts.some((part) => part.held === null) ? null : !decisive;
  return { ...plain, parts, held };
}
