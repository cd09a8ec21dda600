/**
 * The Merkle tree of RFC 6962, section 2.1, kept as a compact range: the roots of the largest complete subtrees from left
 * to right, one for each bit that is set in the size. Proofs are made while leaves stream by, in memory that grows with
 * the logarithm of the size. A hash is 32 bytes of SHA-256.
 */
import { hash } from 'node:crypto';
import { SentinelError } from '@sentineld/model/error';
import { HASH_BYTES } from './canonical-entry.ts';

/** Stands where there is always a hash, as far as types can tell. */
const NOTHING = new Uint8Array(HASH_BYTES);

/** A tree of `size` leaves; changed in place by `appendLeaf`. */
export type CompactRange = { size: number; readonly nodes: Uint8Array[] };

/** SHA-256 of 00 and the bytes. */
export function leafHash(bytes: Uint8Array): Uint8Array {
  const leaf = Buffer.allocUnsafe(1 + bytes.length);
  leaf[0] = 0;
  leaf.set(bytes, 1);
  return hash('sha256', leaf, 'buffer');
}

/** 01 and room for two children: used up before the next one is made. */
const node: Buffer = Buffer.alloc(1 + 2 * HASH_BYTES, 1);

/** SHA-256 of 01 and both children. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  node.set(left, 1);
  node.set(right, 1 + HASH_BYTES);
  return hash('sha256', node, 'buffer');
}

export function emptyRange(): CompactRange {
  return { size: 0, nodes: [] };
}

export function copyRange({ size, nodes }: CompactRange): CompactRange {
  return { size, nodes: [...nodes] };
}

/** Adds a leaf by its hash. */
export function appendLeaf(range: CompactRange, leaf: Uint8Array): void {
  range.nodes.push(leaf);
  for (let size = range.size; size % 2 === 1; size = (size - 1) / 2) joinLast(range.nodes);
  range.size += 1;
}

/** Root of the tree; of an empty one SHA-256 of nothing. */
export function rootOf({ nodes }: CompactRange): Uint8Array {
  const last = nodes.at(-1);
  if (last === undefined) return hash('sha256', new Uint8Array(0), 'buffer');
  return nodes.slice(0, -1).reduceRight((right, left) => nodeHash(left, right), last);
}

/** The nodes one after the other, as they are stored. */
export function encodeRange({ nodes }: CompactRange): Uint8Array {
  return Buffer.concat(nodes);
}

/** The range of `size` leaves, or null where `bytes` is not one of that size. */
export function decodeRange(size: number, bytes: Uint8Array): CompactRange | null {
  if (!Number.isSafeInteger(size) || size < 0) return null;
  const count = subtreesOf(0, size).length;
  if (bytes.length !== count * HASH_BYTES) return null;
  const nodes = Array.from({ length: count }, (_, at) => bytes.slice(at * HASH_BYTES, (at + 1) * HASH_BYTES));
  return { size, nodes };
}

/** The leaves [start, end) as complete subtrees whose place is a multiple of their size, from left to right. */
export function subtreesOf(start: number, end: number): readonly (readonly [number, number])[] {
  const subtrees: (readonly [number, number])[] = [];
  for (let at = start; at < end;) {
    let size = 1;
    while (at % (size * 2) === 0 && at + size * 2 <= end) size *= 2;
    subtrees.push([at, at + size]);
    at += size;
  }
  return subtrees;
}

/** Takes the hashes of leaves in their order and gives a proof at the end. */
export type Prover = { readonly add: (leaf: Uint8Array) => void; readonly proof: () => readonly Uint8Array[] };

/**
 * Proves that leaf `index` is in the tree of `size` leaves (RFC 6962, section 2.1.1), from the sibling of the leaf upwards.
 * Leaves come from `start.size` on to `size` - 1; `index` must not be before `start`.
 * @throws SentinelError internal.bug for numbers that do not fit, and where not all leaves came.
 */
export function inclusionProver(index: number, size: number, start: CompactRange = emptyRange()): Prover {
  if (index < start.size || index >= size) throw bug(`leaf ${index} of ${size} cannot be proven from ${start.size} on`);
  return proverOf(size, start, inclusionParts(index, size));
}

/**
 * Proves that the tree of `oldSize` leaves is the beginning of that of `size` (RFC 6962, section 2.1.2). Leaves come from
 * `start.size` on; `start` must not be larger than `oldSize`. Empty where the sizes are equal or the old one is 0.
 */
export function consistencyProver(oldSize: number, size: number, start: CompactRange = emptyRange()): Prover {
  if (oldSize < start.size || oldSize > size) throw bug(`${oldSize} of ${size} cannot be proven from ${start.size} on`);
  return proverOf(size, start, consistencyParts(oldSize, size));
}

