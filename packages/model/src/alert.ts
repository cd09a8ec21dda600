/**
 * Alerts and their deliveries.
 */
import type { AffectedProcess, ResultRow, Severity } from './rule.ts';

/** What a detection cycle hands to deduplication: all rows of one rule that have the same key. */
export type Finding = {
  readonly ruleId: string;
  readonly ruleName: string;
  readonly ruleVersion: number;
  readonly severity: Severity;
  readonly description: string;
  readonly category: string;
  readonly tags: readonly string[];
  readonly attack: readonly string[];
  /** Stable text of rule id and the values of its dedup keys. */
  readonly dedupKey: string;
  readonly scanId: number | null;
  readonly correlationId: string;
  readonly rows: readonly ResultRow[];
  readonly processes: readonly AffectedProcess[];
  readonly executionTimeMs: number;
};

/** An alert as it is stored and as sinks receive it. */
export type Alert = Finding & {
  readonly id: number;
  /** Milliseconds since 1970. */
  readonly alertTimeMs: number;
  readonly title: string;
  readonly hostName: string;
  /** Stable id of this installation. */
  readonly hostId: string;
  readonly bootId: string;
};

export const DELIVERY_STATUSES = ['pending', 'success', 'failed', 'retrying'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];
