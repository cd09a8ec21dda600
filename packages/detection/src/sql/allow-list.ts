/**
 * Layer 2 as a whole: every check of the first parser's tree, in the order in which their messages help most.
 */
import type { Refusal } from '@sentineld/model/rule';
import { checkFunctions } from './functions.ts';
import { checkJoins } from './joins.ts';
import { checkNodes } from './nodes.ts';
import { checkParameters } from './parameters.ts';
import { checkPatterns } from './patterns.ts';
import type { SqlPolicy } from './policy.ts';
import { checkRecursion } from './recursion.ts';
import type { Statement } from './statement.ts';
import { checkTables } from './tables.ts';

const CHECKS: readonly ((statement: Statement, policy: SqlPolicy) => Refusal | undefined)[] = [
  checkNodes,
  checkTables,
  checkFunctions,
  checkPatterns,
  checkParameters,
  checkJoins,
  checkRecursion,
];

/** The first reason not to run the statement, or undefined. */
export function checkAllowList(statement: Statement, policy: SqlPolicy): Refusal | undefined {
  for (const check of CHECKS) {
    const refused = check(statement, policy);
    if (refused !== undefined) return refused;
  }
  return undefined;
}
