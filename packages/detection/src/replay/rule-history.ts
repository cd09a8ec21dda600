/**
 * What became of one rule over the scans of the past, counted as they are judged.
 */
import type { ResultRow } from '@sentineld/model/rule';
import type { LoadProblem } from '../rules/load-problem.ts';
import type { LoadedRule } from '../rules/rule-document.ts';
import type { FindingRows } from '../rules/dedup.ts';
import type { PastScan, UnsureReason } from './past-scans.ts';

export type PastAlert = {
  readonly scanId: number;
  /** Start of the scan, milliseconds since 1970. */
  readonly atMs: number;
  /** The first of its rows. */
  readonly row: ResultRow;
  readonly rows: number;
};

export type RuleHistory = {
  readonly rule: LoadedRule;
  /** Why it was not run; null where it was. */
  readonly problem: LoadProblem | null;
  /** Scans over which it was run to its end. */
  readonly judged: number;
  /** Of these: it could not be sure that it saw all that it asks for. */
  readonly unsure: number;
  /** Scans over which it could not be run. */
  readonly failed: number;
  /** Why the first of those failed. */
  readonly failure: string | null;
  /** The scan at which the agent would have set it aside; null where it would not. */
  readonly stoppedAt: PastScan | null;
  /** Scans by why it was not sure of them. */
  readonly reasons: ReadonlyMap<UnsureReason, number>;
  readonly findings: number;
  readonly alerts: number;
  /** Findings that differ in the dedup columns, each once. */
  readonly entities: ReadonlySet<string>;
  readonly firstMs: number | null;
  readonly lastMs: number | null;
  /** Milliseconds of each run. */
  readonly costsMs: readonly number[];
  readonly firstAlerts: readonly PastAlert[];
};

/** Of alerts so many are shown. */
const FIRST_ALERTS = 5;

export type HistoryCounter = {
  readonly history: RuleHistory;
  readonly countRun: (reasons: readonly UnsureReason[], durationMs: number) => void;
  readonly countFailure: (reason: string, durationMs: number) => void;
  readonly countFinding: (finding: FindingRows, scan: PastScan, isAlert: boolean) => void;
  readonly stop: (scan: PastScan, problem: LoadProblem | null) => void;
};

type Counted = { -readonly [Key in keyof RuleHistory]: RuleHistory[Key] };

export function createHistory(rule: LoadedRule, problem: LoadProblem | null): HistoryCounter {
  const reasonCounts = new Map<UnsureReason, number>();
  const entities = new Set<string>();
  const costsMs: number[] = [];
  const firstAlerts: PastAlert[] = [];
  const history: Counted = {
    rule,
    problem,
    judged: 0,
    unsure: 0,
    failed: 0,
    failure: null,
    stoppedAt: null,
    reasons: reasonCounts,
    findings: 0,
    alerts: 0,
    entities,
    firstMs: null,
    lastMs: null,
    costsMs,
    firstAlerts,
  };
  return {
    history,
    countRun: (reasons, durationMs) => {
      history.judged += 1;
      history.unsure += reasons.length > 0 ? 1 : 0;
      for (const reason of new Set(reasons)) reasonCounts.set(reason, (reasonCounts.get(reason) ?? 0) + 1);
      costsMs.push(durationMs);
    },
    countFailure: (reason, durationMs) => {
      history.failed += 1;
      history.failure ??= reason;
      costsMs.push(durationMs);
    },
    countFinding: ({ key, rows }, { id: scanId, startMs: atMs }, isAlert) => {
      history.findings += 1;
      history.firstMs ??= atMs;
      history.lastMs = atMs;
      entities.add(key);
      if (!isAlert) return;
      history.alerts += 1;
      if (firstAlerts.length < FIRST_ALERTS) firstAlerts.push({ scanId, atMs, row: rows[0] ?? {}, rows: rows.length });
    },
    stop: (scan, refused) => {
      history.stoppedAt = scan;
      history.problem ??= refused;
    },
  };
}
