/**
 * A backtest as JSON; docs/cli.md has its form.
 */
import type { LoadProblem } from '@sentineld/detection/rules/load-problem';
import { NOISE_BUDGET } from '@sentineld/detection/replay/noise';
import type { Backtest } from '@sentineld/detection/replay/backtest';
import type { RuleHistory } from '@sentineld/detection/replay/rule-history';
import type { ResultRow } from '@sentineld/model/rule';
import { costOf, noiseOf } from './backtest-figures.ts';
import type { BacktestRange } from './backtest-range.ts';
import { isoTime } from './output/times.ts';

export type Backtested = {
  readonly range: BacktestRange;
  readonly backtest: Backtest;
  /** Scans that there were to judge. */
  readonly scans: number;
  readonly problems: readonly LoadProblem[];
  /** The exit status of a program that a signal ended; null where none came. */
  readonly endedBy: number | null;
};

/** Of a text in a row. */
const MAX_CHARACTERS = 1_000;

export function backtestJson(tested: Backtested): unknown {
  const { range, backtest, scans, problems, endedBy } = tested;
  const { verdict, alerts, high, hostDays } = noiseOf(backtest);
  const done = backtest.scans;
  return {
    since: isoTime(range.sinceMs),
    until: range.untilMs === null ? null : isoTime(range.untilMs),
    ended_early: endedBy !== null,
    scans: { total: scans, judged: done.length, first: done[0]?.id ?? null, last: done.at(-1)?.id ?? null },
    noise: {
      verdict,
      alerts,
      high,
      host_days: Math.round(hostDays * 1000) / 1000,
      budget: { alerts: NOISE_BUDGET.all, high: NOISE_BUDGET.high },
    },
    cost_ms: costOf(backtest.costsMs),
    rules: backtest.histories.map(ruleJson),
    problems,
  };
}

function ruleJson(history: RuleHistory): unknown {
  const { rule, problem, judged, unsure, failed, failure, stoppedAt, reasons, findings, alerts, entities } = history;
  return {
    id: rule.id,
    severity: rule.severity,
    file: rule.sourcePath,
    refusal: problem,
    findings,
    alerts,
    entities: entities.size,
    first: timeOrNull(history.firstMs),
    last: timeOrNull(history.lastMs),
    scans: { judged, incomplete: unsure, failed, stopped_at: stoppedAt?.id ?? null },
    incomplete: Object.fromEntries(reasons),
    failure,
    cost_ms: costOf(history.costsMs),
    first_alerts: history.firstAlerts.map(({ scanId, atMs, row, rows }) => ({
      scan_id: scanId,
      time: isoTime(atMs),
      rows,
      row: shortened(row),
    })),
  };
}

function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms);
}

function shortened(row: ResultRow): ResultRow {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === 'string' && value.length > MAX_CHARACTERS ? `${value.slice(0, MAX_CHARACTERS)}…` : value,
    ]),
  );
}
