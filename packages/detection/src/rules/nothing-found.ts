/**
 * What a rule over new events answers for a scan without any. It need not be run for that: `scopeOf` says which rules.
 */
import type { RuleOutcome } from '@sentineld/model/rule';

export function nothingFound(scanId: number): Extract<RuleOutcome, { outcome: 'ok' }> {
  return { outcome: 'ok', scanId, rows: [], processes: [], truncated: false, eventSeq: null, durationMs: 0 };
}
