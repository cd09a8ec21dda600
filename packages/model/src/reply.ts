/**
 * Schemas of what daemons answer and announce. Whoever asks reads an answer through one of these: the other side may be
 * of another release, or not be what it seems. Further fields are for people and for `--json`.
 */
import { z } from 'zod';
import type { Acknowledgement, Suppression } from './alert-decision.ts';
import type { CheckpointNotice, LedgerHead } from './audit.ts';
import { MAX_NOTE_LENGTH, type AppendReply, type ArchiveReply, type RestoreReply, type RotateKeyReply } from './request.ts';
import { SEVERITIES, type OperatorOverride, type Severity } from './rule.ts';
import { EVENT_TIERS, type EventCoverage } from './process-event.ts';
import type { ScanCompleted } from './scan.ts';

const ledgerHead: z.ZodType<LedgerHead> = z.object({ sequence: z.int().min(0), entryHash: z.string().max(64) });

const count = z.int().min(0);

const eventCoverage: z.ZodType<EventCoverage> = z.object({
  tier: z.enum(EVENT_TIERS),
  execs: count,
  exits: count,
  lost: count,
  overruns: count,
  argvMissed: count,
  dropped: count,
  stored: count,
});

export const ScanCompletedSchema: z.ZodType<ScanCompleted> = z.object({
  event: z.literal('scan.completed'),
  scanId: z.int(),
  correlationId: z.string().max(64),
  timestampMs: z.int(),
  durationMs: z.number(),
  processes: z.int(),
  accessible: z.int(),
  started: z.int(),
  changed: z.int(),
  stopped: z.int(),
  reducedVisibility: z.string().nullable(),
  events: eventCoverage,
});

export const AppendReplySchema: z.ZodType<AppendReply> = z.object({ head: ledgerHead, lastOriginSequence: z.int() });

/** A checkpoint that was made: the reply to ledger.checkpoint, and what subscribers are told of each. */
export const CheckpointNoticeSchema: z.ZodType<CheckpointNotice> = z.object({
  epoch: z.int().min(1),
  treeSize: z.int().min(0),
  timestampMs: z.int().min(0),
  note: z.string().max(MAX_NOTE_LENGTH),
});

/** What subscribers are told when process events were stored: that there are some, not which. */
export type EventsStored = { readonly event: 'events.stored' };

export const EventsStoredSchema: z.ZodType<EventsStored> = z.object({ event: z.literal('events.stored') });

/** As a subscriber is told. */
export const CheckpointEventSchema: z.ZodType<{ event: 'ledger.checkpoint'; checkpoint: CheckpointNotice }> = z.object({
  event: z.literal('ledger.checkpoint'),
  checkpoint: CheckpointNoticeSchema,
});

export const RotateKeyReplySchema: z.ZodType<RotateKeyReply> = z.object({ key: z.string().max(512), firstEpoch: z.int().min(1) });

export const ArchiveReplySchema: z.ZodType<ArchiveReply> = z.object({
  path: z.string(),
  throughSequence: z.int().min(0),
  entries: z.int().min(0),
  sha256: z.string().max(64),
});

export const RestoreReplySchema: z.ZodType<RestoreReply> = z.object({ sequence: z.int().min(1) });

/** What others need of procmond's health. */
export type ProcmondReply = {
  readonly pid: number;
  readonly uid: number;
  readonly hostId: string;
  /** Between the beginnings of two scans. */
  readonly intervalMs: number;
  readonly lastScan: ScanCompleted | null;
  readonly privileges: { readonly effective: string; readonly seccomp: boolean };
};

export const ProcmondReplySchema: z.ZodType<ProcmondReply> = z.object({
  pid: z.int(),
  uid: z.int(),
  hostId: z.string().max(64),
  intervalMs: z.int().min(0),
  lastScan: ScanCompletedSchema.nullable(),
  privileges: z.object({ effective: z.string(), seccomp: z.boolean() }),
});

/** What others need of the agent's health. */
export type AgentReply = { readonly pid: number; readonly uid: number; readonly rules: Readonly<Record<string, number>> };

