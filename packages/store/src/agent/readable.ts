/**
 * What readers see of agent.db: the description, and the TEMP VIEWs to make where it is attached as `agent`.
 * Columns may be added, never renamed, retyped or dropped.
 */
import type { ReadableSchema, ReadableTable } from '@sentineld/model/schema';
import { RULE_TABLES } from './readable-rules.ts';
import { ALERT_SUPPRESSION } from './readable-suppressions.ts';

const ALERTS: ReadableTable = {
  name: 'alerts',
  description: 'What rules found, one row per condition: repeats of the same are counted, not stored again.',
  columns: [
    { name: 'id', type: 'INTEGER', description: 'Alert id, growing.' },
    { name: 'alert_time', type: 'INTEGER', unit: 'ms since 1970', description: 'When the alert was raised.' },
    { name: 'rule_id', type: 'TEXT', description: 'The rule (detection_rules.id).' },
    { name: 'title', type: 'TEXT', description: 'Name of the rule and the first process. Holds host strings.' },
    { name: 'description', type: 'TEXT', description: "The rule's description at the time." },
    { name: 'severity', type: 'TEXT', description: 'low, medium, high or critical.' },
    {
      name: 'scan_id',
      type: 'INTEGER',
      nullable: true,
      description: 'The scan that the rule saw (scan_metadata.id); it may be gone by now. NULL where there was none.',
    },
    {
      name: 'affected_processes',
      type: 'TEXT',
      unit: 'JSON array of objects',
      description: 'pid, startTimeMs, name, exePath, argv, user, ppid, parentName, parentExe, parentCmdline of each process.',
    },
    { name: 'process_count', type: 'INTEGER', description: 'Number of them.' },
    { name: 'rule_version', type: 'INTEGER', description: 'Version of the rule that raised it.' },
    { name: 'execution_time_ms', type: 'INTEGER', unit: 'ms', description: 'How long the rule ran.' },
    { name: 'query_result', type: 'TEXT', unit: 'JSON array of objects', description: 'The rows that matched.' },
    { name: 'rule_name', type: 'TEXT', description: 'Name of the rule at the time.' },
    { name: 'category', type: 'TEXT', description: 'Category of the rule.' },
    { name: 'tags', type: 'TEXT', unit: 'JSON array of strings', description: 'Tags of the rule.' },
    { name: 'attack', type: 'TEXT', unit: 'JSON array of strings', description: 'ATT&CK technique ids of the rule.' },
    { name: 'host_name', type: 'TEXT', description: 'Name of the host.' },
    { name: 'host_id', type: 'TEXT', description: 'Stable id of this installation.' },
    { name: 'boot_id', type: 'TEXT', description: 'Id of the boot.' },
    { name: 'correlation_id', type: 'TEXT', description: 'The id that runs from the scan to deliveries and log lines.' },
    { name: 'dedup_key', type: 'TEXT', description: 'What makes a finding the same as this one.' },
    { name: 'repeats', type: 'INTEGER', description: 'How often the same was found again and not raised.' },
    { name: 'last_seen', type: 'INTEGER', unit: 'ms since 1970', description: 'When it was last found.' },
    {
      name: 'acknowledged_ms',
      type: 'INTEGER',
      unit: 'ms since 1970',
      nullable: true,
      description: 'When an operator said that it is handled; NULL where nobody did.',
    },
    { name: 'acknowledged_by', type: 'TEXT', nullable: true, description: 'The name of that user, or "uid 1000" where there is none.' },
    { name: 'acknowledged_uid', type: 'INTEGER', nullable: true, description: 'Who that was.' },
    { name: 'acknowledged_reason', type: 'TEXT', nullable: true, description: 'What was said.' },
  ],
};

const ALERT_DELIVERIES: ReadableTable = {
  name: 'alert_deliveries',
  description: 'One row per alert and sink.',
  columns: [
    { name: 'id', type: 'INTEGER', description: 'Delivery id, growing.' },
    { name: 'alert_id', type: 'INTEGER', description: 'The alert (alerts.id).' },
    { name: 'sink_name', type: 'TEXT', description: 'Name of the sink in the configuration.' },
    { name: 'sink_type', type: 'TEXT', description: 'stdout, file, syslog, webhook, email.' },
    { name: 'attempt_time', type: 'INTEGER', unit: 'ms since 1970', description: 'Last attempt; before the first, when it was queued.' },
    { name: 'attempt_count', type: 'INTEGER', description: 'Attempts so far.' },
    { name: 'status', type: 'TEXT', description: 'pending, retrying, success, or failed: given up.' },
    { name: 'response_time_ms', type: 'INTEGER', unit: 'ms', nullable: true, description: 'Duration of the last attempt.' },
    { name: 'error_message', type: 'TEXT', nullable: true, description: 'Why the last attempt failed.' },
    { name: 'http_status', type: 'INTEGER', nullable: true, description: 'Answer of a webhook.' },
  ],
};

