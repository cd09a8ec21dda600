import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRuleFile, refusalOfMode } from './read-rule-file.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'rule-file-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const OPTIONS = { maxBytes: 16, trust: 'configured' } as const;

test('text and checksum of the bytes', () => {
  const path = join(directory, 'good.yaml');
  const bytes = Buffer.from('\uFEFFä: 1\n');
  writeFileSync(path, bytes);
  expect(readRuleFile(path, OPTIONS)).toEqual({
    ok: true,
    file: { path, text: 'ä: 1\n', checksum: createHash('sha256').update(bytes).digest('hex') },
  });
});

test('exactly the limit is read, one byte more is not', () => {
  const path = join(directory, 'size.yaml');
  writeFileSync(path, 'x'.repeat(16));
  expect(readRuleFile(path, OPTIONS)).toMatchObject({ ok: true });
  writeFileSync(path, 'x'.repeat(17));
  expect(readRuleFile(path, OPTIONS)).toMatchObject({ ok: false, problem: { message: 'The file is larger than 16 bytes' } });
});

describe('what is refused', () => {
  test('no file, a directory, a link, a pipe, bytes that are no text', () => {
    const at = (name: string): string => join(directory, name);
    mkdirSync(at('d.yaml'));
    writeFileSync(at('target'), 'a: 1');
    symlinkSync(at('target'), at('l.yaml'));
    writeFileSync(at('b.yaml'), Buffer.from([0x61, 0xff]));
    expect(spawnSync('mkfifo', [at('p.yaml')]).status).toBe(0);
    for (const [name, message] of [
      ['absent.yaml', /ENOENT/],
      ['d.yaml', /not a regular file/],
      ['l.yaml', /ELOOP/],
      ['p.yaml', /not a regular file/],
      ['b.yaml', /not UTF-8/],
    ] as const) {
      expect(readRuleFile(at(name), OPTIONS)).toMatchObject({
        ok: false,
        problem: { file: at(name), line: null, message: expect.stringMatching(message) },
      });
    }
  });

  test('a file that everybody may write', () => {
    const path = join(directory, 'open.yaml');
    writeFileSync(path, 'a: 1');
    chmodSync(path, 0o666);
    expect(readRuleFile(path, OPTIONS)).toMatchObject({
      ok: false,
      problem: { message: expect.stringMatching(/every user/), hint: expect.stringMatching(/chmod/) },
    });
    expect(readRuleFile(path, { ...OPTIONS, trust: 'installed' })).toMatchObject({ ok: true });
    chmodSync(path, 0o664);
    expect(readRuleFile(path, OPTIONS)).toMatchObject({ ok: true });
  });
});

test.each([
  [0o100_644, 4_711, 'configured', true],
  [0o100_664, 4_711, 'configured', true],
  [0o100_646, 0, 'configured', false],
  [0o041_777, 0, 'configured', false],
  [0o100_666, 0, 'installed', true],
  [0o100_666, process.getuid?.() ?? 0, 'installed', true],
  [0o100_666, 4_711, 'installed', false],
  [0o100_644, 4_711, 'installed', true],
] as const)('mode %o of user %d, %s: %s', (mode, uid, trust, isBelieved) => {
  expect(refusalOfMode({ mode, uid }, trust) === null).toBe(isBelieved);
});
