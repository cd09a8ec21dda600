/**
 * Deduplication names columns of the result, which are known only once the query was prepared.
 */
import type { Rule } from '@sentineld/model/rule';
import type { LoadProblem } from './load-problem.ts';
import { nearestWord } from '@sentineld/runtime/config/nearest-word';
import type { RulePlaces } from './rule-document.ts';

/** Null where every dedup key of the rule is a column of its result; else the first that is not. */
export function checkDedupKeys(rule: Rule & { readonly places?: RulePlaces }, columns: readonly string[]): LoadProblem | null {
  const key = rule.dedupKeys.find((name) => !columns.includes(name));
  if (key === undefined) return null;
  const nearest = nearestWord(key, columns);
  const place = rule.places?.dedup ?? { line: null, column: null };
  const hint = nearest === null ? `The result has ${columns.join(', ')}.` : `Did you mean "${nearest}"?`;
  return {
    file: rule.sourcePath,
    ...place,
    key: 'dedup',
    ruleId: rule.id,
    message: `The dedup key "${key}" is not a column of the result`,
    hint,
  };
}