/** Whether the proof leads from the leaf to the root. */
export function verifyInclusion(index: number, size: number, leaf: Uint8Array, proof: readonly Uint8Array[], root: Uint8Array): boolean {
  if (!Number.isSafeInteger(size) || !Number.isSafeInteger(index) || index < 0 || index >= size) return false;
  const parts = inclusionParts(index, size);
  if (parts.length !== proof.length || proof.some(({ length }) => length !== HASH_BYTES)) return false;
  let hash = leaf;
  parts.forEach(([start], at) => {
    const sibling = proof[at] ?? NOTHING;
    hash = start < index ? nodeHash(sibling, hash) : nodeHash(hash, sibling);
  });
  return Buffer.compare(hash, root) === 0;
}

/** Whether the proof leads to both roots. */
export function verifyConsistency(
  oldSize: number,
  size: number,
  oldRoot: Uint8Array,
  root: Uint8Array,
  proof: readonly Uint8Array[],
): boolean {
  if (!Number.isSafeInteger(size) || !Number.isSafeInteger(oldSize) || oldSize < 0 || oldSize > size) return false;
  if (oldSize === size) return proof.length === 0 && Buffer.compare(oldRoot, root) === 0;
  if (oldSize === 0) return proof.length === 0 && Buffer.compare(oldRoot, rootOf(emptyRange())) === 0;
  const parts = consistencyParts(oldSize, size);
  if (parts.length !== proof.length || proof.some(({ length }) => length !== HASH_BYTES)) return false;
  return (
    Buffer.compare(rejoin(parts, proof, oldSize, oldRoot, oldSize), oldRoot) === 0 &&
    Buffer.compare(rejoin(parts, proof, oldSize, oldRoot, size), root) === 0
  );
}

type Part = readonly [number, number];

/** The siblings on the way from the leaf to the root, as ranges of leaves. */
function inclusionParts(index: number, size: number): readonly Part[] {
  const parts: Part[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + halfOf(end - start);
    if (index < middle) {
      parts.push([middle, end]);
      end = middle;
    } else {
      parts.push([start, middle]);
      start = middle;
    }
  }
  return parts.toReversed();
}

/** SUBPROOF of RFC 6962, section 2.1.2, as ranges of leaves. */
function consistencyParts(oldSize: number, size: number): readonly Part[] {
  if (oldSize === 0 || oldSize === size) return [];
  const parts: Part[] = [];
  let [start, end] = [0, size];
  while (end !== oldSize) {
    const middle = start + halfOf(end - start);
    if (oldSize <= middle) {
      parts.push([middle, end]);
      end = middle;
    } else {
      parts.push([start, middle]);
      start = middle;
    }
  }
  // The verifier knows the old root itself.
  if (start !== 0) parts.push([start, end]);
  return parts.toReversed();
}

/** Joins what a consistency proof has of the tree of `wanted` leaves, the old size or the new one. */
function rejoin(parts: readonly Part[], proof: readonly Uint8Array[], oldSize: number, oldRoot: Uint8Array, wanted: number): Uint8Array {
  const [first] = parts;
  const isWhole = first === undefined || first[1] !== oldSize;
  let hash = isWhole ? oldRoot : (proof[0] ?? oldRoot);
  parts.forEach(([start, end], at) => {
    if (at === 0 && !isWhole) return;
    const sibling = proof[at] ?? oldRoot;
    if (end > wanted) return;
    hash = start < oldSize && end <= oldSize ? nodeHash(sibling, hash) : nodeHash(hash, sibling);
  });
  return hash;
}

/** Where a tree of `size` leaves is divided: the largest power of two below it. */
function halfOf(size: number): number {
  let half = 1;
  while (half * 2 < size) half *= 2;
  return half;
}

function proverOf(size: number, start: CompactRange, parts: readonly Part[]): Prover {
  // A part may begin before `start`: what it has of it are nodes of the range, whose ends are known.
  const known = new Map(subtreesOf(0, start.size).map(([from, to], at) => [`${from}-${to}`, start.nodes[at] ?? NOTHING]));
  const collected = parts.map(([from, to]) => {
    const range: CompactRange = { size: 0, nodes: [] };
    for (const [a, b] of subtreesOf(from, Math.min(to, Math.max(from, start.size)))) {
      const node = known.get(`${a}-${b}`);
      if (node === undefined) throw bug(`leaves ${a} to ${b} are gone`);
      range.nodes.push(node);
      range.size += b - a;
    }
    return { from, to, range };
  });
  let at = start.size;
  return {
    add: (leaf) => {
      for (const { from, to, range } of collected) if (at >= from && at < to) appendLeaf(range, leaf);
      at++;
    },
    proof: () => {
      if (at !== size) throw bug(`${at} of ${size} leaves came`);
      return collected.map(({ range }) => rootOf(range));
    },
  };
}

function joinLast(nodes: Uint8Array[]): void {
  const right = nodes.pop() ?? NOTHING;
  const left = nodes.pop() ?? NOTHING;
  nodes.push(nodeHash(left, right));
}

function bug(message: string): SentinelError {
  return new SentinelError('internal.bug', { message: `A proof cannot be made: ${message}.` });
}
