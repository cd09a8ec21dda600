/**
 * Alerts as an operator reads them: fixed queries over the agent's database alone, so that they can be read whatever
 * became of the event store. Rows were written by the agent, but what is in them came from the host.
 */
import type { Alert } from '@sentineld/model/alert';
import type { Acknowledgement } from '@sentineld/model/alert-decision';
import { SentinelError } from '@sentineld/model/error';
import { SEVERITIES, type AffectedProcess, type ResultRow, type Severity, type SqlValue } from '@sentineld/model/rule';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { AGENT_SCHEMA, AGENT_VIEWS } from '@sentineld/store/agent/readable';
import { openReader, type Reader } from '@sentineld/store/reader';
import { requireAgentDatabase } from './databases.ts';
import { isRecord, numberField, textField, textsField, type Fields } from './fields.ts';

/** An alert and what became of it. */
export type StoredAlert = Alert & {
  readonly repeats: number;
  readonly lastSeenMs: number;
  readonly processCount: number;
  /** Null where nobody said that it is handled. */
  readonly acknowledged: Acknowledgement | null;
};

export type StoredDelivery = {
  readonly sinkName: string;
  readonly sinkType: string;
  readonly status: string;
  readonly attemptCount: number;
  readonly attemptTimeMs: number;
  readonly responseTimeMs: number | null;
  readonly error: string | null;
  readonly httpStatus: number | null;
};

export type AlertFilter = {
  readonly severities: readonly Severity[];
  readonly ruleId: string | null;
  /** Raised or seen again since then. */
  readonly sinceMs: number | null;
  /** Of those alone that nobody said are handled. */
  readonly unacknowledged?: boolean;
  readonly limit: number;
};

/** Opens agent.db, does one thing and closes it. Throws 'store.*'. */
export function withAgentReader<Result>(paths: StatePaths, work: (reader: Reader) => Result): Result {
  const path = requireAgentDatabase(paths);
  // The views read the schema `agent`; as main the same file serves where there is no event store.
  const reader = openReader({
    databases: [
      { schema: 'main', path },
      { schema: 'agent', path },
    ],
    temporaryViews: AGENT_VIEWS,
    schema: AGENT_SCHEMA,
    functions: new Set(),
  });
  try {
    return work(reader);
  } catch (cause) {
    throw isOfEarlierRelease(cause) ? earlierRelease(path) : cause;
  } finally {
    reader.close();
  }
}

/** The views are those of this release: in an older file there is less than they name. */
function isOfEarlierRelease(cause: unknown): boolean {
  return cause instanceof SentinelError && cause.code === 'query.failed' && /^no such (table|column): (a|agent)\./.test(cause.message);
}

function earlierRelease(path: string): SentinelError {
  return new SentinelError('store.unreadable', {
    message: `${path} is of an earlier release`,
    why: 'sentinelagent of this release takes it along when it starts, and has not started yet',
    hint: 'start it, or ask with the sentinelcli of that release',
    context: { path },
  });
}

/** Newest first. One more than the limit where there are more. */
export function listAlerts(reader: Reader, filter: AlertFilter): readonly StoredAlert[] {
  const rows = reader.internal(
    `SELECT * FROM temp.alerts
     WHERE severity IN (SELECT value FROM json_each(?1)) AND (?2 IS NULL OR rule_id = ?2) AND (?3 IS NULL OR last_seen >= ?3)
       AND (?5 = 0 OR acknowledged_ms IS NULL)
     ORDER BY id DESC LIMIT ?4`,
    [JSON.stringify(filter.severities), filter.ruleId, filter.sinceMs, filter.limit + 1, filter.unacknowledged === true ? 1 : 0],
  );
  return rows.map(alertOf);
}

