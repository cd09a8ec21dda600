/**
 * Whether a proof of one entry holds, and what that shows and does not show.
 */
import type { AuditEntry } from '@sentineld/model/audit';
import { KNOWN_FORMAT_VERSIONS, canonicalEntry, hashEntry, hashPayload } from './canonical-entry.ts';
import { sameBytes, verifyEntrySignature } from './chain.ts';
import { parseCheckpoint, type Checkpoint } from './checkpoint.ts';
import { leafHash, verifyInclusion } from './merkle.ts';
import { type Note, verifyNote, type VerifierKey } from './note.ts';
import type { EntryWithBody } from './entry-json.ts';
import type { TlogProof } from './tlog-proof.ts';
import { bodyHashOf, checkBody } from './walk-body.ts';

/** One entry, and the way from it to the root of a signed checkpoint. */
export type Proof = EntryWithBody & TlogProof;

export type ProofVerification = {
  readonly ok: boolean;
  /** One sentence: the first that does not hold; null where all does. */
  readonly why: string | null;
  /** The key that signed the checkpoint; null where none of the trusted did. */
  readonly key: VerifierKey | null;
  readonly checkpoint: Checkpoint;
  /** What holds by this proof, and what it cannot know; sentences for people. */
  readonly shows: readonly string[];
  readonly cannotShow: readonly string[];
};

/**
 * Verifies a proof with the keys that are trusted. It needs one: a proof has no key of its own.
 * @throws SentinelError ledger.input where its checkpoint is none.
 */
export function verifyProof(proof: Proof, trusted: readonly VerifierKey[]): ProofVerification {
  const { checkpoint, signed } = parseCheckpoint(proof.note);
  const wrong = contentFault(proof) ?? treeFault(proof, checkpoint);
  const { key, why } = signerOf(checkpoint, signed, trusted);
  const entryKey = keyOfEntry(proof.entry, checkpoint, trusted);
  const fault = wrong ?? why ?? entrySignatureFault(proof.entry, entryKey);
  return {
    ok: fault === null,
    why: fault,
    key,
    checkpoint,
    shows: fault === null && key !== null ? whatItShows(proof, checkpoint, key, entryKey) : [],
    cannotShow: fault === null && key !== null ? whatItCannotShow(proof, checkpoint, key, entryKey) : [],
  };
}

/** What is wrong with the entry by itself, or null. */
function contentFault({ entry, body, index }: Proof): string | null {
  const { sequence, formatVersion } = entry;
  if (!KNOWN_FORMAT_VERSIONS.includes(formatVersion)) {
    return `the entry is of format version ${formatVersion}, and this program knows ${KNOWN_FORMAT_VERSIONS.join(' and ')}`;
  }
  if (index !== sequence - 1) return `the proof is of leaf ${index}, and entry ${sequence} is leaf ${sequence - 1}`;
  if (!sameBytes(entry.payloadHash, hashPayload(entry.eventData))) return 'payload_hash is not the hash of event_data';
  if (!sameBytes(entry.entryHash, hashEntry(entry))) return 'entry_hash is not the hash of the fields';
  if (body === null) return null;
  return bodyHashOf(entry.eventData) === null ? 'there is a `body`, and event_data has no hash of one' : checkBody(entry.eventData, body);
}

function treeFault({ entry, index, hashes }: Proof, { treeSize, rootHash }: Checkpoint): string | null {
  if (index >= treeSize) return `the checkpoint is of ${treeSize} entries, and this is entry ${entry.sequence}`;
  if (verifyInclusion(index, treeSize, leafHash(canonicalEntry(entry)), hashes, rootHash)) return null;
  return 'the hashes do not lead from the entry to the root in the checkpoint: the entry, a hash or the checkpoint is another';
}

/** The trusted key that signed the checkpoint, or why none did. */
function signerOf(
  { origin }: Checkpoint,
  signed: Note,
  trusted: readonly VerifierKey[],
): { readonly key: VerifierKey | null; readonly why: string | null } {
  if (trusted.length === 0) return { key: null, why: 'no key to trust was given, and a proof has none of its own' };
  const ofLedger = trusted.filter(({ name }) => name === origin);
  if (ofLedger.length === 0) return { key: null, why: 'the checkpoint is of another ledger than the keys that are trusted' };
  let why = 'the checkpoint is not signed by a key that is trusted';
  for (const key of ofLedger) {
    const found = verifyNote(signed, key);
    if (found === 'valid') return { key, why: null };
    if (found === 'invalid') why = `the signature of key ${key.id} on the checkpoint is wrong`;
  }
  return { key: null, why };
}

/** The key of the entry, where it is among those that are trusted. */
function keyOfEntry({ keyId }: AuditEntry, { origin }: Checkpoint, trusted: readonly VerifierKey[]): VerifierKey | null {
  return trusted.find(({ id, name }) => id === keyId && name === origin) ?? null;
}

function entrySignatureFault(entry: AuditEntry, key: VerifierKey | null): string | null {
  if (entry.signature === null) return null;
  if (entry.formatVersion === 1) return 'the entry has a signature, and entries of format version 1 have none';
  if (key === null || verifyEntrySignature(key, entry)) return null;
  return `the signature of key ${key.id} on the entry is wrong`;
}

function whatItShows({ entry, body }: Proof, checkpoint: Checkpoint, key: VerifierKey, entryKey: VerifierKey | null): string[] {
  const { treeSize, epoch, timestampMs } = checkpoint;
  const time = timeOf(timestampMs);
  const lines = [
    `Key ${key.id} signed a root over ${treeSize} entries as epoch ${epoch} ended (${time} by the clock of the host).`,
    `Entry ${entry.sequence} is one of them, with this content, byte by byte.`,
  ];
  if (body !== null) lines.push('The details beside it are those whose hash it has.');
  if (entry.signature !== null && entryKey !== null) lines.push(`The entry itself is signed by key ${entryKey.id} too.`);
  return lines;
}

function whatItCannotShow({ entry, body }: Proof, { treeSize }: Checkpoint, key: VerifierKey, entryKey: VerifierKey | null): string[] {
  const lines = [
    'Whether what the entry says is true, and whether the clock of the host was right.',
    `What the other entries say, whether entries followed ${treeSize}, and whether the ledger still has this one: that takes an export or the ledger.`,
    'Whether the holder of the key signed another history too: that takes checkpoints which others keep.',
    `Whether key ${key.id} was still the key of that epoch: the entries that announce keys tell it.`,
  ];
  if (body === null && bodyHashOf(entry.eventData) !== null)
    lines.push('The details of the entry: it has their hash, and they are not in the file.');
  if (entry.signature !== null && entryKey === null)
    lines.push(`Whether the signature on the entry itself is right: it is of key ${printable(entry.keyId)}.`);
  return lines;
}

/** The time as people write it; what no calendar has as it is. */
function timeOf(timestampMs: number): string {
  const date = new Date(timestampMs);
  return Number.isNaN(date.getTime()) ? `${timestampMs} ms since 1970` : date.toISOString();
}

/** A key id, which in a hostile file may be any text. */
function printable(keyId: string): string {
  return /^[0-9a-f]{8}$/.test(keyId) ? keyId : 'another form';
}
