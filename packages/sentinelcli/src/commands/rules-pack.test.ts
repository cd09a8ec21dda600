import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createInstallation, type Installation } from '../fixtures/installation.ts';

const ruleText = (id: string, where = "name = 'x'"): string =>
  `id: ${id}\nname: A rule\ndescription: finds x\nseverity: high\ncategory: execution\nversion: 1\ndedup: [pid]\nquery: |\n  SELECT pid FROM processes\n  WHERE ${where}\n`;

describe('rules pack and rules verify-pack', () => {
  let installation: Installation;
  let root: string;
  let directory: string;
  beforeEach(() => {
    installation = createInstallation();
    root = mkdtempSync(join(tmpdir(), 'scli-pack-'));
    directory = join(root, 'acme');
    mkdirSync(join(directory, 'sub'), { recursive: true });
    write('a.yaml', ruleText('a'));
    write('a.case.yaml', '- { name: quiet, matches: [] }\n');
    write('sub/b.yaml', ruleText('b'));
  });
  afterEach(async () => {
    await installation.close();
    rmSync(root, { recursive: true });
  });
  const write = (name: string, text: string): void => writeFileSync(join(directory, name), text);
  const manifest = (): string => readFileSync(join(directory, 'pack.yaml'), 'utf8');
  const pack = (...words: readonly string[]) => installation.run(['rules', 'pack', directory, ...words]);
  const verify = (...words: readonly string[]) => installation.run(['rules', 'verify-pack', directory, ...words]);
  const first = ['--name', 'acme', '--pack-version', '1.0.0', '--description', 'Rules of "acme"'];

  it('makes a pack that holds, that validates, and whose rules know it', async () => {
    const { status, out, err } = await pack(...first);
    expect([status, out, err]).toEqual([
      0,
      expect.stringMatching(/^acme@1\.0\.0 packed: 3 files, 2 rules\n {2}\S+\/acme\/pack\.yaml\n$/),
      '',
    ]);
    expect(statSync(join(directory, 'pack.yaml')).mode & 0o777).toBe(0o644);
    expect(await verify()).toEqual({ status: 0, out: 'acme@1.0.0 holds: 3 files, 2 rules\n', err: '' });
    expect(await installation.run(['rules', 'validate', root])).toMatchObject({ status: 0, out: '2 accepted, 0 refused\n' });
    const set = ['--set', `detection.rules_dirs=[${root}]`];
    const shown = await installation.run(['rules', 'show', 'b', '--json', ...set]);
    expect(JSON.parse(shown.out)).toMatchObject({ id: 'b', pack: 'acme@1.0.0' });
    expect((await installation.run(['rules', 'show', 'b', ...set])).out).toMatch(/\npack +acme@1\.0\.0\n/);
    expect(JSON.parse((await installation.run(['rules', 'show', 'memfd-exec', '--json', ...set])).out)).toMatchObject({ pack: null });
  });

  it('writes a manifest anew with a higher version, and keeps what else it says', async () => {
    await pack(...first);
    write('pack.yaml', manifest().replace('files:', 'author: A. N. Other\nlicence: DRL 1.1\nfiles:'));
    const before = manifest();
    expect(await pack()).toMatchObject({ status: 0, out: expect.stringMatching(/^acme@1\.0\.0 is packed already: 3 files/) });
    expect(manifest()).toBe(before);
    write('sub/b.yaml', ruleText('b', "name = 'y'"));
    expect(await verify()).toMatchObject({ status: 1 });
    for (const words of [[], ['--pack-version', '1.0.0'], ['--pack-version', '1.0'], ['--pack-version', '0.9']])
      expect(await pack(...words)).toMatchObject({ status: 2, out: '' });
    expect(manifest()).toBe(before);
    expect(await pack('--pack-version', '1.0.1')).toMatchObject({ status: 0, out: expect.stringMatching(/^acme@1\.0\.1 packed/) });
    expect(await verify()).toMatchObject({ status: 0 });
    const after = JSON.parse((await verify('--json')).out);
    expect(after).toMatchObject({
      name: 'acme',
      version: '1.0.1',
      description: 'Rules of "acme"',
      author: 'A. N. Other',
      licence: 'DRL 1.1',
    });
  });

  it('takes a lower version, and replaces what is no manifest, only with --force', async () => {
    await pack(...first);
    write('sub/b.yaml', ruleText('b', "name = 'y'"));
    expect(await pack('--force')).toMatchObject({ status: 0, out: expect.stringMatching(/^acme@1\.0\.0 packed/) });
    write('sub/b.yaml', ruleText('b', "name = 'z'"));
    expect(await pack('--pack-version', '0.9', '--force')).toMatchObject({ status: 0, out: expect.stringMatching(/^acme@0\.9 packed/) });
    expect(await pack('--name', 'other', '--pack-version', '0.1')).toMatchObject({ status: 0, out: expect.stringMatching(/^other@0\.1/) });
    write('pack.yaml', 'nonsense: [');
    expect(await pack(...first)).toMatchObject({ status: 2 });
    expect(await pack(...first, '--force')).toMatchObject({ status: 0 });
    expect(await verify()).toMatchObject({ status: 0 });
  });

  it('counts a description that is another one as other contents', async () => {
    await pack(...first);
    expect(await pack('--description', 'Another')).toMatchObject({ status: 2 });
    expect(await pack('--description', 'Another', '--pack-version', '1.1')).toMatchObject({ status: 0 });
    expect(manifest()).toContain('description: "Another"\n');
  });

  it.each([
    ['that cannot be loaded', 'c.yaml', 'id: [\n', 'c.yaml:2:1'],
    ['whose SQL would be refused', 'c.yaml', ruleText('c', "nme = 'x'"), 'There is no column nme'],
    ['whose id is taken', 'c.yaml', ruleText('a'), 'is already taken by'],
  ])('packs no rule %s, and writes nothing', async (_, name, text, told) => {
    write(name, text);
    const { status, out } = await pack(...first);
    expect([status, out.split('\n').at(-2)]).toEqual([1, '1 fault, nothing was written']);
    expect(out.replaceAll(/\s+/g, ' ')).toContain(told);
    expect(readdirSync(directory)).toEqual(['a.case.yaml', 'a.yaml', 'c.yaml', 'sub']);
  });

  it('packs nothing that the agent would not believe', async () => {
    chmodSync(join(directory, 'a.yaml'), 0o666);
    expect(await pack(...first)).toMatchObject({ status: 1, out: expect.stringContaining('every') });
    expect(existsSync(join(directory, 'pack.yaml'))).toBe(false);
  });

  it('says of a pack that does not hold which file, what was expected and what was found', async () => {
    await pack(...first);
    const expected = /"a\.yaml", sha256: "(\w+)"/.exec(manifest())?.[1] ?? 'none';
    write('a.yaml', ruleText('a', "name = 'y'"));
    const { status, out, err } = await verify();
    const text = out.replaceAll(/\s+/g, ' ');
    expect([status, err]).toEqual([1, '']);
    expect(text).toMatch(
      new RegExp(`acme/a\\.yaml: Its SHA-256 .* expected ${expected} \\(pack\\.yaml:6\\), found [0-9a-f]{64} Put the file back`),
    );
    expect(text).toMatch(/--pack-version 1\.0\.1 writes the manifest anew\. .* None of the rules .* acme@1\.0\.0 does not hold $/);
    const validated = await installation.run(['rules', 'validate', root, '--json']);
    expect([validated.status, JSON.parse(validated.out)]).toMatchObject([1, { accepted: 0, rules: [], problems: { length: 2 } }]);
    const json = await verify('--json');
    expect([json.status, JSON.parse(json.out)]).toMatchObject([
      1,
      { ok: false, pack: 'acme@1.0.0', rules: [], files: { length: 3 }, problems: [{ file: join(directory, 'a.yaml') }, {}] },
    ]);
  });

  it('shows what a hostile manifest says without obeying it', async () => {
    write(
      'pack.yaml',
      'name: acme\nversion: "1"\ndescription: D\nfiles:\n  - { file: "\\e[2J\\u202e.yaml", sha256: "x" }\n  - "\\e[31m": 1\n',
    );
    const { status, out } = await verify();
    expect([status, out]).toEqual([1, expect.stringContaining('pack.yaml:5:13')]);
    expect(out).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]|\u202e/);
    expect(JSON.parse((await verify('--json')).out)).toMatchObject({ ok: false, pack: null, name: null, files: [] });
  });
});
