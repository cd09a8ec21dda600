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
  return { refusal: refusedDedup(rule, columns) ?? refusedSchedule(rule, scope), columns, tables, scope };
}

function refusedDedup(rule: LoadedRule, columns: readonly string[]): Refusal | null {
  const problem = checkDedupKeys(rule, columns);
  return problem === null ? null : { code: DEDUP, message: `${problem.message}. ${problem.hint}`, position: null };
}

/** Several times a second a rule may look at what is new, and at nothing more. */
function refusedSchedule({ schedule }: LoadedRule, scope: RuleScope): Refusal | null {
  if (schedule !== 'events' || scope === 'new_events') return null;
  const message =
    'The schedule "events" is for rules that look at new events alone. Ask for them with `seq > :since_seq`, or leave the schedule out.';
  return { code: 'schedule', message, position: null };
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
