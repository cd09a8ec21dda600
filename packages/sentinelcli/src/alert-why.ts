/**
 * What can be told of why an alert was raised, put together from every store that this user may read: the rule, its
 * conditions held against the rows, the ancestry, what was not seen then, the ledger's entry, and alerts before it.
 */
import { SentinelError } from '@sentineld/model/error';
import type { ResultRow } from '@sentineld/model/rule';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { conditionsOf } from '@sentineld/detection/explain/conditions';
import { judgeConditions, type JudgedCondition } from '@sentineld/detection/explain/judge-conditions';
import { RULE_PARAMETERS } from '@sentineld/detection/sql/policy';
import { viewsAsOf } from '@sentineld/store/events/as-of';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { AGENT_SCHEMA } from '@sentineld/store/agent/readable';
import { alertsBefore, findRuleText, withAgentReader, type StoredAlert } from './alert-store.ts';
import { withEventsReader } from './as-of.ts';
import { openLogReader } from './ledger/log-entries.ts';
import { startSandbox } from './sandbox.ts';
import { readTree, type TreeProcess } from './tree-report.ts';

/** What is not there has a reason instead, in words that follow "not known:". */
export type Known<Value> = { readonly value: Value } | { readonly why: string };

export type RuleAsked = {
  readonly sql: string;
  /** By row, as many as were judged; null where the rule has no conditions of its own. */
  readonly conditions: readonly JudgedCondition[] | null;
};

export type AlertWhy = {
  readonly rule: Known<RuleAsked>;
  /** The farthest ancestor first, the process itself last. */
  readonly ancestry: Known<readonly TreeProcess[]>;
  /** The row of `coverage` for the scan. */
  readonly coverage: Known<ResultRow>;
  readonly ledger: Known<{ readonly sequence: number; readonly entryHash: string }>;
  readonly before: { readonly count: number; readonly newest: readonly StoredAlert[] };
};

/** Rows that are held against the conditions. */
const MOST_ROWS = 5;
const MOST_BEFORE = 5;
const DEADLINE_MS = 10_000;

/** Never throws for a store that is missing or may not be read, but for the agent's own. */
export async function explainAlert(paths: StatePaths, alert: StoredAlert): Promise<AlertWhy> {
  const { text, before } = withAgentReader(paths, (reader) => ({
    text: findRuleText(reader, alert.ruleId),
    before: alertsBefore(reader, alert, MOST_BEFORE),
  }));
  return {
    rule: await ruleAsked(paths, alert, text),
    ancestry: ofScan(alert, (scanId) => ancestryOf(paths, alert, scanId)),
    coverage: ofScan(alert, (scanId) => coverageOf(paths, scanId)),
    ledger: orWhy(() => entryOf(paths, alert)),
    before,
  };
}

async function ruleAsked(paths: StatePaths, alert: StoredAlert, text: ReturnType<typeof findRuleText>): Promise<Known<RuleAsked>> {
  if (text === null) return { why: 'the rule is not there any more' };
  if (text.version !== alert.ruleVersion) return { why: `it was version ${alert.ruleVersion}, and version ${text.version} is there now` };
  const condition = conditionsOf(text.sql, { schema: EVENTS_SCHEMA, parameters: RULE_PARAMETERS });
  if (condition === null) return { value: { sql: text.sql, conditions: null } };
  // Nothing is read from it: the tests have their values as parameters.
  const databases = [{ schema: 'main', path: paths.agentDb }];
  const sandbox = startSandbox({ databases, schema: AGENT_SCHEMA, deadlineMs: DEADLINE_MS, anyParameters: true });
  try {
    const conditions: JudgedCondition[] = [];
    for (const row of alert.rows.slice(0, MOST_ROWS))
      conditions.push(await judgeConditions(condition, row, (sql, parameters) => sandbox.run({ sql, parameters })));
    return { value: { sql: text.sql, conditions } };
  } finally {
    await sandbox.close();
  }
}

function ofScan<Value>({ scanId }: StoredAlert, work: (scanId: number) => Known<Value>): Known<Value> {
  return scanId === null ? { why: 'the rule saw no scan' } : orWhy(() => work(scanId));
}

function ancestryOf(paths: StatePaths, { processes: [first] }: StoredAlert, scanId: number): Known<readonly TreeProcess[]> {
  if (first === undefined) return { why: 'the alert names no process' };
  const report = withEventsReader(paths, viewsAsOf(scanId), (reader) => readTree(reader, first.pid, 0));
  if (report === null)
    return { why: `scan ${scanId} has no process ${first.pid}: it lived between two scans, or the scan is no longer kept` };
  const nodes = report.rows.filter(({ role }) => role === 'ancestor' || role === 'asked').map(({ node }) => node);
  const own = nodes.at(-1);
  // Another process may have had the pid when the scan was made.
  if (first.startTimeMs !== null && own !== undefined && Math.abs(own.startMs - first.startTimeMs) > SAME_START_MS)
    return { why: `in scan ${scanId} another process had the pid ${first.pid}` };
  return { value: nodes };
}

/** Starts are told to the clock tick, by two clocks. */
const SAME_START_MS = 1_000;

function coverageOf(paths: StatePaths, scanId: number): Known<ResultRow> {
  const [row] = withEventsReader(paths, [], (reader) => reader.internal('SELECT * FROM coverage WHERE scan_id = ?1', [scanId]));
  return row === undefined ? { why: `scan ${scanId} is no longer kept` } : { value: row };
}

const ENTRY_SQL = `SELECT sequence, lower(hex(entry_hash)) AS hash FROM main.audit_ledger
  WHERE action = 'alert_generate' AND timestamp >= ?1 AND json_valid(event_data) AND json_extract(event_data, '$.alert_id') = ?2 ORDER BY sequence LIMIT 1`;
/** The ledger's clock is procmond's: it may be behind the agent's by as much as a correction of the time. */
const CLOCKS_APART_MS = 3_600_000;

function entryOf(paths: StatePaths, alert: StoredAlert): Known<{ readonly sequence: number; readonly entryHash: string }> {
  const reader = openLogReader(paths.ledgerDb);
  try {
    const [row] = reader.internal(ENTRY_SQL, [alert.alertTimeMs - CLOCKS_APART_MS, alert.id]);
    const [sequence, entryHash] = [row?.['sequence'], row?.['hash']];
    if (typeof sequence === 'number' && typeof entryHash === 'string') return { value: { sequence, entryHash } };
    return { why: 'the ledger has no entry of it: it was archived, or waits at the agent for procmond' };
  } finally {
    reader.close();
  }
}

/** A store that cannot be read is what is told instead. */
function orWhy<Value>(work: () => Known<Value>): Known<Value> {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof SentinelError) return { why: thrown.message.replace(/\.$/, '') };
    throw thrown;
  }
}
