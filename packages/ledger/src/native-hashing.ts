/**
 * Puts the addon's hashes in the place of those that are always there (docs/adr/0009-ledger-hashing.md).
 */
import { blake3 as slowBlake3 } from '@noble/hashes/blake3.js';
import { type Blake3, useBlake3 } from './blake3.ts';
import { HASH_BYTES } from './canonical-entry.ts';
import { SLOW_TREE_HASHING, type TreeHashing, useTreeHashing } from './tree-hashing.ts';

/** What `loadNative` of @sentineld/native/addon gives, as far as it matters here. */
export type HashingAddon =
  | { readonly available: true; readonly native: TreeHashing & { readonly blake3: Blake3 } }
  | { readonly available: false };

/** Bytes in all lanes and on both sides of a chunk's end. */
const TRIAL: Uint8Array = Uint8Array.from({ length: 2_100 }, (_byte, at) => at % 251);
/** Of leaves in TRIAL: of no block, and around each number of them up to the longest. */
const TRIAL_ENDS: Uint32Array = Uint32Array.of(0, 54, 110, 230, 500, 1_076, 2_100);

/**
 * Takes the addon's from now on, where it was loaded: `useNativeHashing(loadNative())` at the start of a program. A hash
 * that is written wrong cannot be mended, so all of them have to agree with the others first.
 * @returns which ones it is now.
 */
export function useNativeHashing(addon: HashingAddon): 'native' | 'javascript' {
  const isRight = addon.available && hashesAgree(addon.native.blake3) && treesAgree(addon.native);
  useBlake3(isRight ? addon.native.blake3 : slowBlake3);
  useTreeHashing(isRight ? addon.native : SLOW_TREE_HASHING);
  return isRight ? 'native' : 'javascript';
}

function hashesAgree(blake3: Blake3): boolean {
  return [0, 64, 300, TRIAL.length].every((length) => {
    const bytes = TRIAL.subarray(0, length);
    return Buffer.compare(blake3(bytes), slowBlake3(bytes)) === 0;
  });
}

function treesAgree(addon: TreeHashing): boolean {
  const [expected, found] = [SLOW_TREE_HASHING, addon].map((hashing) => {
    const leaves = new Uint8Array(TRIAL_ENDS.length * HASH_BYTES);
    hashing.sha256Leaves(TRIAL, TRIAL_ENDS, leaves);
    const children = TRIAL.subarray(0, 32 * 2 * HASH_BYTES);
    const nodes = new Uint8Array(children.length / 2);
    hashing.sha256Nodes(children, nodes);
    return Buffer.concat([leaves, nodes]);
  });
  return expected !== undefined && found !== undefined && Buffer.compare(expected, found) === 0;
}
