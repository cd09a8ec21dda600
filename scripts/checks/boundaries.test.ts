import { describe, expect, it } from 'vitest';
import { checkBoundaries } from './boundaries.ts';
import { createFixture } from './fixture.ts';

type Files = Readonly<Record<string, string>>;

async function rulesBrokenBy(files: Files): Promise<string[]> {
  using fixture = createFixture(files);
  const { findings } = await checkBoundaries(fixture.root);
  return [...new Set(findings.map(({ rule }) => rule))].toSorted();
}

const at = (path: string, ...imports: string[]): Files => ({
  [`packages/${path}`]:
    imports
      .map((name, index) => `import * as m${String(index)} from '${name}';\nexport const v${String(index)} = m${String(index)};\n`)
      .join('') || 'export {};\n',
});

/** A workspace in which every zone imports all it may. */
const CLEAN: Files = {
  ...at('model/src/word.ts'),
  ...at('native/src/addon.ts', 'node:fs'),
  ...at('runtime/src/log/logger.ts', 'pino', 'node:fs', 'node:process', '@sentineld/model/word', '@sentineld/native/addon'),
  ...at('runtime/src/ipc/server.ts', 'node:net', 'node:fs'),
  ...at('store/src/open.ts', 'node:sqlite', '@sentineld/runtime/log/logger'),
  ...at('store/src/events/writer.ts', 'better-sqlite3', '../open.ts'),
  ...at('store/src/events/compact.ts', './writer.ts'),
  ...at('store/src/ledger/writer.ts', 'better-sqlite3'),
  ...at('store/src/agent/writer.ts', 'better-sqlite3'),
  ...at('detection/src/sql/executor-client.ts', 'node:child_process', 'node:crypto'),
  ...at('detection/src/sql/spawner-main.ts', 'node:child_process'),
  ...at('detection/src/sql/executor-main.ts', '@sentineld/store/open'),
  ...at('procmond/src/hash-worker.ts', 'node:worker_threads', 'node:fs/promises'),
  ...at('procmond/src/sources/macos-ps.ts', 'node:child_process'),
  ...at('procmond/src/main.ts', '@sentineld/runtime/ipc/server', './hash-worker.ts', './sources/macos-ps.ts'),
  ...at('procmond/src/batch.ts', '@sentineld/store/events/writer', '@sentineld/store/ledger/writer'),
  ...at('sentinelagent/src/pipeline.ts', './detect/run.ts', './decide/judge.ts', './deliver/send.ts', 'node:https'),
  ...at('sentinelagent/src/detect/run.ts', '@sentineld/detection/sql/executor-client'),
  ...at('sentinelagent/src/decide/judge.ts', '@sentineld/store/agent/writer'),
  ...at('sentinelagent/src/deliver/send.ts', 'node:tls'),
  ...at('sentinelcli/src/main.ts', '@sentineld/store/open', 'node:readline/promises', 'node:tty'),
  ...at('testing/src/fakes/clock.ts', 'node:dgram', '@sentineld/procmond/main'),
  ...at('model/src/word.test.ts', 'vitest', './word.ts', 'node:http', '@sentineld/testing/fakes/clock'),
};

