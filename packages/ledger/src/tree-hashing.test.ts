import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { appendLeaf, copyRange, emptyRange, leafHash, rootOf } from './merkle.ts';
import { appendLeaves, leafHashes, useTreeHashing } from './tree-hashing.ts';

const leafAt = (at: number): Uint8Array => leafHash(Buffer.from(String(at)));
const LEAVES = Array.from({ length: 1_100 }, (_, at) => leafAt(at));

describe('appendLeaves', () => {
  test('gives the tree that leaves give one by one, from any size on', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 200 }), { maxLength: 5 }), (counts) => {
        const [many, one] = [emptyRange(), emptyRange()];
        for (const count of counts) {
          const next = LEAVES.slice(many.size, many.size + count);
          appendLeaves(many, new Uint8Array(Buffer.concat(next)), count);
          for (const leaf of next) appendLeaf(one, leaf);
          expect(many.size).toBe(one.size);
          expect(many.nodes.map((node) => Buffer.from(node).toString('hex'))).toEqual(
            one.nodes.map((node) => Buffer.from(node).toString('hex')),
          );
        }
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  test('keeps no part of the leaves, and nothing of ranges that were copied', () => {
    const range = emptyRange();
    const leaves = new Uint8Array(Buffer.concat(LEAVES.slice(0, 7)));
    appendLeaves(range, leaves, 7);
    const root = rootOf(range);
    const copy = copyRange(range);
    leaves.fill(0);
    appendLeaves(range, new Uint8Array(32), 1);
    expect(rootOf(copy)).toEqual(root);
  });
});

describe('leafHashes', () => {
  test('are those of each message, however long, whoever hashes', () => {
    const messages = [0, 1, 55, 56, 119, 1_024, 1_025, 3_000].map((length) => new Uint8Array(length).fill(length % 256));
    const expected = Buffer.concat(messages.map((message) => leafHash(message)));
    expect(Buffer.from(leafHashes(messages)).equals(expected)).toBe(true);
    const asked: number[] = [];
    useTreeHashing({ sha256Leaves: (_messages, ends) => asked.push(ends.length), sha256Nodes: () => undefined });
    try {
      leafHashes(messages.slice(0, 6));
      expect(Buffer.from(leafHashes(messages)).equals(expected)).toBe(true);
    } finally {
      useTreeHashing();
    }
    expect(asked).toEqual([6]);
  });
});
