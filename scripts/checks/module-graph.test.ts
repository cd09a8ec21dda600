import { describe, expect, it } from 'vitest';
import { createFixture } from './fixture.ts';
import { findUnseenImports, pathTo, readModuleGraph, walkGraph } from './module-graph.ts';

const FILES = {
  'packages/model/src/a.ts':
    "import type { B } from './b.ts';\nimport 'node:fs';\nexport const later = (): Promise<unknown> => import('./c.ts');\nexport type A = B;\n",
  'packages/model/src/b.ts': "export type B = 'import x from y';\n",
  'packages/model/src/c.ts': "export { later } from './d.ts';\n",
  'packages/model/src/d.ts': 'export const later = 1;\n',
};
const A = 'packages/model/src/a.ts';

describe('readModuleGraph', () => {
  it('sees imports of types, of side effects, of re-exports and those made later', async () => {
    using fixture = createFixture(FILES);
    const { edges } = await readModuleGraph(fixture.root);
    expect(edges.get(A)).toEqual(
      expect.arrayContaining([
        { to: 'packages/model/src/b.ts', specifier: './b.ts', typeOnly: true },
        { to: 'packages/model/src/c.ts', specifier: './c.ts', typeOnly: false },
        { to: 'node:fs', specifier: 'fs', typeOnly: false },
      ]),
    );
  });

  it('walks, and tells the way', async () => {
    using fixture = createFixture(FILES);
    const graph = await readModuleGraph(fixture.root);
    const reached = walkGraph(graph, [A]);
    expect(pathTo(reached, 'packages/model/src/d.ts')).toEqual([A, 'packages/model/src/c.ts', 'packages/model/src/d.ts']);
    expect([...walkGraph(graph, [A], { skip: (_from, edge) => edge.typeOnly }).keys()]).not.toContain('packages/model/src/b.ts');
  });
});

describe('findUnseenImports', () => {
  it('names files and imports that are missing in a graph', () => {
    using fixture = createFixture(FILES);
    const sources = Object.keys(FILES);
    expect(findUnseenImports(fixture.root, sources, new Map())).toEqual(sources);
    const edges = new Map(sources.map((source) => [source, []]));
    expect(findUnseenImports(fixture.root, sources, edges)).toEqual([
      `${A} -> ./b.ts`,
      `${A} -> node:fs`,
      `${A} -> ./c.ts`,
      'packages/model/src/c.ts -> ./d.ts',
    ]);
  });
});
