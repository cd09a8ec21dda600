/**
 * The words of the audit ledger: who may be an actor and which actions are recorded.
 * The bytes that are hashed are described in docs/ledger-format.md and made in store/ledger.
 */

export const AUDIT_ACTORS = ['procmond', 'sentinelagent', 'sentinelcli'] as const;
export type AuditActor = (typeof AUDIT_ACTORS)[number];

export const AUDIT_ACTIONS = [
  'ledger_create',
  'key_create',
  'key_rotate',
  'ledger_archive',
  'ledger_restore',
  'ledger_reopen',
  'start',
  'stop',
  'privilege_drop',
  'process_scan_start',
  'process_scan_complete',
  'events_lost',
  'budget_step',
  'storage_pause',
  'storage_resume',
  'retention',
  'loop_stall',
  'time_jump',
  'config_load',
  'rule_execute',
  'rule_rejected',
  'rules_loaded',
  'rules_reload',
  'rule_override',
  'alert_generate',
  'alert_ack',
  'alert_suppress',
  'alert_unsuppress',
  'alert_suppression_expire',
  'request_refused',
  'query_execute',
  'audit_verify',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** What a client may ask procmond to record, by the role of the socket it came through. */
export const ACTIONS_BY_ROLE: Readonly<Record<'sentinelagent' | 'sentinelcli', readonly AuditAction[]>> = {
  sentinelagent: [
    'start',
    'stop',
    'privilege_drop',
    'config_load',
    'rule_execute',
    'rule_rejected',
    'rules_loaded',
    'rules_reload',
    'rule_override',
    'alert_generate',
    'alert_ack',
    'alert_suppress',
    'alert_unsuppress',
    'alert_suppression_expire',
    'request_refused',
    'query_execute',
    'audit_verify',
  ],
  sentinelcli: ['query_execute', 'audit_verify'],
};

/** Something to be recorded. `data` is stored as JSON text and hashed as the UTF-8 bytes of that text. */
export type AuditEvent = {
  readonly action: AuditAction;
  readonly data: Readonly<Record<string, unknown>>;
};

/** One row of the table audit_ledger. */
export type AuditEntry = {
  readonly sequence: number;
  readonly timestampMs: number;
  readonly actor: string;
  readonly action: string;
  readonly formatVersion: number;
  readonly epoch: number;
  /** 8 hex digits: the key that signs its epoch; empty in format version 1. */
  readonly keyId: string;
  readonly payloadHash: Uint8Array;
  readonly prevHash: Uint8Array;
  readonly entryHash: Uint8Array;
  readonly signature: Uint8Array | null;
  readonly eventData: string;
};

/** A checkpoint as it is handed on: what it says in short, and the signed note, which is all that proves anything. */
export type CheckpointNotice = {
  readonly epoch: number;
  readonly treeSize: number;
  readonly timestampMs: number;
  readonly note: string;
};

/** The newest entry that somebody knows of. */
export type LedgerHead = {
  readonly sequence: number;
  /** Lower-case hex of the entry hash. */
  readonly entryHash: string;
};
