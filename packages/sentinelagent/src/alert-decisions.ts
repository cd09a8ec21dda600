/**
 * What operators decide about alerts, as a running agent takes it: that some are handled, and that findings of a rule raise
 * none for a while. Each decision, and each that ends by its time, is an entry for the ledger, stored together with it.
 */
import type { Suppression } from '@sentineld/model/alert-decision';
import { SentinelError, messageOf } from '@sentineld/model/error';
import type { AckRequest, PeerCredentials, SuppressRequest } from '@sentineld/model/request';
import type { AlertsAckReply } from '@sentineld/model/reply';
import { judgeRule } from '@sentineld/detection/rules/judge-rule';
import type { ExecutorClient } from '@sentineld/detection/sql/executor-client';
import { nearestWord } from '@sentineld/runtime/config/nearest-word';
import type { Logger } from '@sentineld/runtime/log/logger';
import type { AgentWriter } from '@sentineld/store/agent/writer';
import type { Detection } from './detection.ts';
import { ackEvidence, expiryEvidence, suppressionEvidence, unsuppressionEvidence } from './alert-evidence.ts';
import type { RuleBook } from './rule-book.ts';
import { unknownRule } from './rule-decision.ts';
import type { RuleEntry } from './rule-entry.ts';

export type AlertDecisions = {
  /** Throws 'usage.invalid' for an alert that is not there. */
  readonly acknowledge: (request: AckRequest, by: PeerCredentials) => AlertsAckReply;
  /** Throws 'usage.invalid' for what makes no sense, 'query.refused' where the rule would not be run. */
  readonly suppress: (request: SuppressRequest, by: PeerCredentials) => Promise<Suppression>;
  /** Throws 'usage.invalid' for one that does not hold. */
  readonly unsuppress: (id: number, reason: string, by: PeerCredentials) => Promise<Suppression>;
  /** Ends those whose time is over. What cannot be stored now is logged, and is for the next time. */
  readonly expire: () => Promise<void>;
};

export type AlertDecisionOptions = {
  readonly book: Pick<RuleBook, 'entries'>;
  readonly store: Pick<AgentWriter, 'acknowledgeAlerts' | 'suppress' | 'unsuppress' | 'expireSuppressions'>;
  readonly executor: Pick<ExecutorClient, 'validate'>;
  readonly detection: Pick<Detection, 'between'>;
  readonly log: Logger;
  /** Name of a user; null where he has none here. */
  readonly userName: (uid: number) => string | null;
  /** Called when there is something for the ledger. */
  readonly onRecorded: () => void;
};

export function createAlertDecisions(options: AlertDecisionOptions): AlertDecisions {
  const { detection, onRecorded } = options;
  return {
    acknowledge: (request, by) => {
      const reply = acknowledge(options, request, by);
      onRecorded();
      return reply;
    },
    suppress: async (request, by) => {
      const made = await suppress(options, request, by);
      onRecorded();
      return made;
    },
    unsuppress: async (id, reason, by) => {
      const ended = await detection.between(() => unsuppress(options, id, reason, by));
      onRecorded();
      return ended;
    },
    expire: async () => {
      const count = await detection.between(() => expire(options));
      if (count > 0) onRecorded();
    },
  };
}

function acknowledge(
  { store, log, userName }: AlertDecisionOptions,
  { ids, again, reason }: AckRequest,
  by: PeerCredentials,
): AlertsAckReply {
  const name = userName(by.uid);
  const given = { uid: by.uid, by: name ?? `uid ${by.uid}`, reason, again };
  const alerts = store.acknowledgeAlerts(ids, given, (marked) => ackEvidence(marked, given, by));
  const marked = alerts.filter(({ isNew }) => isNew).map(({ id }) => id);
  if (marked.length > 0) log.info({ alerts: marked, uid: by.uid, reason }, 'alerts.acknowledged');
  return { alerts };
}

async function suppress(options: AlertDecisionOptions, request: SuppressRequest, by: PeerCredentials): Promise<Suppression> {
  const { book, store, log, userName } = options;
  const { ruleId, conditions, alertId, forMs, reason } = request;
  const entry = book.entries.find(({ rule }) => rule.id === ruleId);
  if (entry === undefined) throw unknownRule(book, ruleId);
  if (conditions.length === 0) refuseWholeCritical(entry);
  else await requireColumns(options, entry, request);
  const made = store.suppress({ ruleId, conditions, alertId, forMs, reason, uid: by.uid, userName: userName(by.uid) }, (suppression) =>
    suppressionEvidence(suppression, entry.rule.version, by),
  );
  log.info(
    { suppression: made.id, ruleId, columns: conditions.map(({ column }) => column), forMs, uid: by.uid, reason },
    'alerts.suppressed',
  );
  return made;
}

/** What is critical is hidden only by name. */
function refuseWholeCritical({ rule }: RuleEntry): void {
  if (rule.severity !== 'critical') return;
  throw new SentinelError('usage.invalid', {
    message: `rule ${rule.id} is critical: it is not suppressed as a whole, only where a column has a value, or as one of its alerts`,
  });
}

/** A condition on a column that the rows have not would never hold, and nobody would be told. */
async function requireColumns({ executor }: AlertDecisionOptions, { rule }: RuleEntry, { conditions }: SuppressRequest): Promise<void> {
  const { columns, refusal } = await judgeRule(rule, executor);
  if (columns.length === 0)
    throw new SentinelError('query.refused', {
      message: `the columns of rule ${rule.id} are not known, as it would not be run: ${refusal?.message ?? 'it has none'}`,
    });
  for (const { column } of conditions) {
    if (columns.includes(column)) continue;
    const nearest = nearestWord(column, columns);
    const hint = nearest === null ? `it has ${columns.join(', ')}` : `did you mean ${nearest}?`;
    throw new SentinelError('usage.invalid', { message: `the rows of rule ${rule.id} have no column ${column}; ${hint}` });
  }
}

function unsuppress({ book, store, log, userName }: AlertDecisionOptions, id: number, reason: string, by: PeerCredentials): Suppression {
  const ender = { uid: by.uid, userName: userName(by.uid), reason };
  const ended = store.unsuppress(id, ender, (suppression) => unsuppressionEvidence(suppression, by));
  lookAnew(book, ended);
  log.info({ suppression: id, uid: by.uid, reason }, 'alerts.unsuppressed');
  return ended;
}

/**
 * A rule that looks only at processes that are new or have changed would not find again what was hidden and lasts: it
 * looks at everything once more. After a start it does so by itself; events that it saw are not seen again.
 */
function lookAnew({ entries }: Pick<RuleBook, 'entries'>, { ruleId, hits }: Suppression): void {
  const entry = entries.find(({ rule }) => rule.id === ruleId);
  if (hits > 0 && entry?.scope === 'changed_processes') entry.seen = null;
}

function expire({ book, store, log }: AlertDecisionOptions): number {
  try {
    const expired = store.expireSuppressions(expiryEvidence);
    for (const ended of expired) {
      lookAnew(book, ended);
      log.info({ suppression: ended.id, ruleId: ended.ruleId, hits: ended.hits }, 'alerts.suppression_expired');
    }
    return expired.length;
  } catch (cause) {
    log.warn({ error: messageOf(cause) }, 'alerts.expiry_failed');
    return 0;
  }
}
