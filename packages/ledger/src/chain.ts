/**
 * One link of the chain: how an entry is made from the one before, and how it is checked. Pure, so that the writer,
 * the verifier and the tests cannot disagree.
 */
import type { AuditEntry, LedgerHead } from '@sentineld/model/audit';
import { FORMAT_VERSION, HASH_BYTES, KNOWN_FORMAT_VERSIONS, hashEntry, hashPayload } from './canonical-entry.ts';
import { verifySignature, type VerifierKey } from './note.ts';

/** The entry that the next one links to. */
export type ChainPosition = { readonly sequence: number; readonly entryHash: Uint8Array };

/** Where a chain starts: the first entry is number 1 and its prev_hash is all zero. */
export const CHAIN_START: ChainPosition = { sequence: 0, entryHash: new Uint8Array(HASH_BYTES) };

/** Stable words for what is wrong with a ledger. */
export type LedgerFault =
  | 'empty'
  | 'row'
  | 'field'
  | 'format_version'
  | 'sequence'
  | 'first_entry'
  | 'prev_hash'
  | 'payload_hash'
  | 'entry_hash'
  | 'signature'
  | 'witness';

export type LedgerFailure = {
  /** The entry that is wrong or missing. */
  readonly sequence: number;
  readonly what: LedgerFault;
  /** One sentence for people. */
  readonly why: string;
};

export type NewEntry = { readonly timestampMs: number; readonly actor: string; readonly action: string; readonly eventData: string };

/** What the ledger says of an entry when it is written. */
export type EntrySeal = {
  /** One more than that of the newest checkpoint. */
  readonly epoch: number;
  /** Id of the key of that epoch. */
  readonly keyId: string;
  /** Signs the entry by itself: Ed25519 with that key. Left out where only checkpoints are signed. */
  readonly sign?: (bytes: Uint8Array) => Uint8Array;
};

/** The entry that follows `previous`, of format version 2. */
export function sealEntry(previous: ChainPosition, content: NewEntry, { epoch, keyId, sign }: EntrySeal): AuditEntry {
  const fields = {
    ...content,
    sequence: previous.sequence + 1,
    formatVersion: FORMAT_VERSION,
    epoch,
    keyId,
    payloadHash: hashPayload(content.eventData),
    prevHash: previous.entryHash,
  };
  const entryHash = hashEntry(fields);
  return { ...fields, entryHash, signature: sign === undefined ? null : sign(entrySignatureBytes(entryHash)) };
}

/**
 * What is wrong with an entry that should follow `previous`, or null: rules 1 to 7 of docs/ledger-format.md for one entry
 * of version 1 or 2. That versions do not go back, and which epoch, key and signature it must have (rules 2 and 8), is
 * for whoever knows the checkpoints and keys.
 */
export function checkEntry(previous: ChainPosition, entry: AuditEntry): LedgerFailure | null {
  return checkSequence(previous, entry) ?? checkFields(entry) ?? checkFirst(entry) ?? checkHashes(previous, entry);
}

/** Whether a signature on the entry is that of `key`. */
export function verifyEntrySignature(key: VerifierKey, { entryHash, signature }: Pick<AuditEntry, 'entryHash' | 'signature'>): boolean {
  return signature !== null && verifySignature(key, entrySignatureBytes(entryHash), signature);
}

/** What the signature of a single entry is over. */
export function entrySignatureBytes(entryHash: Uint8Array): Uint8Array {
  return Buffer.concat([ENTRY_PREFIX, entryHash]);
}

const ENTRY_PREFIX = Buffer.from('sentineld.entry\n');
const SIGNATURE_BYTES = 64;
/** Of event_data; in format version 1 there was no room beside. */
const MOST_DATA_BYTES = 16_384;
const MOST_DATA_BYTES_1 = 262_144;

export function headOf(position: ChainPosition): LedgerHead {
  return { sequence: position.sequence, entryHash: Buffer.from(position.entryHash).toString('hex') };
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function checkSequence(previous: ChainPosition, entry: AuditEntry): LedgerFailure | null {
  const expected = previous.sequence + 1;
  if (entry.sequence === expected) return null;
  if (entry.sequence < expected)
    return failure(entry.sequence, 'sequence', `entry ${entry.sequence} comes where entry ${expected} should be`);
  const missing = entry.sequence - expected === 1 ? `entry ${expected} is` : `entries ${expected} to ${entry.sequence - 1} are`;
  return failure(expected, 'sequence', `${missing} missing`);
}

function checkFields(entry: AuditEntry): LedgerFailure | null {
  const { sequence } = entry;
  if (!KNOWN_FORMAT_VERSIONS.includes(entry.formatVersion)) {
    const known = KNOWN_FORMAT_VERSIONS.join(' and ');
    return failure(sequence, 'format_version', `format version ${entry.formatVersion} is not known; this program knows ${known}`);
  }
  for (const name of ['timestampMs', 'epoch'] as const) {
    if (!Number.isSafeInteger(entry[name]) || entry[name] < 0) return failure(sequence, 'field', `${name} is ${entry[name]}`);
  }
  for (const name of ['payloadHash', 'prevHash', 'entryHash'] as const) {
    if (entry[name].length !== HASH_BYTES) return failure(sequence, 'field', `${name} has ${entry[name].length} bytes`);
  }
  for (const name of ['keyId', 'actor', 'action', 'eventData'] as const) {
    if (!entry[name].isWellFormed()) return failure(sequence, 'field', `${name} is not Unicode text`);
  }
  const mostBytes = entry.formatVersion === 1 ? MOST_DATA_BYTES_1 : MOST_DATA_BYTES;
  if (Buffer.byteLength(entry.eventData) > mostBytes) return failure(sequence, 'field', `event_data has more than ${mostBytes} bytes`);
  const { signature } = entry;
  if (signature !== null && signature.length !== SIGNATURE_BYTES)
    return failure(sequence, 'signature', `the signature has ${signature.length} bytes, not ${SIGNATURE_BYTES}`);
  return null;
}

function checkFirst(entry: AuditEntry): LedgerFailure | null {
  if (entry.sequence !== 1 || entry.action === 'ledger_create') return null;
  return failure(1, 'first_entry', `the first entry is '${entry.action}', not 'ledger_create'`);
}

function checkHashes(previous: ChainPosition, entry: AuditEntry): LedgerFailure | null {
  const { sequence } = entry;
  if (!sameBytes(entry.prevHash, previous.entryHash))
    return failure(sequence, 'prev_hash', 'prev_hash is not the hash of the entry before');
  if (!sameBytes(entry.payloadHash, hashPayload(entry.eventData)))
    return failure(sequence, 'payload_hash', 'payload_hash is not the hash of event_data');
  if (!sameBytes(entry.entryHash, hashEntry(entry))) return failure(sequence, 'entry_hash', 'entry_hash is not the hash of the fields');
  return null;
}

function failure(sequence: number, what: LedgerFault, why: string): LedgerFailure {
  return { sequence, what, why };
}
