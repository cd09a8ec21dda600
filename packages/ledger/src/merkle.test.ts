import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { referenceTree } from './fixtures/rfc6962.ts';
import {
  appendLeaf,
  consistencyProver,
  copyRange,
  decodeRange,
  emptyRange,
  encodeRange,
  inclusionProver,
  leafHash,
  rootOf,
  subtreesOf,
  verifyConsistency,
  verifyInclusion,
  type CompactRange,
  type Prover,
} from './merkle.ts';

const EXHAUSTIVE = 130;
/** Up to here every leaf is proven from every start; above, the first, and one in the middle or the last. */
const EVERY_LEAF_FROM_EVERY_START = 24;

const entryOf = (index: number): Buffer => Buffer.from(`entry ${index}`);
const entries = Array.from({ length: 5_000 }, (_, index) => entryOf(index));
const leaves = entries.map(leafHash);
const reference = referenceTree(entries);

/** The compact ranges of the trees of 0 to `size` leaves. */
function rangesTo(size: number): CompactRange[] {
  const range = emptyRange();
  return [copyRange(range), ...leaves.slice(0, size).map((leaf) => (appendLeaf(range, leaf), copyRange(range)))];
}

function proofOf(prover: Prover, from: number, size: number): Buffer[] {
  for (let at = from; at < size; at++) prover.add(leaves[at] ?? Buffer.alloc(0));
  return prover.proof().map((hash) => Buffer.from(hash));
}

/** Cheaper than toEqual where it is asked a hundred thousand times. */
function same(proof: readonly Buffer[], expected: readonly Buffer[]): boolean {
  return proof.length === expected.length && proof.every((hash, at) => Buffer.compare(hash, expected[at] ?? Buffer.alloc(0)) === 0);
}

const ranges = rangesTo(EXHAUSTIVE);
const rangeOf = (size: number): CompactRange => copyRange(ranges[size] ?? emptyRange());

