/**
 * What the newest evaluation of each rule came to, and up to where a rule has seen process events.
 */
import { RULE_RESULTS, type RuleResult } from '@sentineld/model/rule';
import type { WriterDatabase } from '../open.ts';

/** Up to where a rule has seen: a scan, and the events that were stored by then. */
export type SeenEvents = {
  /** The events.db that the numbers are of: they begin anew with another file. */
  readonly store: string;
  /** Number of the newest event; 0 where there was none. */
  readonly seq: number;
  readonly scanId: number;
  /** Time of that scan, milliseconds since 1970. */
  readonly scanMs: number;
};

export type RuleProgress = {
  readonly ruleId: string;
  readonly result: RuleResult;
  /** Milliseconds since 1970: since when every evaluation came to this. */
  readonly sinceMs: number;
  /** Why the newest evaluation was incomplete or failed, in a sentence; null where it was neither. */
  readonly reason: string | null;
  /** Null of rules that read no events, and before the first evaluation. */
  readonly seen: SeenEvents | null;
};

type ProgressRow = {
  readonly rule_id: string;
  readonly result: string;
  readonly since: number;
  readonly reason: string | null;
  readonly seen_store: string | null;
  readonly seen_seq: number;
  readonly seen_scan: number;
  readonly seen_scan_time: number;
};

/** `save` must run within a transaction, and takes only rules that are stored. */
export function prepareRuleProgress(db: WriterDatabase): {
  load(): RuleProgress[];
  save(progress: readonly RuleProgress[]): void;
} {
  const load = db.prepare<[], ProgressRow>('SELECT * FROM rule_results ORDER BY rule_id');
  const save = db.prepare<[Record<string, unknown>]>(
    `INSERT OR REPLACE INTO rule_results (rule_id, result, since, reason, seen_store, seen_seq, seen_scan, seen_scan_time)
     VALUES (:ruleId, :result, :sinceMs, :reason, :store, :seq, :scanId, :scanMs)`,
  );
  return {
    load: () => load.all().map(progressOf),
    save: (progress) => {
      for (const { seen, ...rule } of progress) save.run({ ...rule, ...(seen ?? NOTHING_SEEN) });
    },
  };
}

const NOTHING_SEEN = { store: null, seq: null, scanId: null, scanMs: null };

function progressOf(row: ProgressRow): RuleProgress {
  return {
    ruleId: row.rule_id,
    result: RULE_RESULTS.find((result) => result === row.result) ?? 'failed',
    sinceMs: row.since,
    reason: row.reason,
    seen: row.seen_store === null ? null : { store: row.seen_store, seq: row.seen_seq, scanId: row.seen_scan, scanMs: row.seen_scan_time },
  };
}
