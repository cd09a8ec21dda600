/**
 * What a backtest comes to, in figures that its text and its JSON share.
 */
import { judgeNoise, type Noise } from '@sentineld/detection/replay/noise';
import type { Backtest } from '@sentineld/detection/replay/backtest';
import type { RuleHistory } from '@sentineld/detection/replay/rule-history';

export type Cost = { readonly median: number; readonly worst: number };

/** Milliseconds to a tenth; null where nothing was run. */
export function costOf(costsMs: readonly number[]): Cost | null {
  const sorted = costsMs.toSorted((a, b) => a - b);
  const worst = sorted.at(-1);
  return worst === undefined ? null : { median: tenths(sorted[Math.floor((sorted.length - 1) / 2)] ?? worst), worst: tenths(worst) };
}

export function noiseOf({ histories, scans }: Backtest): Noise {
  const alertsOf = (list: readonly RuleHistory[]): number => list.reduce((sum, { alerts }) => sum + alerts, 0);
  const high = histories.filter(({ rule }) => rule.severity === 'high' || rule.severity === 'critical');
  // Where the collector was away nothing was watched.
  const coveredMs = scans.reduce((sum, { intervalMs }) => sum + (intervalMs ?? 0), 0);
  return judgeNoise(alertsOf(histories), alertsOf(high), coveredMs);
}

/** The rule that could be sure of the fewest scans; null where each was sure of all. */
export function leastSure({ histories }: Backtest): RuleHistory | null {
  const [least] = histories.filter(({ unsure }) => unsure > 0).toSorted((a, b) => b.unsure - a.unsure);
  return least ?? null;
}

/** Whether a rule was refused, or not run to its end over every scan. */
export function isFaulty({ problem, failed, stoppedAt }: RuleHistory): boolean {
  return problem !== null || failed > 0 || stoppedAt !== null;
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
