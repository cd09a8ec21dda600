/**
 * Events as the ledger stores them. Details that are large are kept beside the entry, which has their hash: so that the
 * entries themselves stay small enough to be gone through quickly.
 */
import type { AuditEvent } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import { hashPayload } from '@sentineld/ledger/canonical-entry';

/** UTF-8 bytes of event_data at most; what is larger goes to audit_body. */
export const MAX_EVENT_DATA_BYTES: number = 16 * 1024;

/** UTF-8 bytes of the details of one event at most. */
export const MAX_BODY_BYTES: number = 256 * 1024;

/** Characters of the details that the entry itself keeps. */
const START_CHARACTERS = 1_000;

export type EventText = {
  readonly action: string;
  /** event_data. */
  readonly text: string;
  /** What goes to audit_body; null where event_data has everything. */
  readonly body: { readonly hash: Uint8Array; readonly text: string } | null;
};

/**
 * `stamps` are members that stay in event_data in any case.
 * @throws SentinelError internal.bug for more than MAX_BODY_BYTES.
 */
export function eventText({ action, data }: AuditEvent, stamps: AuditEvent['data'] = {}): EventText {
  const text = JSON.stringify(data);
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > MAX_BODY_BYTES) throw tooLarge(action, sizeBytes);
  // With a member of this name event_data would claim to have details beside it that nobody ever stored.
  if (sizeBytes <= MAX_EVENT_DATA_BYTES && !Object.hasOwn(data, 'body')) return { action, text, body: null };
  const hash = hashPayload(text);
  const body = { blake3: Buffer.from(hash).toString('hex'), size_bytes: sizeBytes };
  const stub = { body, start: text.slice(0, START_CHARACTERS).toWellFormed(), ...stamps };
  return { action, text: JSON.stringify(stub), body: { hash, text } };
}

function tooLarge(action: string, sizeBytes: number): SentinelError {
  return new SentinelError('internal.bug', {
    message: `An audit entry '${action}' of ${sizeBytes} bytes is larger than ${MAX_BODY_BYTES}.`,
    hint: 'Record a hash and a count of the details, not the details.',
    context: { action, sizeBytes },
  });
}
