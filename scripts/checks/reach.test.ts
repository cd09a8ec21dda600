import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createFixture } from './fixture.ts';
import { checkReach } from './reach.ts';

const FILES = {
  'packages/procmond/src/main.ts': "import './run.ts';\nimport type { T } from './only-a-type.ts';\nexport const t: T = 1;\n",
  'packages/procmond/src/run.ts': "import 'node:fs';\nimport pino from 'pino';\nexport const log = pino;\n",
  'packages/procmond/src/only-a-type.ts': "import 'node:os';\nexport type T = 1;\n",
  'packages/procmond/src/hash-worker.ts': "import 'node:crypto';\n",
  'packages/procmond/src/hash-worker.test.ts': "import 'vitest';\n",
};

const LIST = `# All that procmond can reach; in brackets who imports it. Made by: pnpm reach --write

Starts at
  packages/procmond/src/main.ts
  packages/procmond/src/hash-worker.ts

Files
  packages/procmond/src/hash-worker.ts
  packages/procmond/src/main.ts
  packages/procmond/src/run.ts

npm packages
  pino  (procmond)

Node modules
  node:crypto  (procmond)
  node:fs  (procmond)
  node:worker_threads  (pino)
`;

function readList(root: string): string {
  return readFileSync(join(root, 'scripts/checks/reach/procmond.txt'), 'utf8');
}

describe('checkReach', () => {
  it('writes what is reached, and is then content', async () => {
    using fixture = createFixture(FILES);
    mkdirSync(join(fixture.root, 'scripts/checks/reach'), { recursive: true });
    expect(await checkReach(fixture.root, true)).toEqual([]);
    expect(readList(fixture.root)).toBe(LIST);
    expect(await checkReach(fixture.root, false)).toEqual([]);
  });

  it('names what came and what went', async () => {
    using fixture = createFixture({
      ...FILES,
      'scripts/checks/reach/procmond.txt': LIST,
      'packages/procmond/src/run.ts': "import 'node:fs';\nimport 'loud';\n",
    });
    const findings = await checkReach(fixture.root, false);
    expect(findings.map(({ message }) => message)).toEqual([
      '- pino  (procmond)',
      '- node:worker_threads  (pino)',
      '+ loud  (procmond)',
      '+ node:https  (loud)',
    ]);
  });

  it('does not pass where there is no program', async () => {
    using fixture = createFixture({ 'packages/model/src/a.ts': 'export {};\n' });
    expect(await checkReach(fixture.root, false)).toEqual([
      { rule: 'reach', file: 'packages/procmond/src/main.ts', message: 'does not exist, so nothing is known of what procmond can reach' },
    ]);
  });
});
