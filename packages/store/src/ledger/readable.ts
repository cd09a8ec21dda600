/**
 * What readers see of ledger.db: the description, and the TEMP VIEW to make where it is attached as `ledger`.
 * Columns may be added, never renamed, retyped or dropped.
 */
import type { ReadableSchema } from '@sentineld/model/schema';

export const LEDGER_SCHEMA: ReadableSchema = {
  tables: [
    {
      name: 'audit_ledger',
      description: 'The audit ledger, one row per entry, linked by hashes. docs/ledger-format.md says what is hashed.',
      columns: [
        { name: 'sequence', type: 'INTEGER', description: 'Number of the entry, from 1, without gaps.' },
        { name: 'timestamp', type: 'INTEGER', unit: 'ms since 1970', description: 'Clock of the host when the entry was written.' },
        {
          name: 'actor',
          type: 'TEXT',
          description: 'Who did it: procmond, sentinelagent or sentinelcli; for the latter two, by the socket they came through.',
        },
        { name: 'action', type: 'TEXT', description: 'What was done: start, privilege_drop, rule_execute, …' },
        { name: 'payload_hash', type: 'BLOB', unit: '32 bytes', description: 'BLAKE3 of event_data.' },
        { name: 'prev_hash', type: 'BLOB', unit: '32 bytes', description: 'entry_hash of the entry before; all zero for the first.' },
        { name: 'entry_hash', type: 'BLOB', unit: '32 bytes', description: 'BLAKE3 of the canonical bytes of the entry.' },
        {
          name: 'signature',
          type: 'BLOB',
          unit: '64 bytes',
          nullable: true,
          description: 'Ed25519 signature of this entry alone; NULL where checkpoints alone are signed (ledger.sign_entries).',
        },
        {
          name: 'event_data',
          type: 'TEXT',
          unit: 'JSON object',
          description:
            'Details, or hash and size of what is kept beside the entry. `peer` (uid, pid, role) and `origin` (id, sequence) are written by procmond for entries of clients.',
        },
        { name: 'format_version', type: 'INTEGER', description: 'Rules that the entry goes by: 2; entries of earlier releases have 1.' },
        { name: 'epoch', type: 'INTEGER', description: 'Period between two signed checkpoints, from 1; 0 in format version 1.' },
        { name: 'key_id', type: 'TEXT', description: 'Key that signs its epoch, 8 hex digits; empty in format version 1.' },
      ],
    },
  ],
  hiddenTables: [],
};

/** Views for readers, to be made as `CREATE TEMP VIEW name AS sql`. */
export const LEDGER_VIEWS: readonly { readonly name: string; readonly sql: string }[] = [
  {
    name: 'audit_ledger',
    sql: `SELECT sequence, timestamp, actor, action, payload_hash, prev_hash, entry_hash, signature, event_data, format_version, epoch, key_id
  FROM ledger.audit_ledger`,
  },
];
