import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { locateCorpora, missingFiles } from '../corpora.ts';
import type { CaseResult } from '../suite.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { REFUSED_ON_PURPOSE } from './refused-on-purpose.ts';
import { sigmaSuite } from './sigma-suite.ts';

const corpora = locateCorpora(undefined);
const hasCorpus = missingFiles(corpora, sigmaSuite.needs).length === 0;
if (!hasCorpus) console.log(`SKIPPED: no Sigma corpus at ${corpora}; set SENTINELD_CORPORA`);

async function collect(directory: string): Promise<ReadonlyMap<string, CaseResult>> {
  const results = new Map<string, CaseResult>();
  for await (const result of sigmaSuite.run({ corpora: directory, programs: '/nowhere' })) results.set(result.id, result);
  return results;
}

const idOf = (number: number): string => `00000000-0000-0000-0000-00000000000${number}`;
const ruleOf = (id: string, product: string, selection: string): string =>
  `title: t\nid: ${id}\nlogsource: {product: ${product}, category: process_creation}\ndetection:\n  s: {${selection}}\n  condition: s\n`;
const [purposely = ''] = REFUSED_ON_PURPOSE.keys();

const EVENT = {
  pid: 1,
  ppid: 0,
  name: 'nc',
  Image: '/bin/nc',
  argv: ['nc', '-e'],
  ParentImage: null,
  ParentCommandLine: null,
  User: 'root',
};

describe('the suite with cases of its own', () => {
  const own = temporaryDirectory('conformance-own');
  beforeAll(() => {
    const rules = {
      'found.yml': ruleOf(idOf(1), 'linux', "Image|endswith: '/nc', User: root"),
      'allowed.yml': ruleOf(idOf(2), 'linux', 'CommandLine: nc -e'),
      'missed.yml': ruleOf(idOf(3), 'linux', 'CommandLine: nc'),
      'extra.yml': ruleOf(idOf(4), 'linux', 'Image|re: nc'),
      'refused.yml': ruleOf(idOf(5), 'linux', 'Hashes: x'),
      'invalid.yml': ruleOf(idOf(6), 'linux', "Image|re: '('"),
      'listed.yml': ruleOf(purposely, 'linux', 'CurrentDirectory: x'),
    };
    mkdirSync(join(own.path, 'sigma/rules'), { recursive: true });
    mkdirSync(join(own.path, 'sigma/windows-rules'));
    for (const [name, text] of Object.entries(rules)) writeFileSync(join(own.path, 'sigma/rules', name), text);
    writeFileSync(join(own.path, 'sigma/windows-rules/w.yml'), ruleOf(idOf(1), 'windows', 'Company: x'));
    const events = [
      { ...EVENT, expect: [idOf(1), idOf(3)], expect_invoked: [idOf(2)] },
      { ...EVENT, Image: '/bin/ls', argv: ['ls'], User: 'a', expect: [], expect_invoked: [] },
    ];
    writeFileSync(join(own.path, 'sigma/events.jsonl'), events.map((event) => `${JSON.stringify(event)}\n`).join(''));
    const windows = { fields: { Company: 'X', ProcessId: 1 }, expect: [idOf(1)] };
    writeFileSync(join(own.path, 'sigma/windows-regression.jsonl'), JSON.stringify(windows));
  });
  afterAll(() => own[Symbol.dispose]());

  it('sees what is missed, found too often, refused and invalid', async () => {
    const results = await collect(own.path);
    const problems = new Map([...results].map(([id, { problem }]) => [id, problem]));
    expect(['found', 'allowed', 'listed'].map((name) => problems.get(`linux ${name}.yml`))).toEqual([undefined, undefined, undefined]);
    expect(problems.get('linux missed.yml')).toBe('it misses 1 events: lines 1');
    expect(problems.get('linux extra.yml')).toBe('it finds 1 events that it should not: lines 1');
    expect(problems.get('linux refused.yml')).toMatch(/^it is refused: Hashes: the field cannot be answered/);
    expect(problems.get('linux invalid.yml')).toMatch(/^the validator refuses it: pattern: /);
    expect(results.get('linux rules together')?.detail).toEqual({ rules: 7, converted: 4, pairs: 2, found: 1, extra: 1 });
    expect(problems.get('windows w.yml')).toBeUndefined();
  });

  it('sees a rule that is no longer refused, and one that is for another reason', async () => {
    const file = join(own.path, 'sigma/rules/listed.yml');
    writeFileSync(file, ruleOf(purposely, 'linux', 'Image: x'));
    expect((await collect(own.path)).get('linux listed.yml')?.problem).toMatch(/the list of refused rules has it/);
    writeFileSync(file, ruleOf(purposely, 'linux', 'Hashes: x'));
    expect((await collect(own.path)).get('linux listed.yml')?.problem).toMatch(/refused, but not for CurrentDirectory: Hashes/);
  });
});

describe.skipIf(!hasCorpus)(`the suite with the corpus${hasCorpus ? '' : ' (needs the corpora)'}`, () => {
  it('converts what can be converted, which finds all that it has to and nothing else', { timeout: 60_000 }, async () => {
    const results = await collect(corpora);
    expect([...results.values()].filter(({ problem }) => problem !== undefined)).toEqual([]);
    expect(results.get('linux rules together')?.detail).toEqual({ rules: 144, converted: 141, pairs: 661, found: 661, extra: 0 });
    expect(results.get('windows rules together')?.detail).toEqual({ rules: 101, converted: 101, pairs: 137, found: 137, extra: 0 });
  });
});