describe(`every tree of up to ${EXHAUSTIVE} leaves`, () => {
  test('has the root of RFC 6962, and a range that survives being stored', () => {
    for (let size = 0; size <= EXHAUSTIVE; size++) {
      const range = rangeOf(size);
      expect(Buffer.from(rootOf(range))).toEqual(reference.root(size));
      expect(range.nodes.length).toBe(size.toString(2).replaceAll('0', '').length);
      const decoded = decodeRange(size, encodeRange(range));
      expect(Buffer.from(rootOf(decoded ?? emptyRange()))).toEqual(reference.root(size));
      expect(decodeRange(size, Buffer.concat([encodeRange(range), Buffer.alloc(32)]))).toBeNull();
    }
  });

  test('has the inclusion proofs of RFC 6962 for every leaf, and they verify', () => {
    const wrong: string[] = [];
    for (let size = 1; size <= EXHAUSTIVE; size++) {
      for (let index = 0; index < size; index++) {
        const proof = proofOf(inclusionProver(index, size), 0, size);
        const leaf = leaves[index] ?? Buffer.alloc(0);
        if (!same(proof, reference.path(index, size))) wrong.push(`proof of ${index} in ${size}`);
        if (!verifyInclusion(index, size, leaf, proof, reference.root(size))) wrong.push(`verification of ${index} in ${size}`);
        if (verifyInclusion(index, size, leaf, proof, reference.root(size - 1))) wrong.push(`${index} in ${size} for another root`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('has the consistency proofs of RFC 6962 for every older size, and they verify', () => {
    const wrong: string[] = [];
    for (let size = 0; size <= EXHAUSTIVE; size++) {
      for (let oldSize = 0; oldSize <= size; oldSize++) {
        const proof = proofOf(consistencyProver(oldSize, size), 0, size);
        const [oldRoot, root] = [reference.root(oldSize), reference.root(size)];
        if (!same(proof, reference.proof(oldSize, size))) wrong.push(`proof of ${oldSize} in ${size}`);
        if (!verifyConsistency(oldSize, size, oldRoot, root, proof)) wrong.push(`verification of ${oldSize} in ${size}`);
        if (verifyConsistency(oldSize, size, leaves[0] ?? root, root, proof) && oldSize !== 1)
          wrong.push(`${oldSize} in ${size}, old root`);
        if (oldSize > 0 && verifyConsistency(oldSize, size, oldRoot, oldRoot, proof) && oldSize !== size)
          wrong.push(`${oldSize} in ${size}, root`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('gives the same proofs from every compact range before the leaf or the older size', () => {
    const wrong: string[] = [];
    for (let size = 1; size <= EXHAUSTIVE; size++) {
      for (let start = 0; start < size; start++) {
        for (const index of leavesToProve(start, size)) {
          const inclusion = proofOf(inclusionProver(index, size, rangeOf(start)), start, size);
          if (!same(inclusion, reference.path(index, size))) wrong.push(`${index} in ${size} from ${start}`);
          const consistency = proofOf(consistencyProver(index, size, rangeOf(start)), start, size);
          if (!same(consistency, reference.proof(index, size))) wrong.push(`${index} of ${size} from ${start}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});

function leavesToProve(start: number, size: number): readonly number[] {
  if (size <= EVERY_LEAF_FROM_EVERY_START) return Array.from({ length: size - start }, (_, at) => start + at);
  return [start, start % 2 === 0 ? Math.floor((start + size) / 2) : size - 1];
}

/** A size up to 5,000, a number below it, and a start at or below that. */
const anyPlace = fc
  .tuple(fc.integer({ min: 1, max: entries.length }), fc.nat(), fc.nat())
  .map(([size, a, b]) => ({ size, index: a % size, start: b % ((a % size) + 1) }));

describe('any tree of up to 5,000 leaves', () => {
  test('has the proofs of RFC 6962 from any start', () => {
    fc.assert(
      fc.property(anyPlace, ({ size, index, start }) => {
        const range = emptyRange();
        for (const leaf of leaves.slice(0, start)) appendLeaf(range, leaf);
        expect(same(proofOf(inclusionProver(index, size, range), start, size), reference.path(index, size))).toBe(true);
        expect(same(proofOf(consistencyProver(index, size, range), start, size), reference.proof(index, size))).toBe(true);
      }),
      { numRuns: 60, seed: 6_962 },
    );
  });

  test('no proof holds with a hash changed, left out or added, of another place, or for another leaf', () => {
    fc.assert(
      fc.property(anyPlace, fc.nat(), fc.nat(255), ({ size, index }, where, bit) => {
        const [path, root, leaf] = [reference.path(index, size), reference.root(size), leaves[index] ?? Buffer.alloc(0)];
        expect(verifyInclusion(index, size, leaf, path, root)).toBe(true);
        for (const damaged of damagedProofs(path, where, bit)) expect(verifyInclusion(index, size, leaf, damaged, root)).toBe(false);
        expect(verifyInclusion(index, size, Buffer.from(leaf).fill(0), path, root)).toBe(false);
        if (size > 1) expect(verifyInclusion((index + 1) % size, size, leaf, path, root)).toBe(false);
        const [proof, oldRoot] = [reference.proof(index, size), reference.root(index)];
        expect(verifyConsistency(index, size, oldRoot, root, proof)).toBe(true);
        for (const damaged of damagedProofs(proof, where, bit)) expect(verifyConsistency(index, size, oldRoot, root, damaged)).toBe(false);
        if (index > 0) expect(verifyConsistency(index - 1, size, oldRoot, root, proof)).toBe(false);
      }),
      { numRuns: 200, seed: 9_162 },
    );
  });
});

function damagedProofs(proof: readonly Buffer[], where: number, bit: number): Buffer[][] {
  const longer = [[...proof, Buffer.alloc(32)]];
  if (proof.length === 0) return longer;
  const at = where % proof.length;
  const flipped = proof.map((hash, index) =>
    index === at ? hash.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte)) : hash,
  );
  const short = proof.map((hash, index) => (index === at ? hash.subarray(1) : hash));
  return [...longer, proof.toSpliced(at, 1), flipped.map((hash) => Buffer.from(hash)), short];
}

describe('numbers that do not fit', () => {
  const root = reference.root(3);
  test.each<[string, number, number]>([
    ['beyond the tree', 3, 3],
    ['negative', -1, 3],
    ['a fraction', 0.5, 3],
    ['no number', Number.NaN, 3],
    ['a tree without end', 0, Number.POSITIVE_INFINITY],
    ['a size beyond 2^53', 0, 2 ** 53],
  ])('%s: nothing is proven', (_name, index, size) => {
    expect(verifyInclusion(index, size, leaves[0] ?? root, [], root)).toBe(false);
    expect(verifyConsistency(index === 3 ? 4 : index, size, root, root, [root])).toBe(false);
  });

  test.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('%s leaves are no range', (size) => {
    expect(decodeRange(size, new Uint8Array(32))).toBeNull();
  });

  test('the largest sizes take no longer than small ones', () => {
    const size = Number.MAX_SAFE_INTEGER;
    expect(subtreesOf(0, size).length).toBe(53);
    expect(verifyInclusion(size - 1, size, root, [], root)).toBe(false);
    expect(verifyConsistency(1, size, root, root, [])).toBe(false);
  });

  test('a prover says what it cannot prove, and asks for all leaves', () => {
    const bug = expect.objectContaining({ code: 'internal.bug' });
    expect(() => inclusionProver(3, 3)).toThrow(bug);
    expect(() => inclusionProver(1, 3, rangeOf(2))).toThrow(bug);
    expect(() => consistencyProver(4, 3)).toThrow(bug);
    expect(() => consistencyProver(1, 3, rangeOf(2))).toThrow(bug);
    expect(() => inclusionProver(1, 3).proof()).toThrow(bug);
  });
});
