/**
 * Whether the executor would run a rule, found out before it is run: its statement, and the columns that its findings
 * are told apart by.
 */
import type { Refusal } from '@sentineld/model/rule';
import { checkDedupKeys } from '../rules/check-dedup-keys.ts';
import type { LoadProblem } from '../rules/load-problem.ts';
import { placeInFile, sqlFileOf, type LoadedRule } from '../rules/rule-document.ts';
import type { ExecutorClient } from '../sql/executor-client.ts';

export type JudgedRule =
  | { readonly ok: true; readonly tables: readonly string[] }
  /** With the place in the rule's file. */
  | { readonly ok: false; readonly problem: LoadProblem };

/** Rejects with what `validate` rejects with. */
export async function judgeRule(rule: LoadedRule, executor: Pick<ExecutorClient, 'validate'>): Promise<JudgedRule> {
  const validation = await executor.validate(rule.sql);
  if (!validation.ok) return { ok: false, problem: refusalProblem(rule, validation.refusal) };
  const problem = checkDedupKeys(rule, validation.columns);
  return problem === null ? { ok: true, tables: validation.tables } : { ok: false, problem };
}

/** A refusal with its place in the rule's file. */
export function refusalProblem(rule: LoadedRule, { code, message, position }: Refusal): LoadProblem {
  return { file: sqlFileOf(rule), ...placeInFile(rule, position), ruleId: rule.id, message: `refused (${code}): ${message}`, hint: '' };
}
