/**
 * An alert as JSON for other programs. docs/alerts.md describes it; keys are added, never renamed.
 */
import type { Alert } from './alert.ts';

export type AlertDocument = Readonly<Record<string, unknown>>;

/** Version of the document's form. */
export const ALERT_DOCUMENT_VERSION = 1;

/** The alert in snake_case with times as ISO 8601. Host strings are as collected: escaping is for whoever shows them. */
export function alertDocument(alert: Alert): AlertDocument {
  return {
    version: ALERT_DOCUMENT_VERSION,
    id: alert.id,
    time: new Date(alert.alertTimeMs).toISOString(),
    host: { name: alert.hostName, id: alert.hostId, boot_id: alert.bootId },
    rule: {
      id: alert.ruleId,
      name: alert.ruleName,
      version: alert.ruleVersion,
      category: alert.category,
      tags: alert.tags,
      attack: alert.attack,
    },
    severity: alert.severity,
    title: alert.title,
    description: alert.description,
    scan_id: alert.scanId,
    correlation_id: alert.correlationId,
    dedup_key: alert.dedupKey,
    execution_time_ms: alert.executionTimeMs,
    processes: alert.processes.map((process) => ({
      pid: process.pid,
      start_time: process.startTimeMs === null ? null : new Date(process.startTimeMs).toISOString(),
      name: process.name,
      exe: process.exePath,
      argv: process.argv,
      user: process.user,
      parent: { pid: process.ppid, name: process.parentName, exe: process.parentExe, cmdline: process.parentCmdline },
    })),
    rows: alert.rows,
  };
}
