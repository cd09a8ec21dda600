/**
 * BLAKE3's published vectors: 35 lengths in three modes. Each gives 131 bytes of output; the product uses the first 32.
 */
import { blake3 } from '@noble/hashes/blake3.js';
import { caseOf, type CaseResult } from '../suite.ts';

export type Blake3Vectors = {
  /** ASCII, 32 bytes. */
  readonly key: string;
  readonly context_string: string;
  readonly cases: readonly Blake3Case[];
};
type Blake3Case = { readonly input_len: number; readonly hash: string; readonly keyed_hash: string; readonly derive_key: string };

const MODES = ['hash', 'keyed_hash', 'derive_key'] as const;

const encoder = new TextEncoder();

export function* checkBlake3({ key, context_string: context, cases }: Blake3Vectors): Generator<CaseResult> {
  const options = { hash: {}, keyed_hash: { key: encoder.encode(key) }, derive_key: { context: encoder.encode(context) } };
  for (const vector of cases) {
    const input = Uint8Array.from({ length: vector.input_len }, (_byte, index) => index % 251);
    for (const mode of MODES) yield caseOf(`blake3/${mode}/${vector.input_len}`, compare(vector[mode], input, options[mode]));
  }
}

function compare(expected: string, input: Uint8Array, options: NonNullable<Parameters<typeof blake3>[1]>): string | undefined {
  const extended = hex(blake3(input, { ...options, dkLen: expected.length / 2 }));
  if (extended !== expected) return `the extended output is ${extended}, not ${expected}`;
  const short = hex(blake3(input, options));
  return short === expected.slice(0, 64) ? undefined : `the output is ${short}, not the beginning of the extended one`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
