/**
 * The bytes of an audit entry that are hashed; the layout is that of format versions 1 and 2. Pure; docs/ledger-format.md
 * has the same for those who verify in another language. What is written here is never changed: a new layout is a new
 * format version.
 */
import { blake3 } from './blake3.ts';
import type { AuditEntry } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';

/** The format version that is written. */
export const FORMAT_VERSION: number = 2;

/** The format versions that are read: entries of version 1 have no epoch and no key. */
export const KNOWN_FORMAT_VERSIONS: readonly number[] = [1, FORMAT_VERSION];

/** Bytes of every hash in the ledger: BLAKE3 with its default output length. */
export const HASH_BYTES: number = 32;

/** The fields that the entry hash covers. The payload hash stands for event_data; a signature covers the entry hash. */
export type CanonicalFields = Pick<
  AuditEntry,
  'formatVersion' | 'sequence' | 'epoch' | 'timestampMs' | 'keyId' | 'actor' | 'action' | 'payloadHash' | 'prevHash'
>;

const encoder = new TextEncoder();
const MAGIC = encoder.encode('sentineld.ledger');

/**
 * The canonical bytes, integers big-endian:
 * 'sentineld.ledger' (16 bytes), format_version u16, sequence u64, epoch u64, timestamp in ms u64, then key_id, actor
 * and action each as u32 length in bytes and that many bytes of UTF-8, then payload_hash (32) and prev_hash (32).
 * @throws SentinelError internal.bug for values that the layout cannot hold; a verifier checks them first.
 */
export function canonicalEntry(fields: CanonicalFields): Uint8Array {
  const texts = [fields.keyId, fields.actor, fields.action].map(encodeText);
  const textBytes = texts.reduce((sum, text) => sum + 4 + text.length, 0);
  const bytes = new Uint8Array(MAGIC.length + 2 + 3 * 8 + textBytes + 2 * HASH_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint16(16, requireWhole(fields.formatVersion, 0xffff));
  view.setBigUint64(18, BigInt(requireWhole(fields.sequence, Number.MAX_SAFE_INTEGER)));
  view.setBigUint64(26, BigInt(requireWhole(fields.epoch, Number.MAX_SAFE_INTEGER)));
  view.setBigUint64(34, BigInt(requireWhole(fields.timestampMs, Number.MAX_SAFE_INTEGER)));
  let at = 42;
  for (const text of texts) {
    view.setUint32(at, text.length);
    bytes.set(text, at + 4);
    at += 4 + text.length;
  }
  bytes.set(requireHash(fields.payloadHash), at);
  bytes.set(requireHash(fields.prevHash), at + HASH_BYTES);
  return bytes;
}

/** BLAKE3 of the canonical bytes. */
export function hashEntry(fields: CanonicalFields): Uint8Array {
  return blake3(canonicalEntry(fields));
}

/** BLAKE3 of the UTF-8 bytes of event_data, exactly as they are stored. */
export function hashPayload(eventData: string): Uint8Array {
  return blake3(encodeText(eventData));
}

/** UTF-8, refused where two texts would give the same bytes: TextEncoder turns every lone surrogate into U+FFFD. */
function encodeText(text: string): Uint8Array {
  if (!text.isWellFormed()) throw new SentinelError('internal.bug', { message: 'A text of an audit entry has a lone surrogate.' });
  return encoder.encode(text);
}

function requireWhole(value: number, maximum: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= maximum) return value;
  throw new SentinelError('internal.bug', { message: `An audit entry cannot hold the number ${value}.` });
}

function requireHash(hash: Uint8Array): Uint8Array {
  if (hash.length === HASH_BYTES) return hash;
  throw new SentinelError('internal.bug', { message: `A hash of an audit entry has ${hash.length} bytes, not ${HASH_BYTES}.` });
}
