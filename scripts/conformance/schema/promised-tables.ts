/**
 * The tables that SentinelD promised from the start, as facts: names, types, what may not be NULL, defaults, keys,
 * references, CHECKs, indexes, and the form of what is stored as text. What the product has is held against this.
 */

export type PromisedColumn = {
  readonly name: string;
  readonly type: 'INTEGER' | 'REAL' | 'TEXT' | 'BLOB' | 'BOOLEAN';
  /** May not be NULL. */
  readonly required?: true;
  /** A value, or 'clock' for the time of the insert. */
  readonly byDefault?: string | number;
  /** The only values that a CHECK lets in. */
  readonly oneOf?: readonly string[];
  /** Unit of a time, or form of a text. */
  readonly form?: 'ms' | 's' | 'JSON' | 'JSON array' | 'JSON array of numbers';
};

export type PromisedTable = {
  readonly name: string;
  readonly columns: readonly PromisedColumn[];
  /** 'growing': a number that is never given twice. */
  readonly key: { readonly column: string; readonly growing: boolean };
  readonly references: readonly { readonly column: string; readonly table: string }[];
  readonly indexes: readonly (readonly string[])[];
};

type Rules = Omit<PromisedColumn, 'name' | 'type'>;
const integer = (name: string, rules: Rules = {}): PromisedColumn => ({ name, type: 'INTEGER', ...rules });
const real = (name: string): PromisedColumn => ({ name, type: 'REAL' });
const text = (name: string, rules: Rules = {}): PromisedColumn => ({ name, type: 'TEXT', ...rules });
const blob = (name: string, rules: Rules = {}): PromisedColumn => ({ name, type: 'BLOB', ...rules });
const required = { required: true } as const;

const PROCESS_SNAPSHOTS: PromisedTable = {
  name: 'process_snapshots',
  columns: [
    integer('id'),
    integer('scan_id', required),
    integer('timestamp_ms', { required: true, form: 'ms' }),
    integer('pid', required),
    integer('ppid'),
    text('name', required),
    text('exe_path'),
    text('command_line', { form: 'JSON array' }),
    integer('start_time'),
    real('cpu_percent'),
    integer('memory_bytes'),
    text('status'),
    text('exe_hash'),
    text('hash_algorithm', { byDefault: 'sha256' }),
    text('user_name'),
    integer('user_id'),
    text('platform_data', { form: 'JSON' }),
  ],
  key: { column: 'id', growing: true },
  references: [{ column: 'scan_id', table: 'scan_metadata' }],
  indexes: [['timestamp_ms'], ['scan_id', 'pid'], ['name'], ['exe_path'], ['exe_hash']],
};

const SCAN_METADATA: PromisedTable = {
  name: 'scan_metadata',
  columns: [
    integer('id'),
    integer('start_time', required),
    integer('end_time'),
    integer('duration_ms'),
    integer('total_processes', { byDefault: 0 }),
    integer('accessible_processes', { byDefault: 0 }),
    integer('errors', { byDefault: 0 }),
    text('hostname', required),
    text('os_name', required),
    text('os_version'),
    real('load_average'),
    text('collector_version', required),
    text('config_hash', required),
  ],
  key: { column: 'id', growing: true },
  references: [],
  indexes: [],
};

const DETECTION_RULES: PromisedTable = {
  name: 'detection_rules',
  columns: [
    text('id'),
    text('name', required),
    text('description'),
    integer('version', { required: true, byDefault: 1 }),
    text('sql_query', required),
    text('severity', { required: true, oneOf: ['low', 'medium', 'high', 'critical'] }),
    text('category'),
    text('tags', { form: 'JSON array' }),
    { name: 'enabled', type: 'BOOLEAN', required: true, byDefault: 1 },
    text('author'),
    integer('created_at', { required: true, byDefault: 'clock', form: 's' }),
    integer('updated_at', { required: true, byDefault: 'clock', form: 's' }),
    text('source_type', { byDefault: 'builtin' }),
    text('source_path'),
    text('checksum'),
  ],
  key: { column: 'id', growing: false },
  references: [],
  indexes: [['enabled'], ['category']],
};

const ALERTS: PromisedTable = {
  name: 'alerts',
  columns: [
    integer('id'),
    integer('alert_time', { required: true, form: 'ms' }),
    text('rule_id', required),
    text('title', required),
    text('description'),
    text('severity', required),
    integer('scan_id'),
    text('affected_processes', { form: 'JSON array of numbers' }),
    integer('process_count', { byDefault: 0 }),
    integer('rule_version'),
    integer('execution_time_ms'),
    text('query_result', { form: 'JSON' }),
  ],
  key: { column: 'id', growing: true },
  references: [
    { column: 'rule_id', table: 'detection_rules' },
    { column: 'scan_id', table: 'scan_metadata' },
  ],
  indexes: [['alert_time', 'severity'], ['rule_id', 'alert_time'], ['scan_id']],
};

const ALERT_DELIVERIES: PromisedTable = {
  name: 'alert_deliveries',
  columns: [
    integer('id'),
    integer('alert_id', required),
    text('sink_name', required),
    text('sink_type', required),
    integer('attempt_time', required),
    integer('attempt_count', { byDefault: 1 }),
    text('status', { required: true, oneOf: ['pending', 'success', 'failed', 'retrying'] }),
    integer('response_time_ms'),
    text('error_message'),
    integer('http_status'),
  ],
  key: { column: 'id', growing: true },
  references: [{ column: 'alert_id', table: 'alerts' }],
  indexes: [['status', 'attempt_time']],
};

const AUDIT_LEDGER: PromisedTable = {
  name: 'audit_ledger',
  columns: [
    integer('sequence'),
    integer('timestamp', required),
    text('actor', required),
    text('action', required),
    blob('payload_hash', required),
    blob('prev_hash'),
    blob('entry_hash', required),
    blob('signature'),
    text('event_data', { required: true, form: 'JSON' }),
  ],
  key: { column: 'sequence', growing: false },
  references: [],
  indexes: [['timestamp'], ['actor', 'action']],
};

const SYSTEM_METADATA: PromisedTable = {
  name: 'system_metadata',
  columns: [text('key'), text('value', required), integer('updated_at', { byDefault: 'clock', form: 's' })],
  key: { column: 'key', growing: false },
  references: [],
  indexes: [],
};

export const PROMISED_TABLES: readonly PromisedTable[] = [
  PROCESS_SNAPSHOTS,
  SCAN_METADATA,
  DETECTION_RULES,
  ALERTS,
  ALERT_DELIVERIES,
  AUDIT_LEDGER,
  SYSTEM_METADATA,
];
