/**
 * Whether the executor would run a rule, found out before it is run: its statement, and the columns that its findings
 * are told apart by.
 */
import type { Refusal, RuleScope } from '@sentineld/model/rule';
import type { ExecutorClient } from '../sql/executor-client.ts';
import { checkDedupKeys } from './check-dedup-keys.ts';
import type { FilePlace, LoadProblem } from './load-problem.ts';
import { placeInFile, sqlFileOf, type LoadedRule } from './rule-document.ts';

export type JudgedRule = {
  /** Null where it would be run. */
  readonly refusal: Refusal | null;
  /** Of its result; none where the statement is refused. */
  readonly columns: readonly string[];
  /** Readable tables that the statement reads. */
  readonly tables: readonly string[];
  readonly scope: RuleScope;
};

/** The code of a refusal for columns that the result has not. */
const DEDUP = 'dedup';

/** Rejects with what `validate` rejects with. */
export async function judgeRule(rule: LoadedRule, executor: Pick<ExecutorClient, 'validate'>): Promise<JudgedRule> {
  const first = await executor.validate(rule.sql);
  // On a host that is short of time the first look at a harmless statement may take too long.
  const validation = !first.ok && first.refusal.code === 'limit' ? await executor.validate(rule.sql) : first;
  if (!validation.ok) return { refusal: validation.refusal, columns: [], tables: [], scope: 'everything' };
  const { columns, tables, scope } = validation;
  const problem = checkDedupKeys(rule, columns);
  const refusal = problem === null ? null : { code: DEDUP, message: `${problem.message}. ${problem.hint}`, position: null };
  return { refusal, columns, tables, scope };
}

/** Where the fault stands: in the query, or at the columns of dedup, which are in the rule's own file. */
export function placeOfRefusal(rule: LoadedRule, { code, position }: Refusal): FilePlace & { readonly file: string } {
  if (code === DEDUP) return { file: rule.sourcePath, ...rule.places.dedup };
  return { file: sqlFileOf(rule), ...placeInFile(rule, position) };
}

/** A refusal as a fault of the rule's file. */
export function refusalProblem(rule: LoadedRule, refusal: Refusal): LoadProblem {
  return {
    ...placeOfRefusal(rule, refusal),
    ruleId: rule.id,
    message: `refused (${refusal.code}): ${refusal.message}`,
    hint: '',
  };
}
