/**
 * Writes agent.db: rules, alerts, deliveries, and audit entries on their way to the ledger. The agent alone imports
 * this. Every call is one transaction that is on disk when the call returns. After an error the process should end
 * and start anew: a failed fsync makes later commits look fine that are not.
 */
import type { Alert, Finding } from '@sentineld/model/alert';
import type { Suppression } from '@sentineld/model/alert-decision';
import type { AuditEvent, CheckpointNotice, LedgerHead } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import type { OriginEntry } from '@sentineld/model/request';
import type { OperatorOverride, Rule } from '@sentineld/model/rule';
import { writeMetadata } from '../migrations/system-metadata.ts';
import { openWriter, stopWriter, storeErrorFrom } from '../open.ts';
import { type AcknowledgedAlert, type NewAcknowledgement, prepareAcknowledgements } from './alert-acknowledgements.ts';
import { prepareAuditOutbox } from './audit-outbox.ts';
import { prepareCheckpoints } from './checkpoints.ts';
import { type DeliveryAttempt, type PendingDelivery, type PendingOptions, prepareDeliveries } from './deliveries.ts';
import { type FindingContext, type RecordedFindings, prepareFindings } from './findings.ts';
import { AGENT_MIGRATIONS } from './migrations.ts';
import { type RuleCost, prepareRuleCosts } from './rule-costs.ts';
import { prepareRuleOverrides } from './rule-overrides.ts';
import { type RuleProgress, prepareRuleProgress } from './rule-progress.ts';
import { type SavedRules, prepareRuleRows } from './rule-rows.ts';
import { type NewSuppression, type SuppressionEnder, prepareSuppressions } from './suppressions.ts';

export type { AcknowledgedAlert, NewAcknowledgement } from './alert-acknowledgements.ts';
export { MAX_AUDIT_DATA_BYTES } from './audit-outbox.ts';
export type { DeliveryAttempt, PendingDelivery, PendingOptions } from './deliveries.ts';
export type { FindingContext, RecordedFindings } from './findings.ts';
export type { RuleCost } from './rule-costs.ts';
export type { RuleProgress, SeenEvents } from './rule-progress.ts';
export type { SavedRules } from './rule-rows.ts';
export type { NewSuppression, SuppressionEnder } from './suppressions.ts';

export type AgentWriterOptions = {
  readonly path: string;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
};

/** What belongs to a new set of rules, and is stored with it or not at all. */
export type RuleChange = {
  readonly event: AuditEvent;
  /** A decision of an operator that is new. */
  readonly override?: OperatorOverride;
  /** Id of a rule about which nothing is decided any more. */
  readonly withoutOverride?: string;
};

export type WithFindings = {
  /** Gives an audit entry that is queued with each alert. */
  readonly auditOf?: (alert: Alert) => AuditEvent;
  /** How far the rule has come with them: what it found is not found again, whatever ends the agent. */
  readonly progress?: RuleProgress | null;
};

/** That the newest write failed, in a sentence for people. */
export type WriteFailure = {
  readonly message: string;
  readonly hint: string;
  /** Milliseconds since 1970: when writes began to fail. */
  readonly sinceMs: number;
};

