/**
 * SHA-256 for the tree of RFC 6962, many leaves or nodes at once. That of node:crypto is always there; native-hashing.ts puts
 * a faster one in its place.
 */
import { HASH_BYTES } from './canonical-entry.ts';
import { leafHash, nodeHash, type CompactRange } from './merkle.ts';

export type TreeHashing = {
  /** Hash of each message into `out`; they lie one behind the other and end where `ends` says. */
  readonly sha256Leaves: (messages: Uint8Array, ends: Uint32Array, out: Uint8Array) => void;
  /** Hash of each pair of children, 64 bytes a pair, into `out`. */
  readonly sha256Nodes: (children: Uint8Array, out: Uint8Array) => void;
};

/** One by one. */
export const SLOW_TREE_HASHING: TreeHashing = {
  sha256Leaves: (messages, ends, out) => {
    let start = 0;
    for (const [at, end] of ends.entries()) {
      out.set(leafHash(messages.subarray(start, end)), at * HASH_BYTES);
      start = end;
    }
  },
  sha256Nodes: (children, out) => {
    for (let at = 0; at < children.length; at += 2 * HASH_BYTES) {
      const right = at + HASH_BYTES;
      out.set(nodeHash(children.subarray(at, right), children.subarray(right, right + HASH_BYTES)), at / 2);
    }
  },
};

/** The longest message that every implementation takes. */
const LONGEST_MESSAGE = 1_024;

let chosen: TreeHashing = SLOW_TREE_HASHING;

/** Takes another implementation from now on; without one that of node:crypto. */
export function useTreeHashing(implementation: TreeHashing = SLOW_TREE_HASHING): void {
  chosen = implementation;
}

/** The leaf hashes of the messages, 32 bytes each. */
export function leafHashes(messages: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(messages.length * HASH_BYTES);
  const ends = new Uint32Array(messages.length);
  let end = 0;
  messages.forEach((message, at) => (ends[at] = end += message.length));
  const hashing = messages.some(({ length }) => length > LONGEST_MESSAGE) ? SLOW_TREE_HASHING : chosen;
  hashing.sha256Leaves(Buffer.concat(messages), ends, out);
  return out;
}

/** Adds `count` leaves, 32 bytes each, as appendLeaf does one: whole levels of the tree are joined together. Keeps no part of `leaves`. */
export function appendLeaves(range: CompactRange, leaves: Uint8Array, count: number): void {
  let nodes: Uint8Array = leaves.subarray(0, count * HASH_BYTES);
  let before = range.size;
  const left: Uint8Array[] = [];
  while (nodes.length > 0) {
    // An odd number of nodes before: the last one waits for its sibling, which is the first of the new ones.
    if (before % 2 === 1) nodes = Buffer.concat([range.nodes.pop() ?? new Uint8Array(HASH_BYTES), nodes]);
    const pairs = Math.floor(nodes.length / (2 * HASH_BYTES));
    if (nodes.length > pairs * 2 * HASH_BYTES) left.push(Uint8Array.from(nodes.subarray(pairs * 2 * HASH_BYTES)));
    if (pairs === 0) break;
    const joined = new Uint8Array(pairs * HASH_BYTES);
    chosen.sha256Nodes(nodes.subarray(0, pairs * 2 * HASH_BYTES), joined);
    nodes = joined;
    before = Math.floor(before / 2);
  }
  range.nodes.push(...left.toReversed());
  range.size += count;
}