/** Those that were raised after the alert of this number, oldest first. */
export function alertsAfter(
  reader: Reader,
  id: number,
  { severities, ruleId, limit }: Omit<AlertFilter, 'sinceMs'>,
): readonly StoredAlert[] {
  const rows = reader.internal(
    `SELECT * FROM temp.alerts WHERE id > ?1 AND severity IN (SELECT value FROM json_each(?2)) AND (?3 IS NULL OR rule_id = ?3) ORDER BY id LIMIT ?4`,
    [id, JSON.stringify(severities), ruleId, limit],
  );
  return rows.map(alertOf);
}

/** Those of a rule that were raised since then, below a number, newest first. */
export function alertsOfRule(
  reader: Reader,
  { ruleId, sinceMs, below, limit }: { readonly ruleId: string; readonly sinceMs: number; readonly below: number; readonly limit: number },
): readonly StoredAlert[] {
  const rows = reader.internal('SELECT * FROM temp.alerts WHERE rule_id = ?1 AND alert_time >= ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4', [
    ruleId,
    sinceMs,
    below,
    limit,
  ]);
  return rows.map(alertOf);
}

/** Number of the newest alert; 0 where there is none. */
export function newestAlert(reader: Reader): number {
  return numberOf(reader.internal('SELECT max(id) AS id FROM temp.alerts')[0]?.['id']);
}

function findAlert(
  reader: Reader,
  id: number | 'newest',
): { readonly alert: StoredAlert; readonly deliveries: readonly StoredDelivery[] } | null {
  const [row] =
    id === 'newest'
      ? reader.internal('SELECT * FROM temp.alerts ORDER BY id DESC LIMIT 1')
      : reader.internal('SELECT * FROM temp.alerts WHERE id = ?1', [id]);
  if (row === undefined) return null;
  const alert = alertOf(row);
  const deliveries = reader.internal('SELECT * FROM temp.alert_deliveries WHERE alert_id = ?1 ORDER BY id', [alert.id]);
  return { alert, deliveries: deliveries.map(deliveryOf) };
}

/** The alert that a word of the command line names: its number, or newest. Throws 'usage.invalid' where there is none. */
export function requireAlert(
  paths: StatePaths,
  word: string,
): { readonly alert: StoredAlert; readonly deliveries: readonly StoredDelivery[] } {
  if (word !== 'newest' && !/^\d{1,15}$/.test(word))
    throw new SentinelError('usage.invalid', {
      message: `"${word}" names no alert`,
      why: 'an alert is named by its number, or by the word newest',
      hint: 'sentinelcli alerts list shows the numbers',
    });
  const found = withAgentReader(paths, (reader) => findAlert(reader, word === 'newest' ? word : Number(word)));
  if (found !== null) return found;
  throw new SentinelError('usage.invalid', {
    message: word === 'newest' ? 'there is no alert yet' : `there is no alert ${word}`,
    why: word === 'newest' ? 'no rule has matched since the state directory was made' : 'no alert of this number was raised here',
    hint: 'sentinelcli alerts list shows those there are',
  });
}

/** The text of a rule as it is loaded now, or was last; null where it is not known any more. */
export function findRuleText(reader: Reader, ruleId: string): { readonly version: number; readonly sql: string } | null {
  const [row] = reader.internal('SELECT version, sql_query FROM temp.detection_rules WHERE id = ?1', [ruleId]);
  return row === undefined ? null : { version: numberOf(row['version']), sql: textOf(row['sql_query']) };
}

/** Alerts of the same rule that were raised before, newest first, as many as the limit; and how many there are. */
export function alertsBefore(
  reader: Reader,
  alert: Alert,
  limit: number,
): { readonly count: number; readonly newest: readonly StoredAlert[] } {
  const where = 'FROM temp.alerts WHERE rule_id = ?1 AND id < ?2';
  const [counted] = reader.internal(`SELECT count(*) AS n ${where}`, [alert.ruleId, alert.id]);
  const rows = reader.internal(`SELECT * ${where} ORDER BY id DESC LIMIT ?3`, [alert.ruleId, alert.id, limit]);
  return { count: numberOf(counted?.['n']), newest: rows.map(alertOf) };
}

