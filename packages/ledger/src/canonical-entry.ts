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

const MAGIC = Buffer.from('sentineld.ledger');

/**
 * The canonical bytes, integers big-endian:
 * 'sentineld.ledger' (16 bytes), format_version u16, sequence u64, epoch u64, timestamp in ms u64, then key_id, actor
 * and action each as u32 length in bytes and that many bytes of UTF-8, then payload_hash (32) and prev_hash (32).
 * @throws SentinelError internal.bug for values that the layout cannot hold; a verifier checks them first.
 */
export function canonicalEntry(fields: CanonicalFields): Uint8Array {
  const { keyId, actor, action } = fields;
  const size = MAGIC.length + 2 + 3 * 8 + 3 * 4 + sizeOf(keyId) + sizeOf(actor) + sizeOf(action) + 2 * HASH_BYTES;
  const bytes = Buffer.allocUnsafe(size);
  bytes.set(MAGIC);
  bytes.writeUInt16BE(requireWhole(fields.formatVersion, 0xffff), 16);
  writeWhole(bytes, fields.sequence, 18);
  writeWhole(bytes, fields.epoch, 26);
  writeWhole(bytes, fields.timestampMs, 34);
  let at = 42;
  for (const text of [keyId, actor, action]) at = writeText(bytes, text, at);
  bytes.set(requireHash(fields.payloadHash), at);
  bytes.set(requireHash(fields.prevHash), at + HASH_BYTES);
  return bytes;
}

/** 8 bytes, as two halves: a BigInt would be made for each. */
function writeWhole(bytes: Buffer, value: number, at: number): void {
  const whole = requireWhole(value, Number.MAX_SAFE_INTEGER);
  bytes.writeUInt32BE(Math.floor(whole / 2 ** 32), at);
  bytes.writeUInt32BE(whole % 2 ** 32, at + 4);
}

/** Gives the place behind it. */
function writeText(bytes: Buffer, text: string, at: number): number {
  const length = bytes.write(text, at + 4, 'utf8');
  bytes.writeUInt32BE(length, at);
  return at + 4 + length;
}

/** Bytes of UTF-8; refused where two texts would give the same bytes. */
function sizeOf(text: string): number {
  requireWellFormed(text);
  return Buffer.byteLength(text);
}

/** BLAKE3 of the canonical bytes. */
export function hashEntry(fields: CanonicalFields): Uint8Array {
  return blake3(canonicalEntry(fields));
}

/** BLAKE3 of the UTF-8 bytes of event_data, exactly as they are stored. */
export function hashPayload(eventData: string): Uint8Array {
  return blake3(encodeText(eventData));
}

function encodeText(text: string): Uint8Array {
  requireWellFormed(text);
  return Buffer.from(text);
}

/** In UTF-8 every lone surrogate is U+FFFD. */
function requireWellFormed(text: string): void {
  if (!text.isWellFormed()) throw new SentinelError('internal.bug', { message: 'A text of an audit entry has a lone surrogate.' });
}

function requireWhole(value: number, maximum: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= maximum) return value;
  throw new SentinelError('internal.bug', { message: `An audit entry cannot hold the number ${value}.` });
}

function requireHash(hash: Uint8Array): Uint8Array {
  if (hash.length === HASH_BYTES) return hash;
  throw new SentinelError('internal.bug', { message: `A hash of an audit entry has ${hash.length} bytes, not ${HASH_BYTES}.` });
}
