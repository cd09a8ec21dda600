/**
 * Runs one rule over what the store holds now, in the confined executor.
 */
import type { Rule, RuleOutcome } from '@sentineld/model/rule';
import type { ExecutorClient, RunRequest } from '@sentineld/detection/sql/executor-client';

/** The values of the parameters that every rule may use; times in milliseconds since 1970. */
export type RuleParameters = {
  /** Time of the scan. */
  readonly now: number;
  /** Time of the scan that the rule saw before; 0 where it saw none. */
  readonly since: number;
  readonly scan_id: number;
  /** Number of the newest process event that the rule saw before. */
  readonly since_seq: number;
};

/** Never throws for what a rule does: an overrun is an outcome. */
export async function runRule(
  executor: Pick<ExecutorClient, 'run'>,
  rule: Rule,
  parameters: RuleParameters,
  how: Pick<RunRequest, 'changedSince' | 'deadlineMs' | 'lane'> = {},
): Promise<RuleOutcome> {
  return executor.run({ sql: rule.sql, parameters, enrich: true, ...how });
}