/** How many alerts of each severity were raised since then. */
export function countAlerts(reader: Reader, sinceMs: number): Readonly<Record<Severity, number>> {
  const rows = reader.internal('SELECT severity, count(*) AS n FROM temp.alerts WHERE alert_time >= ?1 GROUP BY severity', [sinceMs]);
  const countOf = (severity: Severity): number => numberOf(rows.find((row) => row['severity'] === severity)?.['n']);
  return { low: countOf('low'), medium: countOf('medium'), high: countOf('high'), critical: countOf('critical') };
}

function alertOf(row: ResultRow): StoredAlert {
  return {
    id: numberOf(row['id']),
    alertTimeMs: numberOf(row['alert_time']),
    ruleId: textOf(row['rule_id']),
    ruleName: textOf(row['rule_name']),
    ruleVersion: numberOf(row['rule_version']),
    severity: SEVERITIES.find((severity) => severity === row['severity']) ?? 'low',
    title: textOf(row['title']),
    description: textOf(row['description']),
    category: textOf(row['category']),
    tags: textsIn(row['tags']),
    attack: textsIn(row['attack']),
    dedupKey: textOf(row['dedup_key']),
    scanId: nullableNumberOf(row['scan_id']),
    correlationId: textOf(row['correlation_id']),
    rows: listIn(row['query_result']).filter(isRecord).map(rowOf),
    processes: listIn(row['affected_processes']).filter(isRecord).map(processOf),
    processCount: numberOf(row['process_count']),
    executionTimeMs: numberOf(row['execution_time_ms']),
    hostName: textOf(row['host_name']),
    hostId: textOf(row['host_id']),
    bootId: textOf(row['boot_id']),
    repeats: numberOf(row['repeats']),
    lastSeenMs: numberOf(row['last_seen']),
    acknowledged: acknowledgementOf(row),
  };
}

function acknowledgementOf(row: ResultRow): Acknowledgement | null {
  const atMs = nullableNumberOf(row['acknowledged_ms']);
  if (atMs === null) return null;
  const [by, reason] = [textOf(row['acknowledged_by']), textOf(row['acknowledged_reason'])];
  return { atMs, uid: numberOf(row['acknowledged_uid']), by, reason };
}

function deliveryOf(row: ResultRow): StoredDelivery {
  return {
    sinkName: textOf(row['sink_name']),
    sinkType: textOf(row['sink_type']),
    status: textOf(row['status']),
    attemptCount: numberOf(row['attempt_count']),
    attemptTimeMs: numberOf(row['attempt_time']),
    responseTimeMs: nullableNumberOf(row['response_time_ms']),
    error: typeof row['error_message'] === 'string' ? row['error_message'] : null,
    httpStatus: nullableNumberOf(row['http_status']),
  };
}

function textOf(value: SqlValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function numberOf(value: SqlValue | undefined): number {
  return typeof value === 'number' ? value : 0;
}

function nullableNumberOf(value: SqlValue | undefined): number | null {
  return typeof value === 'number' ? value : null;
}

/** The elements of a JSON array; none where it is no such thing. */
function listIn(value: SqlValue | undefined): readonly unknown[] {
  try {
    const list: unknown = JSON.parse(textOf(value));
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}

function textsIn(value: SqlValue | undefined): readonly string[] {
  return listIn(value).filter((element) => typeof element === 'string');
}

function rowOf(fields: Fields): ResultRow {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, typeof value === 'string' || typeof value === 'number' ? value : null]),
  );
}

function processOf(fields: Fields): AffectedProcess {
  return {
    pid: numberField(fields, 'pid') ?? 0,
    startTimeMs: numberField(fields, 'startTimeMs'),
    name: textField(fields, 'name') ?? '',
    exePath: textField(fields, 'exePath'),
    argv: Array.isArray(fields['argv']) ? textsField(fields, 'argv') : null,
    user: textField(fields, 'user'),
    ppid: numberField(fields, 'ppid'),
    parentName: textField(fields, 'parentName'),
    parentExe: textField(fields, 'parentExe'),
    parentCmdline: textField(fields, 'parentCmdline'),
  };
}
