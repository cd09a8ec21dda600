import { readFileSync, closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleVerifier, jsonOf, type BundledVerifier, type Run } from '../fixtures/bundled-verifier.ts';
import { exportLinesOf, proofOf } from '../fixtures/ledger-files.ts';
import { makeLedger, makeSigner } from '../fixtures/make-ledger.ts';
import { formatProof } from '../proof.ts';

const ledger = makeLedger(['entry', 'body', 'checkpoint', 'checkpoint', 'entry', 'rotate', 'entry', 'checkpoint'], { signEntries: true });
const lines = exportLinesOf(ledger);
const [firstKey = '', secondKey = ''] = ledger.signers.map(({ key }) => key.text);
const foreignKey = makeSigner('somebody else').key.text;

let bundled: BundledVerifier;
const verify = (...words: string[]): Run => bundled.run(words);
const file = (name: string, content: string | Uint8Array): string => bundled.file(name, content);

beforeAll(async () => {
  bundled = await bundleVerifier();
});
afterAll(() => {
  bundled.remove();
});

describe('the program', () => {
  test('is one file that imports nothing but files, paths and hashes of Node', () => {
    const modules = [...readFileSync(bundled.program, 'utf8').matchAll(/^import .*?["']([^"']+)["'];$/gm)].map(([, name]) => name);
    expect(readFileSync(bundled.program, 'utf8')).not.toMatch(/\bimport\(|\brequire\(/);
    expect(new Set(modules)).toEqual(new Set(['node:crypto', 'node:fs']));
  });

  test('tells its use', () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as { version: string };
    expect(verify('--version')).toMatchObject({ status: 0, stdout: `${version}\n`, stderr: '' });
    expect(verify('--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('sentinel-verify FILE...'), stderr: '' });
  });

  test.each<[string, string[], RegExp]>([
    ['no file', [], /No file was given/],
    ['an unknown option', ['--keys', 'x', 'f'], /There is no option --keys/],
    ['an option without its value', ['f', '--key'], /--key needs a value/],
    ['an empty value', ['f', '--key='], /--key needs a value/],
    ['a key that is none', ['f', '--key', 'x'], /This is no key of a ledger/],
    ['a key that was changed', ['f', '--key', firstKey.replace(/\+[0-9a-f]{8}\+/, '+00000000+')], /its id is 00000000/],
    ['a missing file of keys', ['f', '--key-file', 'none'], /none cannot be used.\n {2}there is no such file/],
  ])('%s: ends with 2 and three lines', (_name, words, why) => {
    const { status, stdout, stderr } = verify(...words);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(why);
    expect(stderr.trimEnd().split('\n')).toHaveLength(3);
  });
});

describe('a proof', () => {
  const text = formatProof(proofOf(ledger, 2));

  test('holds with the key that signed its checkpoint', () => {
    const run = verify(file('proof.json', text), '--key', secondKey);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toMatch(
      /^proof\.json: holds\n {2}Entry 2 of sentineld-ledger\/\S+: rule_execute by procmond\n {2}\{"matched":2,"name":"Zoë \\u\{202e\}/,
    );
    expect(jsonOf(verify('proof.json', '--json', '--key', secondKey))).toMatchObject({
      kind: 'proof',
      ok: true,
      key: secondKey,
      entry: { sequence: 2 },
      checkpoint: { tree_size: 6 },
    });
  });

  test('is told by its content, also where its members were sorted or spread over lines', () => {
    const members = JSON.parse(text) as Record<string, unknown>;
    const sorted = { entry: members['entry'], format: members['format'], tlog_proof: members['tlog_proof'], version: 1 };
    for (const other of [JSON.stringify(sorted), JSON.stringify(members, null, 4)])
      expect(verify(file('proof', other), '--key', secondKey).status).toBe(0);
  });

  test('does not hold with another key, nor where the entry was changed', () => {
    expect(verify(file('proof.json', text), '--key', foreignKey)).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('not signed by a key that is trusted'),
    });
    expect(verify(file('proof.json', text.replace('matched', 'watched')), '--key', secondKey)).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('payload_hash'),
    });
  });

  test('takes a key', () => {
    expect(verify(file('proof.json', text))).toMatchObject({ status: 2, stderr: expect.stringContaining('A proof takes a key to trust') });
  });

  test('cut short or of another version it is refused', () => {
    expect(verify(file('proof.json', text.slice(0, 400)), '--key', secondKey)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('it was cut short'),
    });
    expect(verify(file('proof.json', text.replace('"version":1', '"version":9')), '--key', secondKey)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('version 9'),
    });
  });
});

