/**
 * Proofs that an entry is in a log, as text (c2sp.org/tlog-proof): the place, the hashes up to the root, the signed
 * checkpoint with that root.
 */
import { HASH_BYTES } from './canonical-entry.ts';
import type { Refuse } from './json-members.ts';
import { fromBase64 } from './note.ts';

const HEADER = 'c2sp.org/tlog-proof@v1';
/** A tree has fewer than 2^53 leaves, so no way to its root is longer. */
const MAX_HASHES = 53;
const BASE64_CHARACTERS = 44;

export type TlogProof = {
  /** Leaves before the one that is proven. */
  readonly index: number;
  /** From the sibling of the leaf upwards, 32 bytes each. */
  readonly hashes: readonly Uint8Array[];
  /** The signed checkpoint, whole. */
  readonly note: string;
};

export function formatTlogProof({ index, hashes, note }: TlogProof): string {
  const lines = [HEADER, `index ${index}`, ...hashes.map((hash) => Buffer.from(hash).toString('base64'))];
  return `${lines.join('\n')}\n\n${note}`;
}

/** Reads a proof; whether it holds is not looked at. @throws what `refuse` makes, naming the line that is wrong. */
export function parseTlogProof(text: string, refuse: Refuse): TlogProof {
  const middle = text.indexOf('\n\n');
  if (middle < 0) throw refuse('tlog_proof ends before its checkpoint: it has no empty line');
  const lines = text.slice(0, middle).split('\n', MAX_HASHES + 3);
  const [header = '', index = '', ...hashes] = lines;
  if (header !== HEADER) throw refuse(`line 1 of tlog_proof is not ${HEADER}, the only version there is`);
  if (!/^index (?:0|[1-9][0-9]{0,15})$/.test(index)) throw refuse('line 2 of tlog_proof is not `index` and a number');
  if (hashes.length > MAX_HASHES) throw refuse(`tlog_proof has more than ${MAX_HASHES} hashes`);
  const note = text.slice(middle + 2);
  if (note === '') throw refuse('tlog_proof ends before its checkpoint');
  return { index: Number(index.slice('index '.length)), hashes: hashes.map((line, at) => hashOf(line, at + 3, refuse)), note };
}

function hashOf(line: string, number: number, refuse: Refuse): Uint8Array {
  const bytes = line.length === BASE64_CHARACTERS ? fromBase64(line) : null;
  if (bytes?.length === HASH_BYTES) return bytes;
  throw refuse(`line ${number} of tlog_proof is not ${HASH_BYTES} bytes in base64`);
}
