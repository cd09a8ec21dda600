/**
 * Many leaves at once into a compact range: whole levels of the tree are joined together, so that one call hashes them.
 */
import { HASH_BYTES } from './canonical-entry.ts';
import { nodeHash, type CompactRange } from './merkle.ts';

/** Hashes pairs of children, 64 bytes a pair, into nodes of 32 bytes. */
export type HashNodes = (children: Uint8Array, out: Uint8Array) => void;

/** One by one, with node:crypto. */
export function hashNodesSlowly(children: Uint8Array, out: Uint8Array): void {
  for (let at = 0; at < children.length; at += 2 * HASH_BYTES) {
    const right = at + HASH_BYTES;
    out.set(nodeHash(children.subarray(at, right), children.subarray(right, right + HASH_BYTES)), at / 2);
  }
}

/** Adds `count` leaves, 32 bytes each, as appendLeaf does one. Keeps no part of `leaves`. */
export function appendLeaves(range: CompactRange, leaves: Uint8Array, count: number, hashNodes: HashNodes): void {
  let nodes: Uint8Array = leaves.subarray(0, count * HASH_BYTES);
  let before = range.size;
  const left: Uint8Array[] = [];
  while (nodes.length > 0) {
    // An odd number of nodes before: the last one waits for its sibling, which is the first of the new ones.
    if (before % 2 === 1) nodes = Buffer.concat([range.nodes.pop() ?? new Uint8Array(HASH_BYTES), nodes]);
    const pairs = Math.floor(nodes.length / (2 * HASH_BYTES));
    if (nodes.length > pairs * 2 * HASH_BYTES) left.push(Uint8Array.from(nodes.subarray(pairs * 2 * HASH_BYTES)));
    const joined = new Uint8Array(pairs * HASH_BYTES);
    hashNodes(nodes.subarray(0, pairs * 2 * HASH_BYTES), joined);
    nodes = joined;
    before = Math.floor(before / 2);
  }
  range.nodes.push(...left.toReversed());
  range.size += count;
}
