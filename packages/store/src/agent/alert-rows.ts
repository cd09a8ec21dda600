/**
 * Alerts as rows and rows as alerts. Host strings are stored as they are; whoever shows a title escapes it.
 */
import type { Alert, Finding } from '@sentineld/model/alert';
import { SentinelError } from '@sentineld/model/error';
import type { AffectedProcess, ResultRow, Severity } from '@sentineld/model/rule';

/** Where and when the findings of one cycle were made. */
export type AlertOrigin = { readonly hostName: string; readonly hostId: string; readonly bootId: string };

/** A row of the table alerts, as SELECT * gives it: this process alone writes it. */
export type AlertRow = {
  readonly id: number;
  readonly alert_time: number;
  readonly rule_id: string;
  readonly title: string;
  readonly description: string;
  readonly severity: Severity;
  readonly scan_id: number | null;
  readonly affected_processes: string;
  readonly rule_version: number;
  readonly execution_time_ms: number;
  readonly query_result: string;
  readonly rule_name: string;
  readonly category: string;
  readonly tags: string;
  readonly attack: string;
  readonly host_name: string;
  readonly host_id: string;
  readonly boot_id: string;
  readonly correlation_id: string;
  readonly dedup_key: string;
};

/** Takes the named parameters that `alertParameters` makes; gives the id. */
export const INSERT_ALERT_SQL: string = `
INSERT INTO alerts (alert_time, rule_id, title, description, severity, scan_id, affected_processes, process_count,
  rule_version, execution_time_ms, query_result, rule_name, category, tags, attack, host_name, host_id, boot_id,
  correlation_id, dedup_key, last_seen)
VALUES (:alertTimeMs, :ruleId, :title, :description, :severity, :scanId, :processes, :processCount,
  :ruleVersion, :executionTimeMs, :rows, :ruleName, :category, :tags, :attack, :hostName, :hostId, :bootId,
  :correlationId, :dedupKey, :alertTimeMs)`;

export function alertParameters(alert: Omit<Alert, 'id'>): Record<string, unknown> {
  return {
    ...alert,
    processes: JSON.stringify(alert.processes),
    processCount: alert.processes.length,
    rows: JSON.stringify(alert.rows),
    tags: JSON.stringify(alert.tags),
    attack: JSON.stringify(alert.attack),
  };
}

/** A finding as the alert that it becomes. Times are whole milliseconds, as they are stored. */
export function alertOf(finding: Finding, origin: AlertOrigin, nowMs: number): Omit<Alert, 'id'> {
  const { hostName, hostId, bootId } = origin;
  return {
    ...finding,
    executionTimeMs: Math.round(finding.executionTimeMs),
    alertTimeMs: nowMs,
    title: titleOf(finding),
    hostName,
    hostId,
    bootId,
  };
}

/** The rule's name and the first process: "Shell below a web server: bash (pid 4242) and 2 more". */
function titleOf(finding: Finding): string {
  const [first, ...others] = finding.processes;
  if (first === undefined) return finding.ruleName;
  return `${finding.ruleName}: ${first.name} (pid ${first.pid})${others.length === 0 ? '' : ` and ${others.length} more`}`;
}

export function alertFromRow(row: AlertRow): Alert {
  return {
    id: row.id,
    alertTimeMs: row.alert_time,
    ruleId: row.rule_id,
    ruleName: row.rule_name,
    ruleVersion: row.rule_version,
    severity: row.severity,
    title: row.title,
    description: row.description,
    category: row.category,
    tags: listFrom(row, 'tags'),
    attack: listFrom(row, 'attack'),
    dedupKey: row.dedup_key,
    scanId: row.scan_id,
    correlationId: row.correlation_id,
    rows: listFrom(row, 'query_result'),
    processes: listFrom(row, 'affected_processes'),
    executionTimeMs: row.execution_time_ms,
    hostName: row.host_name,
    hostId: row.host_id,
    bootId: row.boot_id,
  };
}

/** Columns that hold a JSON array, with what is in it. */
type ListItems = { tags: string; attack: string; query_result: ResultRow; affected_processes: AffectedProcess };

/** A list as this process wrote it; what is in it is not checked again. */
function listFrom<Column extends keyof ListItems>(row: AlertRow, column: Column): readonly ListItems[Column][] {
  const value: unknown = JSON.parse(row[column]);
  if (isList(column, value)) return value;
  throw new SentinelError('store.corrupt', { message: `Alert ${row.id} has no list in ${column}.`, context: { alertId: row.id, column } });
}

function isList<Column extends keyof ListItems>(_column: Column, value: unknown): value is readonly ListItems[Column][] {
  return Array.isArray(value);
}