const DETECTION_RULES: ReadableTable = {
  name: 'detection_rules',
  description: 'The rules that are loaded, and those that were and are named by alerts.',
  columns: [
    { name: 'id', type: 'TEXT', description: 'Rule id.' },
    { name: 'name', type: 'TEXT', description: 'For people.' },
    { name: 'description', type: 'TEXT', nullable: true, description: 'What it finds and why that matters.' },
    { name: 'version', type: 'INTEGER', description: "The author's version." },
    { name: 'sql_query', type: 'TEXT', description: 'The SELECT.' },
    { name: 'severity', type: 'TEXT', description: 'low, medium, high or critical.' },
    { name: 'category', type: 'TEXT', nullable: true, description: 'process, persistence, …' },
    { name: 'tags', type: 'TEXT', unit: 'JSON array of strings', nullable: true, description: 'Free words.' },
    { name: 'enabled', type: 'INTEGER', unit: '0 or 1', description: 'Whether it is run.' },
    { name: 'author', type: 'TEXT', nullable: true, description: 'Who wrote it.' },
    { name: 'created_at', type: 'INTEGER', unit: 'ms since 1970', description: 'When it was first loaded.' },
    { name: 'updated_at', type: 'INTEGER', unit: 'ms since 1970', description: 'When its definition last changed.' },
    { name: 'source_type', type: 'TEXT', description: 'builtin, file or user.' },
    { name: 'source_path', type: 'TEXT', nullable: true, description: 'File it came from.' },
    { name: 'checksum', type: 'TEXT', unit: '64 hex digits', nullable: true, description: "SHA-256 of that file's bytes." },
    { name: 'attack', type: 'TEXT', unit: 'JSON array of strings', description: 'ATT&CK technique ids.' },
    {
      name: 'dedup_keys',
      type: 'TEXT',
      unit: 'JSON array of strings',
      description: 'Result columns that make one finding the same as an earlier one.',
    },
    {
      name: 'removed_at',
      type: 'INTEGER',
      unit: 'ms since 1970',
      nullable: true,
      description: 'When it was no longer among the rules; NULL while it is.',
    },
  ],
};

const RULE_RESULTS_TABLE: ReadableTable = {
  name: 'rule_results',
  description: 'What the newest evaluation of each rule came to.',
  columns: [
    { name: 'rule_id', type: 'TEXT', description: 'The rule (detection_rules.id).' },
    {
      name: 'result',
      type: 'TEXT',
      description: 'matched, no_match, incomplete (it could not see all that it asks for) or failed.',
    },
    { name: 'since', type: 'INTEGER', unit: 'ms since 1970', description: 'Since when every evaluation came to this.' },
    { name: 'reason', type: 'TEXT', nullable: true, description: 'Why it was incomplete or failed, in a sentence.' },
  ],
};

export const AGENT_SCHEMA: ReadableSchema = {
  tables: [ALERTS, ALERT_DELIVERIES, DETECTION_RULES, RULE_RESULTS_TABLE, ...RULE_TABLES, ALERT_SUPPRESSION],
  hiddenTables: ['alert_dedup'],
};

/** Counts of keys within the window are in alert_dedup, later in the alert itself. */
const ALERT_COLUMN_SQL: Readonly<Record<string, string>> = {
  repeats: 'coalesce(d.repeats, a.repeats) AS repeats',
  last_seen: 'coalesce(d.last_seen_ms, a.last_seen) AS last_seen',
};

/** Views for readers, to be made as `CREATE TEMP VIEW name AS sql`. */
export const AGENT_VIEWS: readonly { readonly name: string; readonly sql: string }[] = [
  {
    name: 'alerts',
    sql: `SELECT ${ALERTS.columns.map(({ name }) => ALERT_COLUMN_SQL[name] ?? `a.${name}`).join(', ')} FROM agent.alerts a LEFT JOIN agent.alert_dedup d ON d.alert_id = a.id`,
  },
  { name: 'alert_deliveries', sql: `SELECT ${namesOf(ALERT_DELIVERIES)} FROM agent.alert_deliveries` },
  { name: 'detection_rules', sql: `SELECT ${namesOf(DETECTION_RULES)} FROM agent.detection_rules` },
  { name: 'rule_results', sql: `SELECT ${namesOf(RULE_RESULTS_TABLE)} FROM agent.rule_results` },
  ...[...RULE_TABLES, ALERT_SUPPRESSION].map((table) => ({ name: table.name, sql: `SELECT ${namesOf(table)} FROM agent.${table.name}` })),
];

/** Heads of the ledger that procmond acknowledged to the agent, for whoever verifies it: sequence, entry_hash (hex). */
export const LEDGER_WITNESS_SQL: string = 'SELECT sequence, entry_hash FROM agent.ledger_witness ORDER BY sequence';

/** Checkpoints of the ledger that procmond announced to the agent, by falling epoch: epoch, tree_size, timestamp (ms since 1970), note, seen_ms. */
export const LEDGER_CHECKPOINT_SEEN_SQL: string =
  'SELECT epoch, tree_size, timestamp, note, seen_ms FROM agent.ledger_checkpoint_seen ORDER BY epoch DESC, rowid DESC';

function namesOf(table: ReadableTable): string {
  return table.columns.map(({ name }) => name).join(', ');
}
