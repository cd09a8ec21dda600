/**
 * Suppressions as agent.db holds them, and what one would have hidden lately: read whether the agent runs or not.
 */
import { hidesFinding, type Condition, type Suppression } from '@sentineld/model/alert-decision';
import { SentinelError } from '@sentineld/model/error';
import { SuppressionSchema } from '@sentineld/model/reply';
import type { ResultRow, SqlValue } from '@sentineld/model/rule';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { nearestWord } from '@sentineld/runtime/config/nearest-word';
import type { Reader } from '@sentineld/store/reader';
import { alertsOfRule, withAgentReader, type StoredAlert } from './alert-store.ts';

/** What a suppression hides. */
export type Scope = { readonly ruleId: string; readonly conditions: readonly Condition[]; readonly alertId: number | null };

/** What a suppression would have hidden of the alerts of its rule. */
export type Preview = {
  readonly sinceMs: number;
  /** Alerts that were looked at. */
  readonly alerts: number;
  readonly hidden: number;
  /** Of the hidden ones the newest. */
  readonly newest: readonly StoredAlert[];
  /** Columns that the alerts have. */
  readonly columns: readonly string[];
};

/** A rule as the agent loaded it. */
export type KnownRule = { readonly severity: string; readonly dedupKeys: readonly string[] };

const PREVIEW_MS = 7 * 86_400_000;
const PAGE = 200;
const MOST_NEWEST = 10;

/** Newest first. */
export function storedSuppressions(paths: StatePaths): readonly Suppression[] {
  return withAgentReader(paths, (reader) => reader.internal('SELECT * FROM temp.alert_suppression ORDER BY id DESC').map(suppressionFrom));
}

function suppressionFrom(row: ResultRow): Suppression {
  const of = (name: string): SqlValue => row[name] ?? null;
  const read = SuppressionSchema.safeParse({
    id: of('id'),
    ruleId: of('rule_id'),
    conditions: parsed(of('conditions')),
    alertId: of('alert_id'),
    reason: of('reason'),
    uid: of('uid'),
    userName: of('user_name'),
    createdMs: of('created_at'),
    expiresMs: of('expires_at'),
    hits: of('hits'),
    lastHitMs: of('last_hit'),
    ended:
      of('ended_at') === null ? null : { atMs: of('ended_at'), uid: of('ended_uid'), userName: of('ended_by'), reason: of('ended_reason') },
  });
  if (read.success) return read.data;
  throw new SentinelError('store.corrupt', { message: `suppression ${String(of('id'))} is not in a form that is known` });
}

function parsed(text: SqlValue): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return null;
  }
}

/** The rule as the agent loaded it last. Throws 'usage.invalid' where there is none. */
export function requireRule(reader: Reader, ruleId: string): KnownRule {
  const [row] = reader.internal('SELECT severity, dedup_keys FROM temp.detection_rules WHERE id = ?1 AND removed_at IS NULL', [ruleId]);
  if (row === undefined) throw unknownRule(reader, ruleId);
  const keys = parsed(row['dedup_keys'] ?? null);
  return { severity: String(row['severity']), dedupKeys: Array.isArray(keys) ? keys.filter((key) => typeof key === 'string') : [] };
}

function unknownRule(reader: Reader, ruleId: string): SentinelError {
  const ids = reader.internal('SELECT id FROM temp.detection_rules WHERE removed_at IS NULL').map(({ id }) => String(id));
  const nearest = nearestWord(ruleId, ids);
  return new SentinelError('usage.invalid', {
    message: `there is no rule ${ruleId}`,
    why: 'no rule that the agent loaded has this id',
    hint: nearest === null ? 'sentinelcli rules list shows those there are' : `did you mean ${nearest}?`,
  });
}

/** What it would have hidden of the alerts of the last 7 days. */
export function previewOf(reader: Reader, { ruleId, conditions }: Scope, nowMs: number): Preview {
  const sinceMs = nowMs - PREVIEW_MS;
  const columns = new Set<string>();
  const newest: StoredAlert[] = [];
  let [alerts, hidden, below] = [0, 0, Number.MAX_SAFE_INTEGER];
  for (;;) {
    const page = alertsOfRule(reader, { ruleId, sinceMs, below, limit: PAGE });
    const hits = page.filter((alert) => hidesFinding(conditions, alert));
    for (const { rows } of page) for (const row of rows) for (const name of Object.keys(row)) columns.add(name);
    newest.push(...hits.slice(0, MOST_NEWEST - newest.length));
    alerts += page.length;
    hidden += hits.length;
    below = page.at(-1)?.id ?? 0;
    if (page.length < PAGE) return { sinceMs, alerts, hidden, newest, columns: [...columns] };
  }
}