describe('files that cannot be verified: one message of three lines, and 2', () => {
  /** The three lines; for any other outcome all of it. */
  const refusal = (run: Run): string =>
    run.status === 2 && run.stdout === '' && run.stderr.split('\n').length === 4 ? run.stderr : JSON.stringify(run);

  test.each<[string, string | Uint8Array, RegExp]>([
    ['empty', '', /it is empty/],
    ['binary garbage', Uint8Array.from({ length: 5_000 }, (_, at) => (at * 7_919) % 251), /neither an export of a ledger nor a proof/],
    ['an executable', readFileSync(process.execPath).subarray(0, 3 * 1024 * 1024), /does not begin as an export does/],
    ['text', 'hello\n', /neither an export/],
    ['other JSON', '{"a":1}', /neither an export/],
    [
      'garbage after the name of an export',
      Buffer.concat([Buffer.from('sentineld-ledger-export'), Buffer.alloc(99, 0xff)]),
      /line 1 is not UTF-8/,
    ],
    [
      'garbage after the name of a proof',
      Buffer.concat([Buffer.from('sentineld-ledger-proof'), Buffer.alloc(99, 0xff)]),
      /it is not UTF-8/,
    ],
    ['an export without its end', lines.slice(0, -1).join(''), /This export is truncated: it ends after line 11/],
    ['an export of a later version', lines.join('').replace('"version":1', '"version":2'), /This export is of version 2/],
  ])('%s', (_name, content, why) => {
    expect(refusal(verify(file('strange', content)))).toMatch(why);
  });

  test('a missing file, a directory, a name with control characters', () => {
    expect(refusal(verify('missing'))).toMatch(/there is no such file or directory/);
    expect(refusal(verify('.'))).toMatch(/it is a directory, not a file/);
    expect(refusal(verify('\u001b[31mred\u202e'))).toMatch(/^\\x1b\[31mred\\u\{202e\}: This file cannot be used/);
  });

  test('4 GiB: of nothing, and of one line', () => {
    const sparse = (name: string, head: string): string => {
      const descriptor = openSync(bundled.path(name), 'w');
      writeSync(descriptor, head);
      ftruncateSync(descriptor, 4 * 1024 ** 3);
      closeSync(descriptor);
      return name;
    };
    expect(refusal(verify(sparse('nothing', '')))).toMatch(/does not begin as an export does, and has more than the 2097152 bytes/);
    expect(refusal(verify(sparse('line', lines[0] ?? '')))).toMatch(/line 2 is longer than 2097152 bytes/);
    expect(refusal(verify(sparse('proof', '{"format":"sentineld-ledger-proof"')))).toMatch(/has more than the 2097152 bytes of a proof/);
  });

  test('a length of 4 GiB in an entry', () => {
    const text = lines.join('').replace(/size_bytes\\":\d+/, 'size_bytes\\":4294967296');
    const run = verify(file('long', text), '--json');
    expect(run.status).toBe(1);
    expect(jsonOf(run)).toMatchObject({ failure: { what: 'payload_hash' } });
  });

  test('as JSON too, and the other files are verified', () => {
    const run = verify('--json', 'missing', file('good.jsonl', lines.join('')));
    expect(run.status).toBe(2);
    const [missing, good] = run.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(missing).toMatchObject({
      file: 'missing',
      ok: false,
      error: { code: 'ledger.input', why: 'there is no such file or directory' },
    });
    expect(good).toMatchObject({ ok: true });
  });
});

test('standard input is read for -', () => {
  expect(bundled.run(['-'], lines.join(''))).toMatchObject({ status: 0, stdout: expect.stringMatching(/^-: holds\n/) });
});
