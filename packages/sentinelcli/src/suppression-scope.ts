/**
 * What is to be suppressed, from the options of `alerts suppress`: a rule with conditions that are given, or what makes an
 * alert the one it is. What could never be kept is refused here, with what to do about it.
 */
import { MAX_CONDITIONS, MAX_CONDITIONS_BYTES, MAX_VALUE_BYTES, type Condition } from '@sentineld/model/alert-decision';
import { SentinelError } from '@sentineld/model/error';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { requireAlert, withAgentReader, type StoredAlert } from './alert-store.ts';
import { requireRule, type KnownRule, type Scope } from './suppression-store.ts';

export type ScopeOptions = { readonly rule: string | null; readonly alert: string | null; readonly where: readonly string[] };

const WHERE_HINT = "write for instance --where user_name=backup, or --where 'cmdline=/usr/bin/rsync -a'";

/** Throws 'usage.invalid' for what makes no sense, 'store.*' where the database of the agent cannot be read. */
export function scopeOf(paths: StatePaths, { rule, alert, where }: ScopeOptions): Scope {
  if ((rule === null) === (alert === null))
    throw new SentinelError('usage.invalid', {
      message: rule === null ? 'alerts suppress needs --rule or --alert' : '--rule and --alert exclude each other',
      why: 'the first suppresses findings of a rule, the second those that are like an alert',
      hint: 'write for instance --alert newest, or --rule deleted-executable --where user_name=backup',
    });
  const given = where.map(parseCondition);
  const from = alert === null ? null : requireAlert(paths, alert).alert;
  const ruleId = from?.ruleId ?? rule ?? '';
  const known = withAgentReader(paths, (reader) => requireRule(reader, ruleId));
  const conditions = [...(from === null ? [] : conditionsOf(from, known)), ...given];
  requireKeepable(conditions);
  if (conditions.length === 0) refuseWholeCritical(ruleId, known);
  return { ruleId, conditions, alertId: from?.id ?? null };
}

/** The text before the first = is the column, the rest the value, whatever is in it. */
function parseCondition(assignment: string): Condition {
  const at = assignment.indexOf('=');
  if (at >= 1) return { column: assignment.slice(0, at), value: assignment.slice(at + 1) };
  throw new SentinelError('usage.invalid', {
    message: `--where ${assignment}: not taken`,
    why: "it must be COLUMN=VALUE, with a column of the rule's rows",
    hint: WHERE_HINT,
  });
}

/** The columns that tell the alert from others of its rule, with its values: all of its rows have them. */
function conditionsOf({ id, rows: [row = {}] }: StoredAlert, { dedupKeys }: KnownRule): readonly Condition[] {
  return dedupKeys.map((column) => {
    const value = row[column];
    if (value === undefined)
      throw new SentinelError('usage.invalid', {
        message: `alert ${id} has no column ${column}`,
        why: 'the rule tells its findings apart by other columns than it did when the alert was raised',
        hint: 'give --rule and --where with columns that it has now',
      });
    return { column, value: value === null ? null : String(value) };
  });
}

function requireKeepable(conditions: readonly Condition[]): void {
  const twice = conditions.find(({ column }, at) => conditions.findIndex((other) => other.column === column) < at);
  if (twice !== undefined)
    throw notKept(`two values for ${twice.column}: not taken`, 'a finding is held against one value of each column', 'give one of them');
  if (conditions.length > MAX_CONDITIONS)
    throw notKept(`${conditions.length} conditions: not taken`, `at most ${MAX_CONDITIONS} are kept`, 'name fewer columns');
  for (const { column, value } of conditions) {
    const sizeBytes = Buffer.byteLength(value ?? '');
    if (sizeBytes > MAX_VALUE_BYTES)
      throw notKept(`the value of ${column} has ${sizeBytes} bytes: not taken`, `at most ${MAX_VALUE_BYTES} are kept`, WHERE_HINT);
  }
  const sizeBytes = Buffer.byteLength(JSON.stringify(conditions));
  if (sizeBytes > MAX_CONDITIONS_BYTES)
    throw notKept(`conditions of ${sizeBytes} bytes: not taken`, `at most ${MAX_CONDITIONS_BYTES} are kept`, 'name fewer columns');
}

function notKept(message: string, why: string, hint: string): SentinelError {
  return new SentinelError('usage.invalid', { message, why, hint });
}

function refuseWholeCritical(ruleId: string, { severity }: KnownRule): void {
  if (severity !== 'critical') return;
  throw new SentinelError('usage.invalid', {
    message: `rule ${ruleId} is not suppressed as a whole`,
    why: 'it is critical: only findings that are named by a value of a column, or by one of its alerts, are',
    hint: 'add --where COLUMN=VALUE, or give --alert ID instead of --rule',
  });
}
