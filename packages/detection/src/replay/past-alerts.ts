/**
 * Which findings of the past would have been alerts: rows that agree in the rule's dedup columns are one finding, and a
 * finding whose key was seen lately is a repeat. The same as the agent decides it, with the time of the scan as the clock.
 */
import { createHash } from 'node:crypto';
import type { ResultRow, Rule } from '@sentineld/model/rule';

export type PastFinding = {
  /** What tells it from others; shared with the rule that `dedup_with` names. */
  readonly key: string;
  readonly rows: readonly ResultRow[];
};

/** Findings of one rule over one scan, in the order of their first rows. */
export function pastFindings(rule: Pick<Rule, 'id' | 'dedupKeys' | 'dedupWith'>, rows: readonly ResultRow[]): readonly PastFinding[] {
  const byKey = new Map<string, ResultRow[]>();
  for (const row of rows) {
    const values = rule.dedupKeys.map((column) => row[column] ?? null);
    const digest = createHash('sha256').update(JSON.stringify(values)).digest('hex').slice(0, 32);
    const key = `${rule.dedupWith ?? rule.id}:${digest}`;
    const same = byKey.get(key);
    if (same === undefined) byKey.set(key, [row]);
    else same.push(row);
  }
  return [...byKey].map(([key, rows]) => ({ key, rows }));
}

/**
 * Tells of each finding, given in the order of their times, whether it is an alert. A key that was last seen less than
 * `windowMs` ago is a repeat, and so stays one for as long as it goes on; 0: every finding is an alert.
 */
export function createRepeats(windowMs: number): (key: string, atMs: number) => boolean {
  const lastSeen = new Map<string, number>();
  return (key, atMs) => {
    const seenMs = lastSeen.get(key);
    lastSeen.set(key, atMs);
    // A key from the future is forgotten as well: a clock that was ahead must not suppress anything until then.
    return seenMs === undefined || Math.abs(atMs - seenMs) >= windowMs;
  };
}
