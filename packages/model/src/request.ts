/**
 * Everything the programs may say to each other over their sockets. A frame is a u32 big-endian length and that
 * many bytes of UTF-8 JSON; a request that is not in this file closes the connection and is recorded.
 */
import { z } from 'zod';
import {
  MAX_ACKNOWLEDGED,
  MAX_COLUMN_LENGTH,
  MAX_CONDITIONS,
  MAX_CONDITIONS_BYTES,
  MAX_SUPPRESSION_MS,
  MAX_VALUE_BYTES,
  MIN_SUPPRESSION_MS,
  type Condition,
} from './alert-decision.ts';
import { AUDIT_ACTIONS, type AuditEvent, type LedgerHead } from './audit.ts';
import { SEVERITIES, type RuleDecision } from './rule.ts';

/** Bytes of JSON in one frame at most. */
export const MAX_FRAME_BYTES: number = 64 * 1024;

/** Rules in one reply at most, so that it fits a frame. */
export const RULES_PAGE = 50;

/** Where a client came in. Each role has a socket of its own, so that it can be told even where all run as one user. */
export const SOCKET_ROLES = ['sentinelagent', 'sentinelcli'] as const;
export type SocketRole = (typeof SOCKET_ROLES)[number];

/** The kernel's word on who is at the other end (SO_PEERCRED, unix(7)). */
export type PeerCredentials = { readonly pid: number; readonly uid: number; readonly gid: number };

/** An entry of a client, numbered by the client so that a repeated send is recorded once. */
export type OriginEntry = { readonly originSequence: number; readonly event: AuditEvent };

export type Request =
  | { readonly request: 'health' }
  | { readonly request: 'subscribe' }
  /** Asks procmond to record entries; the reply comes after fsync. */
  | { readonly request: 'audit.append'; readonly origin: string; readonly entries: readonly OriginEntry[] }
  /** Asks the agent to keep an entry until procmond takes it. */
  | { readonly request: 'audit.queue'; readonly event: AuditEvent }
  /** Closes the epoch now; the reply is the checkpoint. */
  | { readonly request: 'ledger.checkpoint' }
  /** Lets a new key sign from the next epoch on and destroys the old one. */
  | { readonly request: 'ledger.rotate_key' }
  /** Moves entries into an archive: those before a time, at most all that a checkpoint covers. */
  | { readonly request: 'ledger.archive'; readonly beforeMs: number }
  /** Says that the file was put back from a backup, and gives the checkpoints from elsewhere that are not in it any more. */
  | { readonly request: 'ledger.restore'; readonly reason: string; readonly notes: readonly string[] }
  /** The agent's rules with their state, RULES_PAGE of them from `offset` on. */
  | { readonly request: 'rules'; readonly offset: number }
  /** Has the agent load all rules anew, all of them or none. */
  | { readonly request: 'rules.reload' }
  /** Keeps a decision of an operator about a rule, and why it was made. */
  | { readonly request: 'rules.override'; readonly ruleId: string; readonly decision: RuleDecision; readonly reason: string }
  | AckRequest
  | SuppressRequest
  /** Ends a suppression before its time. */
  | { readonly request: 'alerts.unsuppress'; readonly id: number; readonly reason: string };

/** Marks alerts as handled, all of them or none. One that is marked stays as it is, unless it is to be marked `again`. */
export type AckRequest = {
  readonly request: 'alerts.ack';
  readonly ids: readonly number[];
  readonly again: boolean;
  readonly reason: string;
};

/** Lets findings of a rule whose rows have these values raise no alert for a while. */
export type SuppressRequest = {
  readonly request: 'alerts.suppress';
  readonly ruleId: string;
  readonly conditions: readonly Condition[];
  /** The alert whose values they are; null where an operator gave them. */
  readonly alertId: number | null;
  readonly forMs: number;
  readonly reason: string;
};

export type Reply<Body = unknown> =
  | { readonly ok: true; readonly body: Body }
  | { readonly ok: false; readonly error: { readonly code: string; readonly message: string } };

/** Reply to audit.append: the newest entry of the ledger once everything sent is in it. */
export type AppendReply = { readonly head: LedgerHead; readonly lastOriginSequence: number };

/** Reply to ledger.rotate_key: the new key, as c2sp.org/signed-note writes it, and its first epoch. */
export type RotateKeyReply = { readonly key: string; readonly firstEpoch: number };