export const AgentReplySchema: z.ZodType<AgentReply> = z.object({ pid: z.int(), uid: z.int(), rules: z.record(z.string(), z.int()) });

/** A rule that a reload brought, took away or changed; `was` is what it was before where it was there. */
export type ReloadedRule = {
  readonly id: string;
  readonly version: number;
  readonly checksum: string;
  readonly was: { readonly version: number; readonly checksum: string } | null;
};

/** All are counted, the first are named, so that the answer fits a frame. */
export type ReloadedRules = { readonly count: number; readonly rules: readonly ReloadedRule[] };

/** Reply to rules.reload. Where it was not taken, nothing changed, and the problems say why. */
export type RulesReloadReply = {
  readonly taken: boolean;
  /** SHA-256 over the rules that were run before, and over those that are run now. */
  readonly before: string;
  readonly after: string;
  readonly added: ReloadedRules;
  readonly removed: ReloadedRules;
  readonly changed: ReloadedRules;
  readonly unchanged: number;
  /** Lines with file, place and reason. */
  readonly problems: { readonly count: number; readonly lines: readonly string[] };
};

const reloadedRules: z.ZodType<ReloadedRules> = z.object({
  count,
  rules: z.array(
    z.object({
      id: z.string(),
      version: z.int(),
      checksum: z.string(),
      was: z.object({ version: z.int(), checksum: z.string() }).nullable(),
    }),
  ),
});

export const RulesReloadReplySchema: z.ZodType<RulesReloadReply> = z.object({
  taken: z.boolean(),
  before: z.string(),
  after: z.string(),
  added: reloadedRules,
  removed: reloadedRules,
  changed: reloadedRules,
  unchanged: count,
  problems: z.object({ count, lines: z.array(z.string()) }),
});

/** Reply to rules.override: what holds now. */
export type RulesOverrideReply = {
  readonly ruleId: string;
  /** Null where nothing is decided about the rule any more. */
  readonly override: OperatorOverride | null;
  /** What became of the rule; null where there is no such rule now. */
  readonly state: string | null;
  readonly severity: Severity | null;
};

export const OperatorOverrideSchema: z.ZodType<OperatorOverride> = z.object({
  ruleId: z.string(),
  enabled: z.boolean().nullable(),
  severity: z.enum(SEVERITIES).nullable(),
  reason: z.string(),
  uid: z.int(),
  userName: z.string().nullable(),
  decidedMs: z.int(),
});

export const RulesOverrideReplySchema: z.ZodType<RulesOverrideReply> = z.object({
  ruleId: z.string(),
  override: OperatorOverrideSchema.nullable(),
  state: z.string().nullable(),
  severity: z.enum(SEVERITIES).nullable(),
});

/** Reply to alerts.ack: what holds of each alert now, and whether that is new. */
export type AlertsAckReply = {
  readonly alerts: readonly { readonly id: number; readonly isNew: boolean; readonly acknowledgement: Acknowledgement }[];
};

export const AlertsAckReplySchema: z.ZodType<AlertsAckReply> = z.object({
  alerts: z.array(
    z.object({
      id: z.int(),
      isNew: z.boolean(),
      acknowledgement: z.object({ atMs: z.int(), uid: z.int(), by: z.string(), reason: z.string() }),
    }),
  ),
});

/** Reply to alerts.suppress and alerts.unsuppress: the suppression as it is now. */
export const SuppressionSchema: z.ZodType<Suppression> = z.object({
  id: z.int(),
  ruleId: z.string(),
  conditions: z.array(z.object({ column: z.string(), value: z.string().nullable() })),
  alertId: z.int().nullable(),
  reason: z.string(),
  uid: z.int(),
  userName: z.string().nullable(),
  createdMs: z.int(),
  expiresMs: z.int(),
  hits: count,
  lastHitMs: z.int().nullable(),
  ended: z.object({ atMs: z.int(), uid: z.int().nullable(), userName: z.string().nullable(), reason: z.string().nullable() }).nullable(),
});