export type AgentWriter = {
  /** Stores the whole set of loaded rules; what is not in it is marked as removed. Every new definition goes to the history. */
  saveRules(rules: readonly Rule[], change?: RuleChange): SavedRules;
  /** What operators decided about rules, also about those that are not there now. */
  ruleOverrides(): OperatorOverride[];
  /** What rules cost and found since they were first run. */
  ruleCosts(): RuleCost[];
  /**
   * Stores what is new as alerts, each with one pending delivery per sink, and counts what is not. The rules must have
   * been saved. `also` is what belongs to them, and is stored with them or not at all.
   */
  recordFindings(findings: readonly Finding[], context: FindingContext, also?: WithFindings): RecordedFindings;
  /**
   * Marks alerts as handled, all of them or none; one that is marked stays as it is unless `again` says otherwise. `auditOf` gives
   * the entry where something is new. Throws 'usage.invalid' for an alert that is not there.
   */
  acknowledgeAlerts(
    ids: readonly number[],
    given: NewAcknowledgement,
    auditOf: (marked: readonly AcknowledgedAlert[]) => AuditEvent,
  ): AcknowledgedAlert[];
  /** Keeps a suppression with its entry. Throws 'usage.invalid' where there are too many, or its alert is not there. */
  suppress(given: NewSuppression, auditOf: (made: Suppression) => AuditEvent): Suppression;
  /** Ends a suppression. Throws 'usage.invalid' where it does not hold. */
  unsuppress(id: number, by: SuppressionEnder, auditOf: (ended: Suppression) => AuditEvent): Suppression;
  /** Ends the suppressions whose time is over; writes nothing where there is none. */
  expireSuppressions(auditOf: (ended: Suppression) => AuditEvent): Suppression[];
  /** What rules came to when they last ran; of those that are loaded and ever did. */
  ruleProgress(): RuleProgress[];
  /** Ends a cycle: queues its audit entry and stores how far the rules came and what they cost, all or nothing. */
  concludeCycle(event: AuditEvent, progress: readonly RuleProgress[], costs?: readonly RuleCost[]): void;
  /** Deliveries that have neither succeeded nor been given up, oldest first. */
  pendingDeliveries(options?: PendingOptions): PendingDelivery[];
  recordAttempt(deliveryId: number, attempt: DeliveryAttempt): void;
  /** Gives up whatever waits for this sink, as dead letters; says how many that were. */
  giveUp(sinkName: string, error: string): number;
  /** Deliveries that have neither succeeded nor been given up. */
  openDeliveries(): number;
  /** Data beyond MAX_AUDIT_DATA_BYTES is replaced by its size, hash and beginning. */
  queueAudit(event: AuditEvent): void;
  /** The oldest entries, as many as fit one request, numbered for `generation()`. */
  nextAudit(limit: number): OriginEntry[];
  /** Forgets what procmond has and keeps the head it told. The generation may be another afterwards. */
  acknowledgeAudit(lastSequence: number, head: LedgerHead): void;
  outboxDepth(): number;
  /** Keeps a checkpoint of the ledger that procmond announced; one that is there already is left as it is. `nowMs` since 1970. */
  recordCheckpoint(notice: CheckpointNotice, nowMs: number): void;
  /** The newest by their epoch, newest first. */
  newestCheckpoints(limit: number): CheckpointNotice[];
  /** Id of this file's numbering: the origin of its audit entries. */
  generation(): string;
  /** Null once a write has succeeded again. */
  writeFailure(): WriteFailure | null;
  /** Writes a little, to see whether the cause of a failure is gone. Never throws; see writeFailure. */
  tryWrite(): void;
  /** Empties the WAL; see stopWriter. */
  stop(): boolean;
};

/** Rules and open alerts are a few hundred KiB. */
const CACHE_KIB = 2_048;

