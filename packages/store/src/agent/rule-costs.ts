/**
 * What each rule cost and found since it was first run, across restarts of the agent.
 */
import type { WriterDatabase } from '../open.ts';

export type RuleCost = {
  readonly ruleId: string;
  readonly runs: number;
  /** Rows that matched, and runs with at least one. */
  readonly rows: number;
  readonly hits: number;
  readonly totalMs: number;
  readonly worstMs: number;
  /** Runs that took too long or too much memory. */
  readonly overruns: number;
  /** Milliseconds since 1970. */
  readonly lastRunMs: number;
};

type CostRow = {
  readonly rule_id: string;
  readonly runs: number;
  readonly rows_found: number;
  readonly hits: number;
  readonly total_us: number;
  readonly worst_us: number;
  readonly overruns: number;
  readonly last_run: number;
};

/** `save` must run within a transaction; it takes whole counts, not what is to be added. */
export function prepareRuleCosts(db: WriterDatabase): { load(): RuleCost[]; save(costs: readonly RuleCost[]): void } {
  const load = db.prepare<[], CostRow>('SELECT * FROM rule_cost ORDER BY rule_id');
  const save = db.prepare<[Record<string, unknown>]>(
    `INSERT OR REPLACE INTO rule_cost (rule_id, runs, rows_found, hits, total_us, worst_us, overruns, last_run)
     VALUES (:ruleId, :runs, :rows, :hits, :totalUs, :worstUs, :overruns, :lastRunMs)`,
  );
  return {
    load: () =>
      load.all().map((row) => ({
        ruleId: row.rule_id,
        runs: row.runs,
        rows: row.rows_found,
        hits: row.hits,
        totalMs: row.total_us / 1000,
        worstMs: row.worst_us / 1000,
        overruns: row.overruns,
        lastRunMs: row.last_run,
      })),
    save: (costs) => {
      for (const { totalMs, worstMs, ...cost } of costs)
        save.run({ ...cost, totalUs: Math.round(totalMs * 1000), worstUs: Math.round(worstMs * 1000) });
    },
  };
}
