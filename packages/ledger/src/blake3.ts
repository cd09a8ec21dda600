/**
 * BLAKE3 (plain hash, 32 bytes of output). JavaScript's is always there; a program that has the native addon puts a faster
 * one in its place when it starts (docs/adr/0009-ledger-hashing.md).
 */
import { blake3 as slow } from '@noble/hashes/blake3.js';

export type Blake3 = (bytes: Uint8Array) => Uint8Array;

/** What `loadNative` of @sentineld/native/addon gives, as far as it matters here. */
export type HashingAddon = { readonly available: true; readonly native: { readonly blake3: Blake3 } } | { readonly available: false };

/** Bytes in all lanes and on both sides of a chunk's end. */
const TRIAL: Uint8Array = Uint8Array.from({ length: 2_100 }, (_byte, at) => at % 251);

let chosen: Blake3 = slow;

/** The hash of the bytes, 32 bytes in an array of their own. */
export function blake3(bytes: Uint8Array): Uint8Array {
  return chosen(bytes);
}

/** Takes another implementation from now on. */
export function useBlake3(implementation: Blake3): void {
  chosen = implementation;
}

/**
 * Takes the addon's from now on, where it was loaded: `useNativeBlake3(loadNative())` at the start of a program. A hash
 * that is written wrong cannot be mended, so it has to agree with JavaScript's first.
 * @returns which one it is now.
 */
export function useNativeBlake3(addon: HashingAddon): 'native' | 'javascript' {
  const isRight = addon.available && [0, 64, 300, TRIAL.length].every((length) => agrees(addon.native.blake3, TRIAL.subarray(0, length)));
  useBlake3(isRight ? addon.native.blake3 : slow);
  return isRight ? 'native' : 'javascript';
}

function agrees(implementation: Blake3, bytes: Uint8Array): boolean {
  return Buffer.compare(implementation(bytes), slow(bytes)) === 0;
}
