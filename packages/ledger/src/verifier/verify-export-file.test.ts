import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleVerifier, jsonOf, type BundledVerifier, type Run } from '../fixtures/bundled-verifier.ts';
import { exportLinesOf } from '../fixtures/ledger-files.ts';
import { LEDGER_ID, makeLedger, makeSigner } from '../fixtures/make-ledger.ts';

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

describe('an export', () => {
  test('holds; without a key only the word of the file stands for who signed', () => {
    const { status, stdout } = verify(file('good.jsonl', lines.join('')));
    expect(status).toBe(0);
    expect(stdout).toMatch(/^good\.jsonl: holds\n {2}Export of ledger 3b241101-\S+ of host web-1: entries 1 to 6\./);
    expect(stdout).toContain('Who signed: no key was given to trust, so only the word of the file stands for it.');
  });

  test.each<[string, string[]]>([
    ['the first key, which announced the second', ['--key', firstKey]],
    ['both', [`--key=${firstKey}`, '--key', secondKey]],
    ['the last alone', ['--key', secondKey]],
  ])('holds for whoever trusts %s', (_name, words) => {
    const run = verify(file('good.jsonl', lines.join('')), '--json', ...words);
    expect(run.status).toBe(0);
    expect(jsonOf(run)).toMatchObject({
      file: 'good.jsonl',
      kind: 'export',
      ok: true,
      failure: null,
      ledger_id: LEDGER_ID,
      from: 1,
      to: 6,
      entries: 6,
      checkpoints: 4,
    });
    expect(JSON.stringify(jsonOf(run)['cannot_show'])).not.toContain('Who signed');
  });

  test('keys come from a file too', () => {
    file('keys', `# keys of web-1\n\n${firstKey} # from epoch 1\r\n`);
    expect(verify(file('good.jsonl', lines.join('')), '--key-file', 'keys').status).toBe(0);
    file('keys', `${firstKey}\nnonsense\n`);
    expect(verify('good.jsonl', '--key-file', 'keys')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('line 2 is no key of a ledger'),
    });
    file('keys', '# nobody\n');
    expect(verify('good.jsonl', '--key-file', 'keys').stderr).toContain('there is no key in it');
    file('keys', `${firstKey}\n`.repeat(1_000));
    expect(verify('good.jsonl', '--key-file', 'keys').stderr).toContain('has more than 65536 bytes');
  });

  test('does not hold for whoever trusts somebody else', () => {
    const run = verify(file('good.jsonl', lines.join('')), '--key', foreignKey);
    expect(run.status).toBe(1);
    expect(run.stdout).toMatch(/DOES NOT HOLD[^]*no checkpoint is signed by a key that you trust[^]*\[key\]/);
  });

  test('from the middle holds, and says what it does not have', () => {
    const run = verify(file('part.jsonl', exportLinesOf(ledger, 4).join('')), '--key', secondKey);
    expect(run.status).toBe(0);
    expect(run.stdout).toMatch(/The ledger had 3 entries before[^]*What entries 1 to 3 say/);
  });

  // Of another ledger with the same id, as whoever has no key can make one.
  test('a forged one holds by its own word, and not for whoever knows the key', () => {
    const forged = makeLedger(['entry', 'entry', 'checkpoint'], { word: 'forger' });
    const name = file('forged.jsonl', exportLinesOf(forged).join(''));
    expect(verify(name).status).toBe(0);
    expect(verify(name, '--key', firstKey).status).toBe(1);
  });

  test.each<[string, (lines: readonly string[]) => string, string, number]>([
    ['a changed text', (all) => all.join('').replace('"matched', '"watched').replace('\\"matched', '\\"watched'), 'payload_hash', 2],
    ['a changed time', (all) => all.with(2, (all[2] ?? '').replace(/"timestamp":\d+/, '"timestamp":1')).join(''), 'entry_hash', 2],
    ['an entry left out', (all) => all.toSpliced(2, 1).join(''), 'sequence', 2],
    ['an entry twice', (all) => all.toSpliced(2, 0, all[2] ?? '').join(''), 'sequence', 2],
    ['a checkpoint left out', (all) => all.filter((line) => !line.includes('"epoch":2,"tree_size"')).join(''), 'epoch', 4],
    ['another body', (all) => all.join('').replace(/("body":"\{\\"detail\\":\\")x/, '$1y'), 'body', 3],
    [
      'another body of the same hash claim',
      (all) => all.map((line) => line.replace(/"body":"\{.*\}"\}/, '"body":"{}"}')).join(''),
      'body',
      3,
    ],
    ['a changed size in a note', (all) => all.join('').replace(/\\n3\\n/, '\\n2\\n'), 'checkpoint', 3],
  ])('with %s does not hold, and the place is named', (_name, change, what, sequence) => {
    const run = verify(file('bad.jsonl', change(lines)), '--json');
    expect(run.status).toBe(1);
    expect(jsonOf(run)).toMatchObject({ ok: false, failure: { what, sequence }, shows: [], cannot_show: [] });
    expect(verify('bad.jsonl').stdout).toMatch(
      new RegExp(`^bad\\.jsonl: DOES NOT HOLD\\n.*\\n {2}Entry ${sequence} \\(line \\d+\\): .* \\[${what}\\]\\n`),
    );
  });
});
