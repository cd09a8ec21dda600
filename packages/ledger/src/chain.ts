/**
 * One link of the chain: how an entry is made from the one before, and how it is checked. Pure, so that the writer,
 * the verifier and the tests cannot disagree.
 */
import type { AuditEntry, LedgerHead } from '@sentineld/model/audit';
import { FORMAT_VERSION, HASH_BYTES, hashEntry, hashPayload } from './canonical-entry.ts';

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

/** The entry that follows `previous`, unsigned. */
export function sealEntry(previous: ChainPosition, content: NewEntry): AuditEntry {
  const fields = {
    ...content,
    sequence: previous.sequence + 1,
    formatVersion: FORMAT_VERSION,
    epoch: 0,
    keyId: '',
    payloadHash: hashPayload(content.eventData),
    prevHash: previous.entryHash,
  };
  return { ...fields, entryHash: hashEntry(fields), signature: null };
}

/** What is wrong with an entry that should follow `previous`, or null. */
export function checkEntry(previous: ChainPosition, entry: AuditEntry): LedgerFailure | null {
  return checkSequence(previous, entry) ?? checkFields(entry) ?? checkFirst(entry) ?? checkHashes(previous, entry) ?? checkSignature(entry);
}

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
  if (entry.formatVersion !== FORMAT_VERSION) {
    return failure(sequence, 'format_version', `format version ${entry.formatVersion} is not known; this program knows ${FORMAT_VERSION}`);
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

/** The entry hash does not cover the signature, so that without a key there must be none. */
function checkSignature(entry: AuditEntry): LedgerFailure | null {
  const expected = entry.keyId === '' ? 0 : 64;
  const found = entry.signature?.length ?? 0;
  if (found === expected && (entry.signature === null) === (expected === 0)) return null;
  return failure(
    entry.sequence,
    'signature',
    expected === 0 ? 'there is a signature and no key_id' : `the signature has ${found} bytes, not 64`,
  );
}

function failure(sequence: number, what: LedgerFault, why: string): LedgerFailure {
  return { sequence, what, why };
}
