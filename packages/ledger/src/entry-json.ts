/**
 * Entries as exports and proofs have them: JSON objects, hashes in hex, `event_data` as the text that is hashed.
 */
import type { AuditEntry } from '@sentineld/model/audit';
import { HASH_BYTES } from './canonical-entry.ts';
import type { Members } from './json-members.ts';

const SIGNATURE_BYTES = 64;

/** An entry, and the details that are kept beside it where there are such. */
export type EntryWithBody = { readonly entry: AuditEntry; readonly body: string | null };

/** The members in their order; `body` only where there is one. */
export function entryToJson({ entry, body }: EntryWithBody): Readonly<Record<string, unknown>> {
  return {
    sequence: entry.sequence,
    timestamp: entry.timestampMs,
    format_version: entry.formatVersion,
    epoch: entry.epoch,
    key_id: entry.keyId,
    actor: entry.actor,
    action: entry.action,
    payload_hash: hex(entry.payloadHash),
    prev_hash: hex(entry.prevHash),
    entry_hash: hex(entry.entryHash),
    signature: entry.signature === null ? null : hex(entry.signature),
    event_data: entry.eventData,
    ...(body === null ? {} : { body }),
  };
}

/** Reads the members; whether the hashes are right is for others. @throws what the members throw, naming the one that is wrong. */
export function entryFromJson(members: Members): EntryWithBody {
  const entry: AuditEntry = {
    sequence: members.whole('sequence', 1),
    timestampMs: members.whole('timestamp'),
    formatVersion: members.whole('format_version'),
    epoch: members.whole('epoch'),
    keyId: members.text('key_id'),
    actor: members.text('actor'),
    action: members.text('action'),
    payloadHash: members.hex('payload_hash', HASH_BYTES),
    prevHash: members.hex('prev_hash', HASH_BYTES),
    entryHash: members.hex('entry_hash', HASH_BYTES),
    signature: members.value('signature') === null ? null : members.hex('signature', SIGNATURE_BYTES),
    eventData: members.text('event_data'),
  };
  return { entry, body: members.value('body') === undefined ? null : members.text('body') };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
