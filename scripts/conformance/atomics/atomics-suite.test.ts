import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PROGRAMS_DIRECTORY } from '../programs.ts';
import type { CaseResult } from '../suite.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { runAtomics } from './atomics-suite.ts';
import { whyNoAtomics } from './run-atomic.ts';

const isBuilt = existsSync(join(PROGRAMS_DIRECTORY, 'executor.js'));
const why = isBuilt ? whyNoAtomics() : `no programs in ${PROGRAMS_DIRECTORY}; run pnpm build`;
if (why !== null) console.log(`SKIPPED: techniques are not done for real: ${why}`);

/** A rule and techniques of its own, in the form of the published ones. */
const RULE = `title: Naps in a shell
id: 11111111-2222-4333-8444-555555555555
status: test
level: low
logsource: { product: linux, category: process_creation }
detection:
  selection: { Image|endswith: '/sleep', CommandLine|contains: '0.2' }
  condition: selection
`;
const TECHNIQUE = { executor: 'sh', prereqs: [], cleanup: null, expect_child: ['naps'] };
const TECHNIQUES = [
  {
    ...TECHNIQUE,
    id: 'seen',
    name: 'Naps',
    command: 'test "$(id -u)" = 65534 && touch /tmp/x && sleep 0.2; true',
  },
  { ...TECHNIQUE, id: 'quiet', name: 'Does not', command: 'sleep 0.1\n' },
];

// Other tests storm the whole host: then events are dropped, which is said, and an exec may be among them.
it.skipIf(why !== null)('a technique whose rules fire, and one whose rules do not [root, unshare]', { retry: 2 }, async () => {
  using home = temporaryDirectory('atomics-test', { open: true });
  mkdirSync(join(home.path, 'atomics'));
  mkdirSync(join(home.path, 'sigma/rules'), { recursive: true });
  writeFileSync(join(home.path, 'atomics/atomics.json'), JSON.stringify(TECHNIQUES));
  writeFileSync(join(home.path, 'sigma/rules/naps.yml'), RULE);
  const results: CaseResult[] = [];
  for await (const result of runAtomics({ corpora: home.path, programs: PROGRAMS_DIRECTORY }, ['kernel'])) results.push(result);
  expect(results).toEqual([
    { id: 'seen', detail: { name: 'Naps', fired: ['naps'], missing: [] } },
    { id: 'quiet', detail: { name: 'Does not', fired: [], missing: ['naps'] } },
    {
      id: 'techniques whose rules fire',
      problem: 'the expected rules fire for 1 of 2 techniques, not for 14',
      detail: { techniques: 2, withEvents: 1 },
    },
  ]);
});
