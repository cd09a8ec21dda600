/**
 * Runs one rule over what the store holds now, in the confined executor.
 */
import type { Rule, RuleOutcome } from '@sentineld/model/rule';
import type { ExecutorClient } from '@sentineld/detection/sql/executor-client';

/** The values of the parameters that every rule may use. */
export type RuleParameters = { readonly now: number; readonly since: number; readonly scan_id: number };

/** Never throws for what a rule does: an overrun is an outcome. */
export async function runRule(executor: Pick<ExecutorClient, 'run'>, rule: Rule, parameters: RuleParameters): Promise<RuleOutcome> {
  return executor.run({ sql: rule.sql, parameters, enrich: true });
}
