import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createInstallation, type Installation } from '../fixtures/installation.ts';

const SHELL = '5a1c1a6e-1c9e-4b0e-9b0a-000000000001';
const OTHER = '5a1c1a6e-1c9e-4b0e-9b0a-000000000002';

const rule = (id: string, selection = "ParentImage|endswith: '/nginx'"): string =>
  `title: A shell\nid: ${id}\nlogsource: {product: linux, category: process_creation}\ndetection:\n  s:\n    ${selection}\n  condition: s\n`;

describe('rules import', () => {
  let installation: Installation;
  let directory: string;
  let out: string;
  beforeEach(() => {
    installation = createInstallation();
    directory = mkdtempSync(join(tmpdir(), 'scli-import-'));
    out = join(directory, 'out/rules');
    mkdirSync(join(directory, 'in/a/b/c/d/e'), { recursive: true });
  });
  afterEach(async () => {
    await installation.close();
    rmSync(directory, { recursive: true });
  });
  const write = (name: string, text: string): string => {
    writeFileSync(join(directory, 'in', name), text);
    return join(directory, 'in', name);
  };
  const run = (...words: readonly string[]) => installation.run(['rules', 'import', '--format', 'sigma', ...words, '--out', out]);

  it('writes rules that are loaded and taken, from directories at any depth', async () => {
    write('a/b/c/d/e/shell.yml', rule(SHELL));
    write('other.yaml', rule(OTHER, "CommandLine|re: '\\s-i\\s'"));
    write('README.md', 'no rule');
    write('.hidden.yml', 'no rule');
    symlinkSync('/etc/passwd', join(directory, 'in/link.yml'));
    const { status, out: said, err } = await run(join(directory, 'in'));
    expect([status, said, err]).toEqual([0, `2 converted into ${out}, 0 refused\n`, '']);
    expect(readdirSync(out)).toEqual([`${SHELL}.yaml`, `${OTHER}.yaml`]);
    expect(statSync(join(out, `${SHELL}.yaml`)).mode & 0o777).toBe(0o644);
    expect(await installation.run(['rules', 'validate', out])).toMatchObject({ status: 0, out: '2 accepted, 0 refused\n' });
  });

  it('refuses by name what it cannot convert, and writes the others', async () => {
    const good = write('good.yml', rule(SHELL));
    const directoryOf = write('directory.yml', rule(OTHER, 'CurrentDirectory: /tmp'));
    const invalid = write('regular.yml', rule(OTHER, "CommandLine|re: '('"));
    const { status, out: said } = await run(good, directoryOf, invalid);
    expect(status).toBe(1);
    const text = said.replaceAll(/\n {2}/g, ' ');
    expect(text).toContain(
      `${directoryOf}:6:5: rule ${OTHER}: A shell: CurrentDirectory: the field cannot be answered: an event does not say`,
    );
    expect(text).toContain(
      `${invalid}: rule ${OTHER}: A shell: Its query would be refused (pattern): This regular expression cannot be used`,
    );
    expect(said).toMatch(/1 converted into .*, 2 refused\n$/);
    expect(readdirSync(out)).toEqual([`${SHELL}.yaml`]);
  });

  it('says the same as JSON', async () => {
    const good = write('good.yml', rule(SHELL));
    const again = write('again.yml', rule(SHELL));
    const broken = write('broken.yml', 'title: [');
    const { status, out: said } = await run(good, again, broken, '--json');
    expect(status).toBe(1);
    expect(JSON.parse(said)).toEqual({
      ok: false,
      converted: [{ id: SHELL, title: 'A shell', source: good, file: join(out, `${SHELL}.yaml`) }],
      refused: [
        {
          source: again,
          id: SHELL,
          title: 'A shell',
          problems: [
            {
              file: again,
              line: null,
              column: null,
              ruleId: SHELL,
              message: `The id is taken by ${good}`,
              hint: 'Import one of the two.',
            },
          ],
        },
        { source: broken, id: null, title: null, problems: [expect.objectContaining({ file: broken, line: 1 })] },
      ],
    });
  });

  it('replaces nothing unless that is asked for', async () => {
    const file = write('good.yml', rule(SHELL));
    const other = write('other.yml', rule(OTHER));
    mkdirSync(out, { recursive: true });
    const target = join(out, `${SHELL}.yaml`);
    writeFileSync(target, 'mine');
    const { status, err } = await run(other, file);
    expect([status, err]).toEqual([2, expect.stringContaining(`${target} is in the way`)]);
    expect([readFileSync(target, 'utf8'), readdirSync(out)]).toEqual(['mine', [`${SHELL}.yaml`]]);
    expect(await run(other, file, '--force')).toMatchObject({ status: 0 });
    expect(readFileSync(target, 'utf8')).toContain(`id: ${SHELL}`);
    rmSync(target);
    symlinkSync('/dev/null', target);
    expect(await run(file, '--force')).toMatchObject({ status: 2, err: expect.stringContaining('it is no file') });
  });

  it('shows what a hostile file says without obeying it', async () => {
    const file = write('hostile.yml', rule(OTHER, '"\\e[2J\\u202e": x').replace('A shell', '"A \\e[31m\\u202eshell"'));
    const { out: said } = await run(file);
    expect(said).toContain('A \\x1b[31m\\u{202e}shell');
    expect(said).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]|\u202e/);
  });

  it('fails where there is no rule, and writes nothing', async () => {
    expect(await run(join(directory, 'in'))).toMatchObject({ status: 1, out: 'no rules found: their files end in .yml or .yaml\n' });
    const file = write('windows.yml', rule(OTHER).replace('linux', 'windows'));
    expect(await run(file)).toMatchObject({ status: 1, out: expect.stringMatching(/0 converted, 1 refused\n$/) });
    expect(existsSync(out)).toBe(false);
  });

  it('says of a file what keeps it from being read', async () => {
    const large = write('large.yml', '#'.repeat(300_000));
    const latin1 = join(directory, 'in/latin1.yml');
    writeFileSync(latin1, Buffer.from('title: \xe9', 'latin1'));
    const { status, out: said } = await run(large, latin1);
    expect(status).toBe(1);
    expect(said).toContain('larger than 262144 bytes');
    expect(said).toContain('not UTF-8');
  });
});
