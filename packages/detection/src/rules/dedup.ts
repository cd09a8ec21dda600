/**
 * Which rows of a rule are one finding: those that agree in its dedup columns. The agent and a backtest ask the same.
 */
import { createHash } from 'node:crypto';
import type { ResultRow, Rule } from '@sentineld/model/rule';

export type FindingRows = {
  /** What tells the finding from others; shared with the rule that `dedup_with` names. */
  readonly key: string;
  readonly rows: readonly ResultRow[];
};

/** In the order of their first rows. */
export function groupByDedup(rule: Pick<Rule, 'id' | 'dedupKeys' | 'dedupWith'>, rows: readonly ResultRow[]): readonly FindingRows[] {
  const byKey = new Map<string, ResultRow[]>();
  for (const row of rows) {
    const key = dedupKey(rule, row);
    const same = byKey.get(key);
    if (same === undefined) byKey.set(key, [row]);
    else same.push(row);
  }
  return [...byKey].map(([key, rows]) => ({ key, rows }));
}

/** A rule's id and a hash of the key columns: host strings of any length make a key of one length. */
function dedupKey({ id, dedupKeys, dedupWith }: Pick<Rule, 'id' | 'dedupKeys' | 'dedupWith'>, row: ResultRow): string {
  const values = dedupKeys.map((column) => row[column] ?? null);
  return `${dedupWith ?? id}:${createHash('sha256').update(JSON.stringify(values)).digest('hex').slice(0, 32)}`;
}