/** @throws SentinelError as openWriter does; the methods throw state.unusable, state.held, store.corrupt. */
export function openAgentWriter({ path, clock }: AgentWriterOptions): AgentWriter {
  const db = openWriter({ path, durability: 'full', cacheKiB: CACHE_KIB, migrations: AGENT_MIGRATIONS, clock });
  const rules = prepareRuleRows(db);
  const overrides = prepareRuleOverrides(db);
  const costs = prepareRuleCosts(db);
  const progress = prepareRuleProgress(db);
  const findings = prepareFindings(db);
  const acknowledgements = prepareAcknowledgements(db);
  const suppressions = prepareSuppressions(db);
  const deliveries = prepareDeliveries(db);
  const outbox = prepareAuditOutbox(db);
  const checkpoints = prepareCheckpoints(db);

  const guard = <Result>(work: () => Result): Result => {
    try {
      return work();
    } catch (thrown) {
      throw storeErrorFrom(thrown, path);
    }
  };
  let failure: WriteFailure | null = null;
  const write = <Result>(work: (nowMs: number) => Result): Result => {
    const run = db.transaction(() => work(clock()));
    try {
      const result = guard(() => run.immediate());
      failure = null;
      return result;
    } catch (thrown) {
      failure = failureFrom(thrown, failure?.sinceMs ?? clock()) ?? failure;
      throw thrown;
    }
  };

  const audited = (suppression: Suppression, auditOf: (suppression: Suppression) => AuditEvent, nowMs: number): Suppression => {
    outbox.queue(auditOf(suppression), nowMs);
    return suppression;
  };

  return {
    saveRules: (set, change) =>
      write((nowMs) => {
        const saved = rules.save(set, nowMs);
        if (change?.override !== undefined) overrides.save(change.override);
        if (change?.withoutOverride !== undefined) overrides.remove(change.withoutOverride);
        if (change !== undefined) outbox.queue(change.event, nowMs);
        return saved;
      }),
    ruleOverrides: () => guard(() => overrides.load()),
    ruleCosts: () => guard(() => costs.load()),
    recordFindings: (found, context, { auditOf, progress: reached } = {}) =>
      write((nowMs) => {
        const recorded = findings.record(found, context, nowMs);
        if (auditOf !== undefined) for (const alert of recorded.alerts) outbox.queue(auditOf(alert), nowMs);
        if (reached !== undefined && reached !== null) progress.save([reached]);
        return recorded;
      }),
    acknowledgeAlerts: (ids, given, auditOf) =>
      write((nowMs) => {
        const alerts = acknowledgements.acknowledge(ids, given, nowMs);
        const marked = alerts.filter(({ isNew }) => isNew);
        if (marked.length > 0) outbox.queue(auditOf(marked), nowMs);
        return alerts;
      }),
    suppress: (given, auditOf) => write((nowMs) => audited(suppressions.add(given, nowMs), auditOf, nowMs)),
    unsuppress: (id, by, auditOf) => write((nowMs) => audited(suppressions.end(id, by, nowMs), auditOf, nowMs)),
    expireSuppressions: (auditOf) => {
      if (!guard(() => suppressions.hasExpired(clock()))) return [];
      return write((nowMs) => {
        const expired = suppressions.expire(nowMs);
        for (const ended of expired) audited(ended, auditOf, nowMs);
        return expired;
      });
    },
    ruleProgress: () => guard(() => progress.load()),
    concludeCycle: (event, changed, spent = []) =>
      write((nowMs) => {
        outbox.queue(event, nowMs);
        progress.save(changed);
        costs.save(spent);
      }),
    pendingDeliveries: (options = {}) => guard(() => deliveries.pending(options)),
    recordAttempt: (deliveryId, attempt) => write((nowMs) => deliveries.record(deliveryId, attempt, nowMs)),
    giveUp: (sinkName, error) => write((nowMs) => deliveries.giveUp(sinkName, error, nowMs)),
    openDeliveries: () => guard(() => deliveries.open()),
    queueAudit: (event) => write((nowMs) => outbox.queue(event, nowMs)),
    nextAudit: (limit) => guard(() => outbox.next(limit)),
    acknowledgeAudit: (lastSequence, head) => write((nowMs) => outbox.acknowledge(lastSequence, head, nowMs)),
    outboxDepth: () => guard(() => outbox.depth()),
    recordCheckpoint: (notice, nowMs) => write(() => checkpoints.record(notice, nowMs)),
    newestCheckpoints: (limit) => guard(() => checkpoints.newest(limit)),
    generation: () => guard(() => outbox.generation()),
    writeFailure: () => failure,
    tryWrite: () => {
      try {
        write((nowMs) => writeMetadata(db, 'write_tried_at', String(nowMs), nowMs));
      } catch (thrown) {
        // What the store cannot do is kept as its failure.
        if (failureFrom(thrown, 0) === null) throw thrown;
      }
    },
    stop: () => stopWriter(db),
  };
}

/** Null for what is not the fault of the file or of the disk. */
function failureFrom(thrown: unknown, sinceMs: number): WriteFailure | null {
  if (!(thrown instanceof SentinelError) || !/^(state|store)\./.test(thrown.code)) return null;
  return { message: thrown.message, hint: thrown.hint ?? '', sinceMs };
}
