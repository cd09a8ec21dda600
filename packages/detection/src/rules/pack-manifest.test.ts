import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatLoadProblem } from './load-problem.ts';
import { MAX_MANIFEST_BYTES, MAX_PACK_FILES, faultOfValue, manifestText, readManifest, type PackManifest } from './pack-manifest.ts';

const SUM = 'a1'.repeat(32);
const HEAD = 'name: acme\nversion: "1.4.0"\ndescription: D\n';
const listing = (file: string, sum = SUM): string => `files:\n  - { file: ${file}, sha256: "${sum}" }\n`;

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'manifest-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const at = (): string => join(directory, 'pack.yaml');
const read = (text: string | Uint8Array): ReturnType<typeof readManifest> => {
  writeFileSync(at(), text);
  return readManifest(directory, 'configured');
};

/** The problems of a text, without the path before the line. */
function problemsOf(text: string | Uint8Array): readonly string[] {
  const manifest = read(text);
  return manifest.ok ? [] : manifest.problems.map((problem) => formatLoadProblem(problem).replace(`${at()}:`, ''));
}

test('a manifest is read, and what is written reads back as the same', () => {
  const manifest: PackManifest = {
    name: 'acme-2',
    version: '1.10',
    description: 'Quotes " and \\ and \': # - { é',
    author: 'A. N. Other',
    licence: 'DRL 1.1',
    files: [
      { file: 'a.yaml', sha256: SUM },
      { file: 'sub/deep er/- "odd": name.case.yml', sha256: '0'.repeat(64) },
    ],
  };
  expect(read(manifestText(manifest))).toMatchObject({ ok: true, manifest });
  const plain = read(`${HEAD}${listing('a.sql', SUM.toUpperCase())}`);
  expect(plain.ok && plain.manifest).toEqual({
    name: 'acme',
    version: '1.4.0',
    description: 'D',
    files: [{ file: 'a.sql', sha256: SUM }],
  });
  expect(plain.ok && plain.lineOf('a.sql')).toBe(5);
});

test('the largest list is read, and one more is refused', () => {
  const files = Array.from({ length: MAX_PACK_FILES + 1 }, (_, number) => ({ file: `${number}.yaml`, sha256: SUM }));
  const about = { name: 'a', version: '1', description: 'D' };
  expect(read(manifestText({ ...about, files: files.slice(1) }))).toMatchObject({ ok: true });
  expect(problemsOf(manifestText({ ...about, files }))).toEqual([expect.stringContaining('it has more than 2000 entries')]);
  expect(problemsOf(`${HEAD}${listing('a.yaml')}#${'x'.repeat(MAX_MANIFEST_BYTES)}`)).toEqual([
    expect.stringContaining('larger than 262144 bytes'),
  ]);
});

test.each([
  ['a second document', `${HEAD}${listing('a.yaml')}---\nname: x\n`, '6:1: A second document'],
  ['an alias', `${HEAD}author: &a X\nlicence: *a\n${listing('a.yaml')}`, '5:10: An alias'],
  ['a tag', `${HEAD}author: !!binary X\n${listing('a.yaml')}`, '4:9: A tag'],
  ['a repeated key', `${HEAD}name: other\n${listing('a.yaml')}`, '4:1: The same key is given twice'],
  ['a control character', `${HEAD}author: \u0007\n${listing('a.yaml')}`, '4:9: A control character'],
  ['depth', `${HEAD}files: ${'['.repeat(5000)}`, '4:'],
  ['broken brackets', `${HEAD}files: [{ file: a.yaml\n`, '5:1: Not valid YAML'],
  ['nothing', '# nothing\n', '1:1: The manifest is empty'],
  ['a list', '- a\n', '1:1: The file does not hold what it should'],
  ['an unknown key', `${HEAD}license: MIT\n${listing('a.yaml')}`, '4:1: Unknown key "license". Did you mean "licence"?'],
  ['an unknown key of a file', `${HEAD}files: [{ file: a.yaml, sha256: "${SUM}", md5: x }]\n`, '4:'],
  ['a missing key', `name: acme\nversion: "1"\n${listing('a.yaml')}`, '1:1: The key "description" is missing'],
  [
    'a version that YAML takes for a number',
    `name: a\nversion: 1.10\ndescription: D\n${listing('a.yaml')}`,
    '2:10: "version" is not right: it is not a text. Dotted numbers between quotes',
  ],
  [
    'a version of words',
    `name: a\nversion: 1.4.0-rc1\ndescription: D\n${listing('a.yaml')}`,
    '2:10: "version" is not right: it is not one to four',
  ],
  ['a name that leads elsewhere', `name: ../a\nversion: "1"\ndescription: D\n${listing('a.yaml')}`, '1:7: "name" is not right'],
  ['a description of two lines', `name: a\nversion: "1"\ndescription: "a\\nb"\n${listing('a.yaml')}`, '3:14: "description" is not right'],
  ['a path upwards', HEAD + listing('sub/../../a.yaml'), '5:13: "file" is not right: it leads out of the pack'],
  ['an absolute path', HEAD + listing('/etc/a.yaml'), '5:13: "file" is not right: it is not relative'],
  ['a hidden path', HEAD + listing('.git/a.yaml'), '5:13: "file" is not right: a part of it is empty or hidden'],
  ['a path with an empty part', HEAD + listing('a//b.yaml'), '5:13: "file" is not right: a part of it is empty or hidden'],
  ['a deep path', HEAD + listing('a/b/c/d.yaml'), '5:13: "file" is not right: it is deeper than 3 levels'],
  ['a long path', HEAD + listing(`${'a'.repeat(300)}.yaml`), '5:13: "file" is not right: it is longer than 300'],
  ['a path that a terminal would obey', HEAD + listing('"a\\e[2J.yaml"'), '5:13: "file" is not right: it holds'],
  ['the manifest itself', HEAD + listing('pack.yaml'), '5:13: "file" is not right: it names no rule file'],
  ['a file of another kind', HEAD + listing('run.sh'), '5:13: "file" is not right: it names no rule file'],
  ['a short checksum', HEAD + listing('a.yaml', 'abc'), '"sha256" is not right: it is not 64'],
  ['no files', `${HEAD}files: []\n`, '4:8: "files" is not right: it is empty'],
  [
    'a file listed twice',
    `${HEAD}${listing('a.yaml')}  - { file: a.yaml, sha256: "${SUM}" }\n`,
    '6:13: "file" is not right: the file is listed twice',
  ],
])('%s is refused with its line', (_, text, expected) => {
  expect(problemsOf(text)[0]).toContain(expected);
});

test('what is no ordinary file of text is refused', () => {
  expect(problemsOf(Buffer.from('name: \xff', 'latin1'))).toEqual([expect.stringContaining('not UTF-8')]);
  rmSync(at());
  symlinkSync('/etc/hostname', at());
  expect(readManifest(directory, 'configured')).toMatchObject({ ok: false, problems: [{ file: at() }] });
});

test('single values are held to the same', () => {
  expect([faultOfValue('name', 'acme'), faultOfValue('version', '1.4.0'), faultOfValue('description', 'D')]).toEqual([null, null, null]);
  for (const [key, value] of [
    ['name', 'Acme'],
    ['name', '-'],
    ['version', '1.x'],
    ['description', ' '],
    ['description', 'a\u202eb'],
  ] as const)
    expect([value, faultOfValue(key, value)]).toEqual([value, expect.stringMatching(/^it /)]);
});
