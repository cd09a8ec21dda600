/**
 * From the rows that a rule matched to findings: rows that agree in the rule's dedup keys are one finding.
 */
import type { Finding } from '@sentineld/model/alert';
import type { AffectedProcess, ResultRow, Rule, RuleOutcome } from '@sentineld/model/rule';
import { groupByDedup } from '@sentineld/detection/rules/dedup';

/** Findings of one rule over one scan; none where it matched nothing. */
export function findingsOf(rule: Rule, outcome: Extract<RuleOutcome, { outcome: 'ok' }>, correlationId: string): readonly Finding[] {
  return groupByDedup(rule, outcome.rows).map(({ key, rows }) => ({
    ruleId: rule.id,
    ruleName: rule.name,
    ruleVersion: rule.version,
    severity: rule.severity,
    description: rule.description,
    category: rule.category,
    tags: rule.tags,
    attack: rule.attack,
    dedupKey: key,
    scanId: outcome.scanId,
    correlationId,
    rows,
    processes: processesOf(rows, outcome.processes),
    executionTimeMs: Math.round(outcome.durationMs),
  }));
}

function processesOf(rows: readonly ResultRow[], processes: readonly AffectedProcess[]): readonly AffectedProcess[] {
  return processes.filter((process) => rows.some((row) => row['pid'] === process.pid && !isAnother(row, process, processes)));
}

/** Of events one pid can stand for several programs: then the row says which of them it is about. */
function isAnother(row: ResultRow, process: AffectedProcess, processes: readonly AffectedProcess[]): boolean {
  if (processes.filter(({ pid }) => pid === process.pid).length < 2) return false;
  return (row['exe_path'] ?? null) !== process.exePath || (row['name'] ?? '') !== process.name;
}
