import { blake3 as noble } from '@noble/hashes/blake3.js';
import { afterEach, describe, expect, it } from 'vitest';
import { blake3, useBlake3 } from './blake3.ts';
import { useNativeHashing } from './native-hashing.ts';
import { leafHashes, SLOW_TREE_HASHING, useTreeHashing } from './tree-hashing.ts';

const NOTHING = new Uint8Array(0);

describe('useNativeHashing', () => {
  afterEach(() => {
    useBlake3();
    useTreeHashing();
  });

  it("takes an addon's where all agree", () => {
    const lengths: number[] = [];
    let leaves = 0;
    const native = {
      blake3: (bytes: Uint8Array): Uint8Array => {
        lengths.push(bytes.length);
        return noble(bytes);
      },
      sha256Nodes: SLOW_TREE_HASHING.sha256Nodes,
      sha256Leaves: (messages: Uint8Array, ends: Uint32Array, out: Uint8Array): void => {
        leaves += ends.length;
        SLOW_TREE_HASHING.sha256Leaves(messages, ends, out);
      },
    };
    expect(useNativeHashing({ available: true, native })).toBe('native');
    expect(Math.max(...lengths)).toBeGreaterThan(2_048);
    lengths.length = leaves = 0;
    blake3(NOTHING);
    leafHashes([NOTHING, NOTHING]);
    expect([lengths, leaves]).toEqual([[0], 2]);
  });

  it.each([
    ['a hash that is wrong behind the first chunk', { blake3: (bytes: Uint8Array) => noble(bytes.subarray(0, 1_024)) }],
    ['a hash that is cut off', { blake3: (bytes: Uint8Array) => noble(bytes).subarray(0, 31) }],
    ['leaves that are not there', { sha256Leaves: () => undefined }],
    ['nodes that are not there', { sha256Nodes: () => undefined }],
  ])('stays with the others for %s', (_name, wrong) => {
    useBlake3(() => new Uint8Array(32));
    expect(useNativeHashing({ available: true, native: { blake3: noble, ...SLOW_TREE_HASHING, ...wrong } })).toBe('javascript');
    expect(blake3(NOTHING)).toEqual(noble(NOTHING));
  });

  it('stays with the others without an addon', () => {
    useBlake3(() => new Uint8Array(32));
    expect(useNativeHashing({ available: false })).toBe('javascript');
    expect(blake3(NOTHING)).toEqual(noble(NOTHING));
  });
});
