/**
 * BLAKE3's published vectors: 35 lengths in three modes. Each gives 131 bytes of output; the product uses the first 32.
 */
import { blake3 } from '@noble/hashes/blake3.js';
import type { Native } from '@sentineld/native/addon';
import { caseOf, type CaseResult } from '../suite.ts';

export type Blake3Vectors = {
  /** ASCII, 32 bytes. */
  readonly key: string;
  readonly context_string: string;
  readonly cases: readonly Blake3Case[];
};
type Blake3Case = { readonly input_len: number; readonly hash: string; readonly keyed_hash: string; readonly derive_key: string };

const MODES = ['hash', 'keyed_hash', 'derive_key'] as const;
type Mode = (typeof MODES)[number];

/** One implementation: `size` bytes of output; `secret` is the key, the context, or nothing. */
export type Blake3Modes = (mode: Mode, message: Uint8Array, secret: Uint8Array, size: number) => Uint8Array;

const encoder = new TextEncoder();

export const nobleModes: Blake3Modes = (mode, message, secret, dkLen) => {
  if (mode === 'keyed_hash') return blake3(message, { dkLen, key: secret });
  return blake3(message, mode === 'hash' ? { dkLen } : { dkLen, context: secret });
};

/** The addon's, by each code that this processor can run; what is not the same by all is said by returning nothing. */
export function nativeModes({ hashCalls }: Pick<Native, 'hashCalls'>): Blake3Modes {
  const names = [0, 1, 2, 3].map((number) => [number, hashCalls.hashCode(number)] as const);
  const numbers = names.filter(([, name]) => name !== undefined).map(([number]) => number);
  return (mode, message, secret, size) => {
    const outputs = numbers.map((number) => {
      hashCalls.hashCode(number);
      return hashNatively(hashCalls.blake3, mode, message, secret, size);
    });
    const [first = new Uint8Array(0)] = outputs;
    return outputs.every((output) => Buffer.compare(output, first) === 0) ? first : new Uint8Array(0);
  };
}

function hashNatively(call: Native['hashCalls']['blake3'], mode: Mode, message: Uint8Array, secret: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  if (mode === 'hash') call(message, out, 0);
  else if (mode === 'keyed_hash') call(message, out, 16, secret);
  else {
    const key = new Uint8Array(32);
    call(secret, key, 32);
    call(message, out, 64, key);
  }
  return out;
}

/** @param name what the cases are called by */
export function* checkBlake3(vectors: Blake3Vectors, name = 'blake3', modes: Blake3Modes = nobleModes): Generator<CaseResult> {
  const secrets = { hash: new Uint8Array(0), keyed_hash: encoder.encode(vectors.key), derive_key: encoder.encode(vectors.context_string) };
  for (const vector of vectors.cases) {
    const input = Uint8Array.from({ length: vector.input_len }, (_byte, index) => index % 251);
    for (const mode of MODES) {
      const hash = (size: number): string => hex(modes(mode, input, secrets[mode], size));
      yield caseOf(`${name}/${mode}/${vector.input_len}`, compare(vector[mode], hash));
    }
  }
}

function compare(expected: string, hash: (size: number) => string): string | undefined {
  const extended = hash(expected.length / 2);
  if (extended !== expected) return `the extended output is ${extended}, not ${expected}`;
  const short = hash(32);
  return short === expected.slice(0, 64) ? undefined : `the output is ${short}, not the beginning of the extended one`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
