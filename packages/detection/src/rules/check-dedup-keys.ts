/**
 * Deduplication names columns of the result, which are known only once the query was prepared.
 */
import type { Rule } from '@sentineld/model/rule';
import type { LoadProblem } from './load-problem.ts';
import { nearestWord } from '@sentineld/runtime/config/nearest-word';
import type { RulePlaces } from './rule-document.ts';

const DEFAULT_DEDUP = ['pid', 'start_time'] as const;

/** Null where every dedup key of the rule is a column of its result; else the first that is not. */
export function checkDedupKeys(rule: Rule & { readonly places?: RulePlaces }, columns: readonly string[]): LoadProblem | null {
  const key = rule.dedupKeys.find((name) => !columns.includes(name));
  if (key === undefined) return null;
  const nearest = nearestWord(key, columns);
  const place = rule.places?.dedup ?? { line: null, column: null };
  // A key that the file does not have is placed at its beginning.
  const isLeftOut = rule.dedupKeys.join() === DEFAULT_DEDUP.join() && place.line === 1 && place.column === 1;
  const choice = `The result has ${columns.join(', ')}.`;
  const hint = isLeftOut
    ? `"dedup" was left out, so it is [${DEFAULT_DEDUP.join(', ')}]: name the columns that make two findings the same. ${choice}`
    : nearest === null
      ? choice
      : `Did you mean "${nearest}"?`;
  return {
    file: rule.sourcePath,
    ...place,
    key: 'dedup',
    ruleId: rule.id,
    message: `The dedup key "${key}" is not a column of the result`,
    hint,
  };
}
