/**
 * What agent.db holds about rules beside their definition, read whether the agent runs or not: what operators decided,
 * what rules cost, which versions there were. Nothing where the database is not there, or of an earlier release.
 */
import { SentinelError } from '@sentineld/model/error';
import { SEVERITIES, type OperatorOverride, type ResultRow, type SqlValue } from '@sentineld/model/rule';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { withAgentReader } from './alert-store.ts';

/** As in the JSON of "rules list" and "rules show". */
export type RuleCostJson = {
  readonly runs: number;
  readonly rows: number;
  readonly hits: number;
  readonly total_ms: number;
  readonly worst_ms: number;
  readonly overruns: number;
  readonly last_run_ms: number;
};

/** One definition that a rule had. */
export type RuleVersionJson = {
  readonly version: number;
  readonly checksum: string;
  readonly first_seen_ms: number;
  readonly last_seen_ms: number;
  readonly severity: string;
  readonly enabled: boolean;
  readonly query: string;
};

/** By rule id. */
export function storedOverrides(paths: StatePaths): ReadonlyMap<string, OperatorOverride> {
  const rows = rowsOf(paths, 'SELECT * FROM temp.rule_override ORDER BY rule_id');
  return new Map(rows.map((row) => [textOf(row['rule_id']), overrideFrom(row)]));
}

function overrideFrom(row: ResultRow): OperatorOverride {
  return {
    ruleId: textOf(row['rule_id']),
    enabled: typeof row['enabled'] === 'number' ? row['enabled'] === 1 : null,
    severity: SEVERITIES.find((severity) => severity === row['severity']) ?? null,
    reason: textOf(row['reason']),
    uid: numberOf(row['uid']),
    userName: typeof row['user_name'] === 'string' ? row['user_name'] : null,
    decidedMs: numberOf(row['decided_at']),
  };
}

/** By rule id. */
export function storedCosts(paths: StatePaths): ReadonlyMap<string, RuleCostJson> {
  return new Map(
    rowsOf(paths, 'SELECT * FROM temp.rule_cost').map((row) => [
      textOf(row['rule_id']),
      {
        runs: numberOf(row['runs']),
        rows: numberOf(row['rows_found']),
        hits: numberOf(row['hits']),
        total_ms: numberOf(row['total_us']) / 1000,
        worst_ms: numberOf(row['worst_us']) / 1000,
        overruns: numberOf(row['overruns']),
        last_run_ms: numberOf(row['last_run']),
      },
    ]),
  );
}

/** Newest first. */
export function storedVersions(paths: StatePaths, id: string): readonly RuleVersionJson[] {
  const sql = `SELECT version, checksum, recorded_at, last_seen, definition ->> 'severity' AS severity, definition ->> 'enabled' AS enabled,
      definition ->> 'sql' AS query FROM temp.detection_rule_versions WHERE rule_id = ? ORDER BY recorded_at DESC, version DESC`;
  return rowsOf(paths, sql, [id]).map((row) => ({
    version: numberOf(row['version']),
    checksum: textOf(row['checksum']),
    first_seen_ms: numberOf(row['recorded_at']),
    last_seen_ms: numberOf(row['last_seen']),
    severity: textOf(row['severity']),
    enabled: row['enabled'] === 1,
    query: textOf(row['query']),
  }));
}

function rowsOf(paths: StatePaths, sql: string, parameters: readonly SqlValue[] = []): readonly ResultRow[] {
  try {
    return withAgentReader(paths, (reader) => reader.internal(sql, parameters));
  } catch (cause) {
    if (cause instanceof SentinelError) return [];
    throw cause;
  }
}

function textOf(value: SqlValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function numberOf(value: SqlValue | undefined): number {
  return typeof value === 'number' ? value : 0;
}
