import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ancestorsOf, familyOf, placeTree, rootsOf, type TreeNode } from './process-tree.ts';
import { cellWidth } from './output/cells.ts';
import { treePrefix, treeStrokes } from './output/tree-lines.ts';

const place = (nodes: readonly TreeNode[], mostDepth = 1000) => {
  const family = familyOf(nodes);
  return placeTree(family, { roots: rootsOf(family), mostDepth });
};

describe('placeTree', () => {
  it('puts parents before children, and children in the order of their pids', () => {
    const { rows } = place([
      { pid: 1, ppid: 0 },
      { pid: 9, ppid: 1 },
      { pid: 3, ppid: 1 },
      { pid: 12, ppid: 3 },
    ]);
    expect(rows.map(({ node, depth, laterSiblings }) => [node.pid, depth, laterSiblings])).toEqual([
      [1, 0, []],
      [3, 1, [true]],
      [12, 2, [true, false]],
      [9, 1, [false]],
    ]);
  });

  it('shows every process once, whatever they say of their parents', () => {
    const nodes = fc.array(fc.record({ pid: fc.integer({ min: 1, max: 12 }), ppid: fc.integer({ min: 0, max: 12 }) }), { maxLength: 20 });
    fc.assert(
      fc.property(nodes, fc.integer({ min: 1, max: 5 }), (given, mostDepth) => {
        const family = familyOf(given);
        const { rows, tooDeep } = placeTree(family, { roots: rootsOf(family), mostDepth });
        const pids = rows.map(({ node }) => node.pid);
        expect(new Set(pids).size).toBe(pids.length);
        expect(pids.length + tooDeep).toBe(family.byPid.size);
        for (const { depth, laterSiblings } of rows) expect([depth <= mostDepth, laterSiblings.length]).toEqual([true, depth]);
        for (const node of family.byPid.values()) expect(ancestorsOf(family, node).length).toBeLessThan(family.byPid.size);
      }),
    );
  });

  it('breaks a circle at its smallest pid', () => {
    const circle = [
      { pid: 5, ppid: 7 },
      { pid: 7, ppid: 6 },
      { pid: 6, ppid: 5 },
      { pid: 4, ppid: 4 },
    ];
    expect(place(circle).rows.map(({ node, depth }) => [node.pid, depth])).toEqual([
      [4, 0],
      [5, 0],
      [6, 1],
      [7, 2],
    ]);
    const family = familyOf(circle);
    const [asked] = circle;
    expect(asked === undefined ? [] : ancestorsOf(family, asked).map(({ pid }) => pid)).toEqual([6, 7]);
  });

  it('goes down a chain of many thousands without calling itself', () => {
    const chain = Array.from({ length: 50_000 }, (_, at) => ({ pid: at + 1, ppid: at }));
    const { rows, tooDeep } = place(chain, 100);
    expect([rows.length, tooDeep]).toEqual([101, 49_899]);
    expect(rows.at(-1)?.laterSiblings).toHaveLength(100);
  });
});

describe('treePrefix', () => {
  const strokes = treeStrokes({ LANG: 'C' });
  it('draws the levels, and leaves out those for which there is no room', () => {
    expect(treePrefix([], strokes, 40)).toBe('');
    expect(treePrefix([true, false], strokes, 40)).toBe('|  `- ');
    expect(treePrefix([...Array.from({ length: 37 }, () => false), true], strokes, 20)).toBe('+34            |- ');
  });

  it('never takes more than the room', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 2000 }), fc.integer({ min: 12, max: 200 }), (levels, most) => {
        expect(cellWidth(treePrefix(levels, strokes, most))).toBeLessThanOrEqual(most);
      }),
    );
  });
});
