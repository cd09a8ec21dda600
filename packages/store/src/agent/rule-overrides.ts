/**
 * What operators decided about rules, by rule id: it is there for as long as nobody takes it back, whatever becomes of the rule.
 */
import { SEVERITIES, type OperatorOverride } from '@sentineld/model/rule';
import type { WriterDatabase } from '../open.ts';

type OverrideRow = {
  readonly rule_id: string;
  readonly enabled: number | null;
  readonly severity: string | null;
  readonly reason: string;
  readonly uid: number;
  readonly user_name: string | null;
  readonly decided_at: number;
};

/** `save` and `remove` must run within a transaction. */
export function prepareRuleOverrides(db: WriterDatabase): {
  load(): OperatorOverride[];
  save(override: OperatorOverride): void;
  remove(ruleId: string): void;
} {
  const load = db.prepare<[], OverrideRow>('SELECT * FROM rule_override ORDER BY rule_id');
  const save = db.prepare<[Record<string, unknown>]>(
    `INSERT OR REPLACE INTO rule_override (rule_id, enabled, severity, reason, uid, user_name, decided_at)
     VALUES (:ruleId, :enabled, :severity, :reason, :uid, :userName, :decidedMs)`,
  );
  const remove = db.prepare<[string]>('DELETE FROM rule_override WHERE rule_id = ?');
  return {
    load: () => load.all().map(overrideOf),
    save: (override) => void save.run({ ...override, enabled: override.enabled === null ? null : Number(override.enabled) }),
    remove: (ruleId) => void remove.run(ruleId),
  };
}

function overrideOf(row: OverrideRow): OperatorOverride {
  return {
    ruleId: row.rule_id,
    enabled: row.enabled === null ? null : row.enabled === 1,
    severity: SEVERITIES.find((severity) => severity === row.severity) ?? null,
    reason: row.reason,
    uid: row.uid,
    userName: row.user_name,
    decidedMs: row.decided_at,
  };
}
