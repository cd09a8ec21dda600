/**
 * What the ledger keeps of decisions about alerts: which, whose, why, and of a suppression all that it hides.
 */
import type { Suppression } from '@sentineld/model/alert-decision';
import type { AuditEvent } from '@sentineld/model/audit';
import type { PeerCredentials } from '@sentineld/model/request';
import type { AcknowledgedAlert, NewAcknowledgement } from '@sentineld/store/agent/writer';

/** Of the alerts that were marked now; those that were marked before are not in it. */
export function ackEvidence(
  marked: readonly AcknowledgedAlert[],
  { by, again, reason }: NewAcknowledgement,
  asked: PeerCredentials,
): AuditEvent {
  return { action: 'alert_ack', data: { alert_ids: marked.map(({ id }) => id), again, reason, asked_by: asked, user_name: by } };
}

export function suppressionEvidence(made: Suppression, ruleVersion: number, by: PeerCredentials): AuditEvent {
  return {
    action: 'alert_suppress',
    data: {
      suppression_id: made.id,
      rule_id: made.ruleId,
      rule_version: ruleVersion,
      conditions: made.conditions,
      alert_id: made.alertId,
      created_ms: made.createdMs,
      expires_ms: made.expiresMs,
      reason: made.reason,
      asked_by: by,
      user_name: made.userName,
    },
  };
}

export function unsuppressionEvidence(ended: Suppression, by: PeerCredentials): AuditEvent {
  const { reason = null, userName = null } = ended.ended ?? {};
  return { action: 'alert_unsuppress', data: { ...countsOf(ended), reason, asked_by: by, user_name: userName } };
}

export function expiryEvidence(expired: Suppression): AuditEvent {
  return { action: 'alert_suppression_expire', data: { ...countsOf(expired), expired_ms: expired.expiresMs } };
}

/** What it hid while it held. */
function countsOf({ id, ruleId, hits, lastHitMs }: Suppression): Readonly<Record<string, unknown>> {
  return { suppression_id: id, rule_id: ruleId, hits, last_hit_ms: lastHitMs };
}
