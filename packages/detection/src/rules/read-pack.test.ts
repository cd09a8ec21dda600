import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadRules } from './load.ts';
import { manifestText } from './pack-manifest.ts';
import { readPack, readPackContent } from './read-pack.ts';

let root = '';
let builtinDirectory = '';
let own = '';
let pack = '';
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'packs-')));
  builtinDirectory = join(root, 'builtin');
  own = join(root, 'own');
  pack = join(own, 'acme');
  mkdirSync(builtinDirectory);
  mkdirSync(pack, { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const QUERY = 'SELECT pid, start_time FROM processes\n';
const ruleText = (id: string, query = `query: ${QUERY}`): string =>
  `id: ${id}\nname: N\ndescription: D\nseverity: low\ncategory: c\nversion: 1\n${query}`;
const sumOf = (text: string): string => createHash('sha256').update(text).digest('hex');

function put(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

/** Writes files and a manifest that lists them as they are. */
function putPack(directory: string, files: Readonly<Record<string, string>>, about: { name?: string; version?: string } = {}): void {
  for (const [file, text] of Object.entries(files)) put(join(directory, file), text);
  const list = Object.entries(files).map(([file, text]) => ({ file, sha256: sumOf(text) }));
  put(join(directory, 'pack.yaml'), manifestText({ name: 'acme', version: '1.4.0', description: 'D', ...about, files: list }));
}

const FILES = {
  'a.yaml': ruleText('a'),
  'a.case.yaml': '- { name: quiet, matches: [] }\n',
  'sub/b.yml': ruleText('b', ''),
  'sub/b.sql': QUERY,
};

const load = (directories: readonly string[] = [own]): ReturnType<typeof loadRules> => loadRules({ builtinDirectory, directories });
const ids = (directories?: readonly string[]): readonly string[] => load(directories).rules.map(({ id }) => id);
const LEFT_OUT = { message: 'None of the rules of the pack acme@1.4.0 is loaded' };

describe('a pack that holds', () => {
  test('is loaded beside other rules, and its rules know it', () => {
    putPack(pack, FILES);
    put(join(own, 'x.yaml'), ruleText('x'));
    const { rules, problems } = load();
    expect(problems).toEqual([]);
    expect(rules.map(({ id, pack: of, packManifest }) => [id, of, packManifest])).toEqual([
      ['a', 'acme@1.4.0', join(pack, 'pack.yaml')],
      ['b', 'acme@1.4.0', join(pack, 'pack.yaml')],
      ['x', undefined, undefined],
    ]);
    expect(rules[1]).toMatchObject({
      sql: QUERY.trimEnd(),
      sourcePath: join(pack, 'sub/b.yml'),
      places: { sqlFile: join(pack, 'sub/b.sql') },
    });
  });

  test('may be the configured directory itself, also by a link', () => {
    putPack(own, FILES);
    symlinkSync(own, join(root, 'link'));
    expect([ids(), ids([join(root, 'link')])]).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
  });

  test('may have hidden files and files of other kinds beside its rules', () => {
    putPack(pack, FILES);
    for (const name of ['README.md', '.hidden.yaml', '.git/c.yaml', 'sub/LICENSE']) put(join(pack, name), 'text');
    expect(load().problems).toEqual([]);
  });
});

describe('nothing of a pack is loaded, and the others are', () => {
  beforeEach(() => {
    putPack(pack, FILES);
    put(join(own, 'x.yaml'), ruleText('x'));
  });
  const expectLeftOut = (...problems: readonly object[]): void => {
    const loaded = load();
    expect(loaded.rules.map(({ id }) => id)).toEqual(['x']);
    expect(loaded.problems).toMatchObject([...problems, { file: join(pack, 'pack.yaml'), ...LEFT_OUT }]);
  };

  test.each(Object.entries(FILES))('where %s is not as it was', (name, text) => {
    const was = sumOf(text);
    const changed = `${text}# changed\n`;
    const file = put(join(pack, name), changed);
    const line = 5 + Object.keys(FILES).indexOf(name);
    expectLeftOut({
      file,
      message: `Its SHA-256 is not the one of the manifest of acme@1.4.0: expected ${was} (pack.yaml:${line}), found ${sumOf(changed)}`,
      hint: expect.stringContaining(`sentinelcli rules pack ${pack} --pack-version 1.4.1 writes the manifest anew`),
    });
  });

  test.each(Object.keys(FILES))('where %s is not there', (name) => {
    rmSync(join(pack, name));
    const { rules, problems } = load();
    expect(rules.map(({ id }) => id)).toEqual(['x']);
    expect(problems).toContainEqual(
      expect.objectContaining({
        file: join(pack, name),
        message: expect.stringMatching(/lists this file \(pack.yaml:\d\), and it is not there/),
      }),
    );
  });

  test.each(['c.yaml', 'sub/c.yml', 'a.sql', 'c.case.yaml'])('where %s is not listed', (name) => {
    const file = put(join(pack, name), ruleText('c'));
    expect(load().rules.map(({ id }) => id)).toEqual(['x']);
    expect(load().problems[0]).toMatchObject({
      file,
      message: expect.stringContaining(`does not list this file, which has the SHA-256 ${sumOf(ruleText('c'))}`),
    });
  });

  test('where one of its rules cannot be loaded, or two have one id', () => {
    putPack(pack, { ...FILES, 'c.yaml': 'id: [\n' });
    expectLeftOut({ file: join(pack, 'c.yaml'), line: 2 });
    putPack(pack, { ...FILES, 'c.yaml': ruleText('a') });
    expectLeftOut({ file: join(pack, 'c.yaml'), line: 1, ruleId: 'a', message: expect.stringContaining(join(pack, 'a.yaml')) });
  });

  test('where the manifest cannot be read', () => {
    put(join(pack, 'pack.yaml'), 'name: acme\nversion: "1"\nfiles: [\n');
    const { rules, problems } = load();
    expect(rules.map(({ id }) => id)).toEqual(['x']);
    expect(problems).toMatchObject([{ file: join(pack, 'pack.yaml'), line: 4 }, { message: 'None of the rules of this pack is loaded' }]);
  });

  test('where a link lies in it, wherever that leads', () => {
    const outside = put(join(root, 'elsewhere.yaml'), FILES['a.yaml']);
    rmSync(join(pack, 'a.yaml'));
    symlinkSync(outside, join(pack, 'a.yaml'));
    expectLeftOut({ file: join(pack, 'a.yaml'), message: expect.stringContaining('A link lies in the pack') });
    rmSync(join(pack, 'a.yaml'));
    put(join(pack, 'a.yaml'), FILES['a.yaml']);
    rmSync(join(pack, 'sub'), { recursive: true });
    for (const name of ['b.yml', 'b.sql'] as const) put(join(root, 'sub', name), FILES[`sub/${name}`]);
    symlinkSync(join(root, 'sub'), join(pack, 'sub'));
    expect(load().problems.map(({ file }) => file)).toEqual([join(pack, 'sub/b.yml'), join(pack, 'sub/b.sql'), join(pack, 'pack.yaml')]);
  });

  test('where its manifest is a link', () => {
    const outside = put(join(root, 'pack.yaml'), manifestText({ name: 'a', version: '1', description: 'D', files: [] }));
    rmSync(join(pack, 'pack.yaml'));
    symlinkSync(outside, join(pack, 'pack.yaml'));
    expect(ids()).toEqual(['x']);
    expect(load().problems[0]).toMatchObject({ file: join(pack, 'pack.yaml'), message: expect.stringMatching(/ELOOP/) });
  });

  test('where everybody may write a file or directory of it', () => {
    chmodSync(join(pack, 'sub/b.sql'), 0o666);
    expectLeftOut({ file: join(pack, 'sub/b.sql'), message: expect.stringMatching(/every user/) });
    chmodSync(join(pack, 'sub/b.sql'), 0o644);
    chmodSync(join(pack, 'sub'), 0o777);
    expect([ids(), load().problems[0]]).toMatchObject([['x'], { file: join(pack, 'sub'), message: expect.stringMatching(/every user/) }]);
  });

  test('where another manifest lies in it', () => {
    putPack(join(pack, 'inner'), {}, { name: 'inner' });
    expectLeftOut({ file: join(pack, 'inner/pack.yaml'), message: 'A manifest lies within another pack' });
  });

  test('where directories are deeper than three levels', () => {
    put(join(pack, '1/2/3/c.yaml'), ruleText('c'));
    expectLeftOut({ file: join(pack, '1/2/3'), message: expect.stringMatching(/Deeper than 3 levels/) });
  });

  test('where a rule or a case is too large', () => {
    const [rule, cases] = [`${ruleText('c')}#${'x'.repeat(65_536)}`, `#${'x'.repeat(262_144)}`];
    putPack(pack, { ...FILES, 'c.yaml': rule, 'c.case.yaml': cases });
    expectLeftOut({ file: join(pack, 'c.case.yaml'), message: expect.stringMatching(/262144/) }, { file: join(pack, 'c.yaml') });
  });

  test('of many faults the first are told, and how many there are', () => {
    for (let number = 0; number < 25; number++) put(join(pack, `z${number}.yaml`), ruleText(`z${number}`));
    const { problems } = load();
    expect(problems).toHaveLength(21);
    expect(problems.at(-1)?.message).toBe('None of the rules of the pack acme@1.4.0 is loaded (5 more faults are not shown)');
  });

  test('of more files than a pack may hold not all are read', () => {
    for (let number = 0; number < 2_001; number++) put(join(pack, `z${number}.yaml`), '');
    const read = readPack(pack, 'file', 'configured');
    expect([read.rules, read.problems[0]]).toMatchObject([[], { file: pack, message: 'More than 2000 rule files are in the pack' }]);
  });
});

describe('packs among each other', () => {
  test('a pack with an id that is taken is left out whole, and takes no id away', () => {
    put(join(builtinDirectory, 'b.yaml'), ruleText('b'));
    putPack(pack, FILES);
    putPack(join(own, 'other'), { 'a.yaml': ruleText('a') }, { name: 'other' });
    const { rules, problems } = load();
    expect(rules.map(({ id, pack: of }) => [id, of])).toEqual([
      ['b', undefined],
      ['a', 'other@1.4.0'],
    ]);
    expect(problems).toMatchObject([{ file: join(pack, 'sub/b.yml'), ruleId: 'b', key: 'id' }, LEFT_OUT]);
  });

  test('of two packs of one name the first is loaded, and one that is named twice once', () => {
    putPack(pack, FILES);
    putPack(join(own, 'newer'), { 'c.yaml': ruleText('c') }, { version: '2.0' });
    const other = {
      file: join(own, 'newer/pack.yaml'),
      message: expect.stringContaining(`already loaded, from ${join(pack, 'pack.yaml')}`),
    };
    expect([ids(), load().problems]).toMatchObject([['a', 'b'], [other]]);
    const again = load([pack, pack]);
    expect([again.rules.map(({ id }) => id), again.problems]).toMatchObject([['a', 'b'], [{ file: join(pack, 'pack.yaml') }]]);
  });

  test('a pack further down is not read, and said so', () => {
    putPack(join(own, 'vendors/acme'), FILES);
    expect([ids(), load().problems]).toMatchObject([
      [],
      [{ file: join(own, 'vendors/acme'), message: 'A pack lies too deep, and was not read' }],
    ]);
  });
});

test('what lies in a directory is described whatever its manifest says', () => {
  putPack(pack, FILES);
  put(join(pack, 'c.yaml'), ruleText('c'));
  put(join(pack, 'pack.yaml'), 'nonsense');
  const { files, rules, problems } = readPackContent(pack, 'configured');
  expect(problems).toEqual([]);
  expect(rules.map(({ id }) => id)).toEqual(['a', 'c', 'b']);
  expect(files.map(({ file }) => file)).toEqual(['a.case.yaml', 'a.yaml', 'c.yaml', 'sub/b.sql', 'sub/b.yml']);
  expect(files[1]).toEqual({ file: 'a.yaml', sha256: sumOf(FILES['a.yaml']) });
});
