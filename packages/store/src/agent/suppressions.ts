/**
 * Findings that operators let raise no alert for a while. They are held against the findings in the transaction that
 * stores these, and each that hides one counts it.
 */
import type { Finding } from '@sentineld/model/alert';
import { MAX_SUPPRESSIONS, hidesFinding, type Condition, type Suppression } from '@sentineld/model/alert-decision';
import { SentinelError } from '@sentineld/model/error';
import type { WriterDatabase } from '../open.ts';

/** What an operator decided; the times are those of the writer. */
export type NewSuppression = Pick<Suppression, 'ruleId' | 'conditions' | 'alertId' | 'reason' | 'uid' | 'userName'> & {
  readonly forMs: number;
};

/** Whose word it is that a suppression ends. */
export type SuppressionEnder = { readonly uid: number; readonly userName: string | null; readonly reason: string };

type Row = {
  readonly id: number;
  readonly rule_id: string;
  readonly alert_id: number | null;
  readonly reason: string;
  readonly uid: number;
  readonly user_name: string | null;
  readonly created_at: number;
  readonly expires_at: number;
  readonly hits: number;
  readonly last_hit: number | null;
  readonly ended_at: number | null;
  readonly ended_uid: number | null;
  readonly ended_by: string | null;
  readonly ended_reason: string | null;
  readonly conditions: string;
};

export type Suppressions = {
  add(given: NewSuppression, nowMs: number): Suppression;
  /** Throws 'usage.invalid' where there is none of this number, or it has ended. */
  end(id: number, by: SuppressionEnder, nowMs: number): Suppression;
  /** Ends those whose time is over, and gives them. */
  expire(nowMs: number): Suppression[];
  /** Whether there are some whose time is over. */
  hasExpired(nowMs: number): boolean;
};

/** All but `hasExpired` must run within a transaction. */
export function prepareSuppressions(db: WriterDatabase): Suppressions {
  const find = db.prepare<[number], Row>('SELECT * FROM alert_suppression WHERE id = ?');
  const insert = db.prepare<[Record<string, unknown>]>(
    `INSERT INTO alert_suppression (rule_id, alert_id, reason, uid, user_name, created_at, expires_at, conditions)
     VALUES (:ruleId, :alertId, :reason, :uid, :userName, :createdMs, :expiresMs, :conditions)`,
  );
  const stop = db.prepare<[Record<string, unknown>]>(
    'UPDATE alert_suppression SET ended_at = :atMs, ended_uid = :uid, ended_by = :userName, ended_reason = :reason WHERE id = :id',
  );
  const overdue = db.prepare<[number], Row>('SELECT * FROM alert_suppression WHERE ended_at IS NULL AND expires_at <= ? ORDER BY id');
  const requireRoom = prepareRoom(db);
  const requireAlert = prepareAlertCheck(db);
  const prune = preparePruning(db);

  return {
    add: (given, nowMs) => {
      requireRoom();
      requireAlert(given);
      const { conditions, forMs, ...said } = given;
      const times = { createdMs: nowMs, expiresMs: nowMs + forMs };
      const { lastInsertRowid } = insert.run({ ...said, ...times, conditions: JSON.stringify(conditions) });
      return { ...said, ...times, id: Number(lastInsertRowid), conditions, hits: 0, lastHitMs: null, ended: null };
    },
    end: (id, by, nowMs) => {
      const open = requireOpen(id, find.get(id), nowMs);
      stop.run({ ...by, id, atMs: nowMs });
      prune();
      return { ...open, ended: { ...by, atMs: nowMs } };
    },
    expire: (nowMs) => {
      const expired = overdue.all(nowMs).map((row) => {
        const ended = { atMs: row.expires_at, uid: null, userName: null, reason: null };
        stop.run({ ...ended, id: row.id });
        return { ...suppressionOf(row), ended };
      });
      if (expired.length > 0) prune();
      return expired;
    },
    hasExpired: (nowMs) => overdue.get(nowMs) !== undefined,
  };
}

function prepareRoom(db: WriterDatabase): () => void {
  const count = db.prepare<[], { open: number }>('SELECT count(*) AS open FROM alert_suppression WHERE ended_at IS NULL');
  return () => {
    if ((count.get()?.open ?? 0) >= MAX_SUPPRESSIONS)
      throw new SentinelError('usage.invalid', {
        message: `${MAX_SUPPRESSIONS} suppressions hold already, and no more are kept: end one, or have a rule find less`,
      });
  };
}

