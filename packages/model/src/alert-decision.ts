/**
 * What operators decide about alerts: that one is handled, and that findings like some raise none for a while.
 */
import type { Finding } from './alert.ts';

/** That an alert is handled: whose word that is, when it was given and why. */
export type Acknowledgement = {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly uid: number;
  /** The name of that user, or "uid 1000" where there is none here. */
  readonly by: string;
  readonly reason: string;
};

/** A column of a finding's rows and what it has to be, as text; null where it has to be NULL. */
export type Condition = { readonly column: string; readonly value: string | null };

/** Findings of a rule that raise no alert for a while. */
export type Suppression = {
  readonly id: number;
  readonly ruleId: string;
  /** All of them have to hold; none: every finding of the rule. */
  readonly conditions: readonly Condition[];
  /** The alert that it was made from; null where it was not made from one. */
  readonly alertId: number | null;
  readonly reason: string;
  readonly uid: number;
  /** Null where the user has no name here. */
  readonly userName: string | null;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  readonly expiresMs: number;
  /** Findings that it hid, repeats included, and when it last did. */
  readonly hits: number;
  readonly lastHitMs: number | null;
  /** Null while it holds. */
  readonly ended: SuppressionEnd | null;
};

/** How a suppression ended: by somebody, or, where uid and reason are null, by its time. */
export type SuppressionEnd = {
  readonly atMs: number;
  readonly uid: number | null;
  readonly userName: string | null;
  readonly reason: string | null;
};

/** Alerts that one request acknowledges at most. */
export const MAX_ACKNOWLEDGED = 100;

/** Suppressions that hold at a time at most; so many that ended are kept beside. */
export const MAX_SUPPRESSIONS = 500;

/** Of one suppression, as many as a rule may have dedup columns. */
export const MAX_CONDITIONS = 8;
export const MAX_COLUMN_LENGTH = 128;
/** UTF-8 bytes of the value of one condition. */
export const MAX_VALUE_BYTES = 4096;
/** UTF-8 bytes of all conditions as JSON: with less than half of a frame they also fit an entry of the ledger. */
export const MAX_CONDITIONS_BYTES: number = 24 * 1024;

const HOUR_MS = 3_600_000;
export const MIN_SUPPRESSION_MS: number = HOUR_MS;
export const MAX_SUPPRESSION_MS: number = 90 * 24 * HOUR_MS;

/**
 * Whether a finding is one of those that are hidden: every row of it has the values. Without conditions nothing critical
 * is hidden, whatever the severity of its rule was when that was decided.
 */
export function hidesFinding(conditions: readonly Condition[], finding: Pick<Finding, 'severity' | 'rows'>): boolean {
  if (conditions.length === 0) return finding.severity !== 'critical';
  return finding.rows.length > 0 && finding.rows.every((row) => conditions.every((condition) => holds(condition, row)));
}

function holds({ column, value }: Condition, row: Finding['rows'][number]): boolean {
  if (!Object.hasOwn(row, column)) return false;
  const found = row[column] ?? null;
  return found === null ? value === null : value !== null && String(found) === value;
}
