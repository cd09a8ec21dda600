/**
 * BLAKE3 (plain hash, 32 bytes of output). JavaScript's is always there; native-hashing.ts puts a faster one
 * in its place.
 */
import { blake3 as slow } from '@noble/hashes/blake3.js';

export type Blake3 = (bytes: Uint8Array) => Uint8Array;

let chosen: Blake3 = slow;

/** The hash of the bytes, 32 bytes in an array of their own. */
export function blake3(bytes: Uint8Array): Uint8Array {
  return chosen(bytes);
}

/** Takes another implementation from now on; without one JavaScript's. */
export function useBlake3(implementation: Blake3 = slow): void {
  chosen = implementation;
}