describe('checkBoundaries', () => {
  it('finds nothing where every zone keeps to its own', async () => {
    using fixture = createFixture(CLEAN);
    const result = await checkBoundaries(fixture.root);
    expect(result).toEqual({ findings: [], modules: Object.keys(CLEAN).length });
  });

  const broken: readonly (readonly [rule: string, what: string, files: Files])[] = [
    ['zone-pure-imports', 'model imports runtime', at('model/src/a.ts', '@sentineld/runtime/log/logger')],
    ['zone-native-imports', 'native imports store', at('native/src/a.ts', '@sentineld/store/open')],
    ['zone-disk-imports', 'store imports detection', at('store/src/a.ts', '@sentineld/detection/sql/executor-main')],
    ['zone-analysis-imports', 'detection imports native', at('detection/src/a.ts', '@sentineld/native/addon')],
    ['zone-privileged-imports', 'procmond imports detection', at('procmond/src/a.ts', '@sentineld/detection/sql/executor-main')],
    ['zone-network-imports', 'sentinelagent imports procmond', at('sentinelagent/src/a.ts', '@sentineld/procmond/hash-worker')],
    ['zone-show-imports', 'sentinelcli imports sentinelagent', at('sentinelcli/src/a.ts', '@sentineld/sentinelagent/decide/judge')],
    [
      'zone-privileged-imports',
      'a type crosses too',
      { 'packages/procmond/src/a.ts': "import type { v0 } from '@sentineld/detection/sql/executor-main';\nexport type A = typeof v0;\n" },
    ],
    ['zone-pure-node-modules', 'model reads files', at('model/src/a.ts', 'node:fs')],
    ['zone-pure-node-modules', 'model reads the process', at('model/src/a.ts', 'node:process')],
    ['zone-native-node-modules', 'native opens sockets', at('native/src/a.ts', 'node:net')],
    ['zone-disk-node-modules', 'net outside runtime/src/ipc', at('runtime/src/a.ts', 'node:net')],
    ['zone-disk-node-modules', 'without the prefix', at('runtime/src/a.ts', 'net')],
    ['zone-disk-node-modules', 'more than net in runtime/src/ipc', at('runtime/src/ipc/a.ts', 'node:stream')],
    [
      'zone-disk-node-modules',
      'getBuiltinModule',
      { 'packages/runtime/src/a.ts': "export const net = process.getBuiltinModule('node:net');\n" },
    ],
    ['zone-analysis-node-modules', 'child_process outside the spawner', at('detection/src/sql/a.ts', 'node:child_process')],
    ['zone-privileged-node-modules', 'worker_threads outside the hash worker', at('procmond/src/a.ts', 'node:worker_threads')],
    ['zone-privileged-node-modules', 'child_process in a Linux source', at('procmond/src/sources/linux-proc.ts', 'node:child_process')],
    ['zone-privileged-node-modules', 'net in procmond itself', at('procmond/src/a.ts', 'node:net')],
    ['zone-show-node-modules', 'sentinelcli opens sockets itself', at('sentinelcli/src/a.ts', 'node:net')],
    ['sqlite-only-in-store', 'node:sqlite in detection', at('detection/src/a.ts', 'node:sqlite')],
    ['sqlite-only-in-store', 'better-sqlite3 in the agent', at('sentinelagent/src/a.ts', 'better-sqlite3')],
    ['writer-owner', 'the agent imports the events writer', at('sentinelagent/src/a.ts', '@sentineld/store/events/writer')],
    ['writer-owner', 'the agent imports the ledger writer', at('sentinelagent/src/a.ts', '@sentineld/store/ledger/writer')],
    ['writer-owner', 'procmond imports the agent writer', at('procmond/src/a.ts', '@sentineld/store/agent/writer')],
    ['writer-owner', 'another folder of store imports a writer', at('store/src/scratch.ts', './events/writer.ts')],
    [
      'writer-reach',
      'the command line reaches a writer through a third file',
      at('sentinelcli/src/a.ts', '@sentineld/store/events/compact'),
    ],
    ['one-sqlite-per-program', 'procmond loads node:sqlite', at('procmond/src/main.ts', '@sentineld/store/open')],
    ['one-sqlite-per-program', 'the command line loads better-sqlite3', at('sentinelcli/src/main.ts', '@sentineld/store/ledger/writer')],
    ['stages-apart', 'detect imports deliver', at('sentinelagent/src/detect/a.ts', '../deliver/send.ts')],
    ['stages-apart', 'deliver imports decide', at('sentinelagent/src/deliver/a.ts', '../decide/judge.ts')],
    ['stages-below-pipeline', 'decide imports the pipeline', at('sentinelagent/src/decide/a.ts', '../pipeline.ts')],
    ['no-cycle', 'two files import each other', { ...at('model/src/a.ts', './b.ts'), ...at('model/src/b.ts', './a.ts') }],
    [
      'no-cycle',
      'two files know each other by type only',
      {
        'packages/model/src/a.ts': "import type { B } from './b.ts';\nexport type A = { b: B };\n",
        'packages/model/src/b.ts': "import type { A } from './a.ts';\nexport type B = { a?: A };\n",
      },
    ],
    ['shipped-not-testing', 'runtime imports a fake', at('runtime/src/a.ts', '@sentineld/testing/fakes/clock')],
    ['shipped-not-testing', 'runtime imports a test', at('runtime/src/a.ts', '@sentineld/model/word.test')],
    ['shipped-no-dev-packages', 'runtime imports vitest', at('runtime/src/a.ts', 'vitest')],
    ['sealed-zones-reach', 'runtime imports http', at('runtime/src/a.ts', 'node:http')],
    ['sealed-zones-reach', 'procmond reaches https through an npm package', at('procmond/src/a.ts', 'loud')],
    ['sealed-zones-reach', 'model reaches worker_threads through an npm package', at('model/src/a.ts', 'threaded')],
    [
      'sealed-zones-reach',
      'only when asked for',
      { 'packages/procmond/src/a.ts': "export const later = (): Promise<unknown> => import('loud');\n" },
    ],
    ['package-without-zone', 'a new package', { 'packages/novel/src/a.ts': 'export {};\n' }],
    ['resolves', 'a file that is not there', at('model/src/a.ts', './missing.ts')],
    ['resolves-to-source', 'built JavaScript', { ...at('runtime/src/a.ts', '../dist/b.js'), 'packages/runtime/dist/b.js': 'export {};\n' }],
  ];
  it.each(broken)('%s: %s', async (rule, _what, files) => {
    expect(await rulesBrokenBy({ ...CLEAN, ...files })).toContain(rule);
  });

  it('names the way to what may not be reached', async () => {
    using fixture = createFixture({ ...CLEAN, ...at('procmond/src/a.ts', 'loud') });
    const { findings } = await checkBoundaries(fixture.root);
    expect(findings).toEqual([
      {
        rule: 'sealed-zones-reach',
        file: 'packages/procmond/src/a.ts',
        message: 'packages/procmond/src/a.ts -> node_modules/loud/index.js -> node:https',
      },
    ]);
  });

  it('refuses to pass over a workspace in which it sees nothing', async () => {
    using fixture = createFixture({});
    await expect(checkBoundaries(fixture.root)).rejects.toThrow('nothing can be checked');
  });
});
