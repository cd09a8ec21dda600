import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from './commands/registry.ts';
import { createInstallation, type Installation } from './fixtures/installation.ts';
import { everywhere, expectTold, type Wrong } from './fixtures/wrong-use.ts';

const RULE = 'id: a\nname: A\ndescription: D\nseverity: low\ncategory: c\nversion: 1\nquery: |\n  SELECT pid, start_time FROM processes\n';

let installation: Installation;
let directory = '';
const at = (name: string): string => join(directory, name);

beforeAll(() => {
  installation = createInstallation();
  directory = mkdtempSync(join(tmpdir(), 'sentineld-wrong-use-'));
  for (const name of ['rules', 'packed', 'empty', 'broken', 'linked', 'inner/pack.yaml']) mkdirSync(at(name), { recursive: true });
  for (const name of ['rules', 'packed', 'broken', 'linked', 'inner']) writeFileSync(at(`${name}/a.yaml`), RULE);
  writeFileSync(
    at('packed/pack.yaml'),
    `name: acme\nversion: "1.4.0"\ndescription: D\nfiles:\n  - { file: a.yaml, sha256: "${'0'.repeat(64)}" }\n`,
  );
  writeFileSync(at('broken/pack.yaml'), 'name: acme\nversion: [\n');
  symlinkSync(at('packed/pack.yaml'), at('linked/pack.yaml'));
  writeFileSync(at('a-file'), '');
});
afterAll(async () => {
  await installation.close();
  rmSync(directory, { recursive: true });
});

/** Of a directory that is none, with every command that takes one. */
const directories = (command: string, ...words: readonly string[]): readonly Wrong[] => [
  [words, 2, `${command} needs DIR`, 'DIR is the directory', `sentinelcli ${command} --help`],
  [['', ...words], 2, `DIR of ${command} is empty`, 'an unset variable', `sentinelcli ${command} --help`],
  [['/nowhere', ...words], 2, '/nowhere cannot be read', 'there is no such file or directory', 'give '],
  [[at('a-file'), ...words], 2, 'a-file is no directory', 'a pack is a directory of rule files', 'give the directory'],
  [[at('a-file/x'), ...words], 2, 'cannot be read', 'a part of the path is no directory', 'give '],
  [[at('rules'), 'more', ...words], 2, '"more" is one word too many', `${command} takes DIR`, `sentinelcli ${command} --help`],
];

const WRONG: Readonly<Record<string, () => readonly Wrong[]>> = {
  'rules pack': () => [
    ...everywhere('rules pack'),
    ...directories('rules pack', '--name', 'acme', '--pack-version', '1'),
    [[at('rules')], 2, 'rules pack needs --name', 'has no name yet', '--name '],
    [[at('rules'), '--name', 'acme'], 2, 'rules pack needs --pack-version', 'has no version yet', '--pack-version 1.4.0'],
    [[at('rules'), '--name', 'Acme'], 2, '--name Acme: not taken', 'small letters', '--name '],
    [[at('rules'), '--name', '../a'], 2, '--name ../a: not taken', 'small letters', '--name '],
    [[at('rules'), '--name', 'x'.repeat(100)], 2, '--name of 100 characters: not taken', 'longer than 64', '--name '],
    [[at('rules'), '--name', '\u001b[2J'], 2, '--name \\x1b[2J: not taken', 'small letters', '--name '],
    [[at('rules'), '--pack-version', 'v1'], 2, '--pack-version v1: not taken', 'dotted numbers', '--pack-version 1.4.0'],
    [[at('rules'), '--pack-version', '1.4.0-rc1'], 2, 'not taken', 'dotted numbers', '--pack-version 1.4.0'],
    [[at('rules'), '--description', 'a\nb'], 2, '--description a\\nb: not taken', 'a line break', '--description '],
    [[at('rules'), '--description', ' '], 2, 'not taken', 'it is empty', '--description '],
    [[at('rules'), '--pack-version'], 2, '--pack-version needs a value', 'nothing follows it', 'write --pack-version=V'],
    [[at('empty'), '--name', 'a', '--pack-version', '1'], 2, 'empty holds no rules', 'ID.yaml', 'the directory of the rules'],
    [[at('packed')], 2, 'rules pack needs --pack-version', 'acme@1.4.0 has other contents', '--pack-version 1.4.1'],
    [[at('packed'), '--pack-version', '1.4'], 2, '--pack-version 1.4: not taken', 'acme@1.4.0 has other contents', '--pack-version 1.4.1'],
    [[at('packed'), '--pack-version', '1.3.9'], 2, 'not taken', 'the pack is acme@1.4.0, and a version only rises', '--force'],
    [[at('broken')], 2, 'cannot be read as a manifest', 'pack.yaml:3:1: Not valid YAML', '--force'],
    [[at('broken'), '--force'], 2, 'rules pack needs --name', 'has no name yet', '--name '],
    [[at('linked')], 2, 'cannot be read as a manifest', 'ELOOP', '--force'],
    [[at('linked'), '--force', '--name', 'a', '--pack-version', '1'], 2, 'pack.yaml is in the way', 'it is no file', 'move it away'],
    [[at('inner'), '--force', '--name', 'a', '--pack-version', '1'], 2, 'pack.yaml is in the way', 'it is no file', 'move it away'],
    [[at('rules'), '--force=yes'], 2, '--force=yes: not taken', '--force takes no value', 'write --force alone'],
  ],
  'rules verify-pack': () => [
    ...everywhere('rules verify-pack'),
    ...directories('rules verify-pack'),
    [[at('rules')], 2, 'rules is no pack', 'there is no pack.yaml in it', 'sentinelcli rules pack DIR'],
    [
      [at('rules'), '--pack-version', '1'],
      2,
      '--pack-version is not an option of "rules verify-pack"',
      'it belongs to rules pack',
      '--help',
    ],
    [[at('packed'), '--jso'], 2, 'unknown option --jso', '"rules verify-pack" takes', 'did you mean --json?'],
  ],
};

describe('a wrong use of packs', () => {
  it('is tried ten times of every command', () => {
    const names = COMMANDS.map(({ name }) => name).filter((name) => /^rules (verify-)?pack$/.test(name));
    expect([names, Object.keys(WRONG)]).toEqual([Object.keys(WRONG), names]);
    for (const name of names) expect([name, (WRONG[name]?.() ?? []).length >= 10]).toEqual([name, true]);
  });

  it.each(Object.keys(WRONG))('of "%s" is told in three lines: what, why, what to do', async (command) => {
    await expectTold(installation, command, WRONG[command]?.() ?? []);
  });

  it('leaves nothing behind', () => {
    expect([existsSync(at('rules/pack.yaml')), existsSync(at('empty/pack.yaml'))]).toEqual([false, false]);
  });
});