/** A suppression that says that it comes from an alert comes from one of that rule. */
function prepareAlertCheck(db: WriterDatabase): (given: NewSuppression) => void {
  const find = db.prepare<[number], { rule_id: string }>('SELECT rule_id FROM alerts WHERE id = ?');
  return ({ alertId, ruleId }) => {
    if (alertId !== null && find.get(alertId)?.rule_id !== ruleId)
      throw new SentinelError('usage.invalid', { message: `there is no alert ${alertId} of the rule ${ruleId}` });
  };
}

function preparePruning(db: WriterDatabase): () => void {
  const remove = db.prepare<[number]>(
    `DELETE FROM alert_suppression WHERE ended_at IS NOT NULL
       AND id NOT IN (SELECT id FROM alert_suppression WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, id DESC LIMIT ?)`,
  );
  return () => void remove.run(MAX_SUPPRESSIONS);
}

function requireOpen(id: number, row: Row | undefined, nowMs: number): Suppression {
  if (row === undefined) throw new SentinelError('usage.invalid', { message: `there is no suppression ${id}` });
  const suppression = suppressionOf(row);
  const endedMs = suppression.ended?.atMs ?? (suppression.expiresMs <= nowMs ? suppression.expiresMs : null);
  if (endedMs !== null)
    throw new SentinelError('usage.invalid', { message: `suppression ${id} ended at ${new Date(endedMs).toISOString()} already` });
  return suppression;
}

/**
 * Takes out the findings that a suppression hides, and counts them on every one that does. One that is from the future hides
 * nothing: a clock that was set back must not make it last longer. To be run within the transaction that stores the findings.
 */
export function prepareHiding(db: WriterDatabase): (findings: readonly Finding[], nowMs: number) => readonly Finding[] {
  const holding = db.prepare<[string, number, number], Pick<Row, 'id' | 'conditions'>>(
    `SELECT id, conditions FROM alert_suppression
     WHERE rule_id = ? AND ended_at IS NULL AND created_at <= ? AND expires_at > ? ORDER BY id`,
  );
  const hit = db.prepare<[number, number]>('UPDATE alert_suppression SET hits = hits + 1, last_hit = ? WHERE id = ?');
  return (findings, nowMs) => {
    const byRule = new Map<string, readonly { readonly id: number; readonly conditions: readonly Condition[] }[]>();
    const of = (ruleId: string) => {
      const known = byRule.get(ruleId);
      if (known !== undefined) return known;
      const read = holding.all(ruleId, nowMs, nowMs).map(({ id, conditions }) => ({ id, conditions: conditionsFrom(id, conditions) }));
      byRule.set(ruleId, read);
      return read;
    };
    return findings.filter((finding) => {
      const hiding = of(finding.ruleId).filter(({ conditions }) => hidesFinding(conditions, finding));
      for (const { id } of hiding) hit.run(nowMs, id);
      return hiding.length === 0;
    });
  };
}

function suppressionOf(row: Row): Suppression {
  return {
    id: row.id,
    ruleId: row.rule_id,
    conditions: conditionsFrom(row.id, row.conditions),
    alertId: row.alert_id,
    reason: row.reason,
    uid: row.uid,
    userName: row.user_name,
    createdMs: row.created_at,
    expiresMs: row.expires_at,
    hits: row.hits,
    lastHitMs: row.last_hit,
    ended: row.ended_at === null ? null : { atMs: row.ended_at, uid: row.ended_uid, userName: row.ended_by, reason: row.ended_reason },
  };
}

/** As this process wrote it. A damaged one must not become one without conditions, which hides all. */
function conditionsFrom(id: number, text: string): readonly Condition[] {
  const value: unknown = JSON.parse(text);
  if (Array.isArray(value) && value.every(isCondition)) return value;
  throw new SentinelError('store.corrupt', { message: `Suppression ${id} has no list of conditions.`, context: { id } });
}

function isCondition(value: unknown): value is Condition {
  if (typeof value !== 'object' || value === null || !('column' in value) || !('value' in value)) return false;
  return typeof value.column === 'string' && (value.value === null || typeof value.value === 'string');
}