/** Reply to ledger.archive: what was moved, and where to. */
export type ArchiveReply = { readonly path: string; readonly throughSequence: number; readonly entries: number; readonly sha256: string };

/** Reply to ledger.restore: the entry that says so. */
export type RestoreReply = { readonly sequence: number };

/** Characters of a signed checkpoint at most, and how many of them one request may give. */
export const MAX_NOTE_LENGTH = 4096;
export const MAX_NOTES = 8;

/** Characters of a rule's id, and of why something was decided about a rule or an alert, at most. */
export const MAX_RULE_ID_LENGTH = 64;
export const MAX_REASON_LENGTH = 500;

/** Levels of objects and lists in the data of an entry. What is deeper by thousands nobody could turn into text again. */
const MAX_DATA_DEPTH = 32;

const auditEvent: z.ZodType<AuditEvent> = z.strictObject({
  action: z.enum(AUDIT_ACTIONS),
  data: z.record(z.string(), z.unknown()).refine((data) => isWithin(data, MAX_DATA_DEPTH), `deeper than ${MAX_DATA_DEPTH} levels`),
});

function isWithin(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((inner) => isWithin(inner, levels - 1));
}

const reasonText = z.string().trim().min(1).max(MAX_REASON_LENGTH);

const suppressionConditions: z.ZodType<readonly Condition[]> = z
  .array(
    z.strictObject({
      column: z.string().min(1).max(MAX_COLUMN_LENGTH),
      value: z
        .string()
        .refine((value) => utf8Bytes(value) <= MAX_VALUE_BYTES, `more than ${MAX_VALUE_BYTES} bytes`)
        .nullable(),
    }),
  )
  .max(MAX_CONDITIONS)
  .refine((conditions) => new Set(conditions.map(({ column }) => column)).size === conditions.length, 'a column twice')
  .refine((conditions) => utf8Bytes(JSON.stringify(conditions)) <= MAX_CONDITIONS_BYTES, `more than ${MAX_CONDITIONS_BYTES} bytes`);

function utf8Bytes(text: string): number {
  return new TextEncoder().encode(text).byteLength;
}

export const RequestSchema: z.ZodType<Request> = z.discriminatedUnion('request', [
  z.strictObject({ request: z.literal('health') }),
  z.strictObject({ request: z.literal('subscribe') }),
  z.strictObject({
    request: z.literal('audit.append'),
    origin: z.string().min(1).max(64),
    entries: z
      .array(z.strictObject({ originSequence: z.int().positive(), event: auditEvent }))
      .min(1)
      .max(64),
  }),
  z.strictObject({ request: z.literal('audit.queue'), event: auditEvent }),
  z.strictObject({ request: z.literal('ledger.checkpoint') }),
  z.strictObject({ request: z.literal('ledger.rotate_key') }),
  z.strictObject({ request: z.literal('ledger.archive'), beforeMs: z.int().min(0) }),
  z.strictObject({
    request: z.literal('ledger.restore'),
    reason: z.string().min(1).max(1000),
    notes: z.array(z.string().max(MAX_NOTE_LENGTH)).max(MAX_NOTES),
  }),
  z.strictObject({ request: z.literal('rules'), offset: z.int().min(0) }),
  z.strictObject({ request: z.literal('rules.reload') }),
  z.strictObject({
    request: z.literal('rules.override'),
    ruleId: z.string().min(1).max(MAX_RULE_ID_LENGTH),
    decision: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('enable') }),
      z.strictObject({ kind: z.literal('disable') }),
      z.strictObject({ kind: z.literal('severity'), severity: z.enum(SEVERITIES) }),
      z.strictObject({ kind: z.literal('reset') }),
    ]),
    reason: reasonText,
  }),
  z.strictObject({
    request: z.literal('alerts.ack'),
    ids: z.array(z.int().positive()).min(1).max(MAX_ACKNOWLEDGED),
    again: z.boolean(),
    reason: reasonText,
  }),
  z.strictObject({
    request: z.literal('alerts.suppress'),
    ruleId: z.string().min(1).max(MAX_RULE_ID_LENGTH),
    conditions: suppressionConditions,
    alertId: z.int().positive().nullable(),
    forMs: z.int().min(MIN_SUPPRESSION_MS).max(MAX_SUPPRESSION_MS),
    reason: reasonText,
  }),
  z.strictObject({ request: z.literal('alerts.unsuppress'), id: z.int().positive(), reason: reasonText }),
]);
