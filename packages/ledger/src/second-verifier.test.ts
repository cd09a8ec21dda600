/**
 * The verifier in Python, which was written from docs/ledger-format.md alone, against this package: whatever is damaged in
 * an export or a proof, both have to say the same of it.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DAMAGE, damagedLines } from './fixtures/second-verifier-damage.ts';
import { FIRST, FOREIGN, SECOND, add, exportOf, makeLedger, proofOf } from './fixtures/second-verifier-ledger.ts';
import { HAS_PYTHON, caseOf, differences, exportVerdict, proofHolds, runVerifier } from './fixtures/second-verifier-verdict.ts';

const LEDGERS = [makeLedger(false), makeLedger(true)] as const;

describe.skipIf(!HAS_PYTHON)('the verifier in Python [python3]', () => {
  let directory = '';
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'second-verifier-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test('holds against published vectors', () => {
    const { status, stdout } = runVerifier(['--self-test']);
    expect({ status, answer: JSON.parse(stdout) as unknown }).toEqual({ status: 0, answer: { ok: true, tests: 36, failed: [] } });
  });

  test.each([
    ['a whole export', (text: string) => text, 0, { ok: true, entries: 9, checkpoints: 4, failure: null }],
    [
      'an export with a changed entry',
      (text: string) => text.replace('214', '215'),
      1,
      { ok: false, failure: { sequence: 2, what: 'payload_hash' } },
    ],
    ['an export that was cut off', (text: string) => text.slice(0, -40), 2, { ok: false, failure: null }],
  ])('%s: exit status and answer', (_, change, status, answer) => {
    const file = join(directory, 'status');
    writeFileSync(file, change(exportOf(LEDGERS[0], 1)));
    const ran = runVerifier([file]);
    expect(ran.status).toBe(status);
    expect(JSON.parse(ran.stdout)).toMatchObject(answer);
  });

  test('a command line without its form is refused', () => {
    expect(runVerifier([]).status).toBe(2);
    expect(JSON.parse(runVerifier([join(directory, 'missing')]).stdout)).toMatchObject({
      ok: false,
      error: expect.stringContaining('No such file'),
    });
    expect(JSON.parse(runVerifier([directory, '--key', 'no+key']).stdout)).toMatchObject({
      ok: false,
      error: expect.stringContaining('<key id>'),
    });
  });

  test('JSON that two readers can take for different things is refused', () => {
    // JSON.parse, with which the product reads, takes the last of two members and 1.0 for 1.
    const changes = [
      ['"event_data":', '"event_data":"{}","event_data":'],
      ['"version":1', '"version":1.0'],
      ['"version":1', '"version":1e0'],
      ['"version":1', '"version":true'],
      ['"from":1', '"from":-0'],
    ] as const;
    const cases = changes.map(([from, to]) => ({
      ...caseOf(directory, `refused ${to}`, exportOf(LEDGERS[0], 1).replace(from, to), exportVerdict),
      product: 'input',
    }));
    expect(differences(cases)).toEqual([]);
  });

  test('whole exports from every entry, with keys of one’s own', () => {
    const trusted = [[], [FIRST], [SECOND], [FIRST, SECOND], [FOREIGN]].map((signers) => signers.map(({ key }) => key));
    const cases = LEDGERS.flatMap((ledger, which) =>
      ledger.entries.flatMap((_, index) =>
        trusted.map((keys, set) => {
          const verify = (text: string): string => exportVerdict(text, keys.length === 0 ? null : keys);
          const name = `ledger ${which}, from ${index + 1}, keys ${set}`;
          return caseOf(
            directory,
            name,
            exportOf(ledger, index + 1),
            verify,
            keys.flatMap(({ text }) => ['--key', text]),
          );
        }),
      ),
    );
    expect(differences(cases)).toEqual([]);
    expect(cases.filter(({ product }) => product === 'ok').length).toBeGreaterThan(50);
  });

  test('heads and checkpoints that are known from elsewhere', () => {
    const [ledger, other] = [LEDGERS[0], makeLedger(false, 3, (maker) => add(maker, 'start', {}))];
    const file = join(directory, 'known');
    writeFileSync(file, exportOf(ledger, 1));
    const hash = Buffer.from(ledger.entries[4]?.entry.entryHash ?? []).toString('hex');
    const noteFiles = [ledger, other, makeLedger(true)].map(({ checkpoints }, index) => {
      const path = join(directory, `note ${index}`);
      writeFileSync(path, checkpoints[1]?.note ?? '');
      return path;
    });
    const [own = '', contradicting = '', elsewhere = ''] = noteFiles;
    const known: readonly (readonly [string, readonly string[]])[] = [
      ['ok', ['--head', `5:${hash}`, '--checkpoint', own]],
      ['witness at 5', ['--head', `5:${'00'.repeat(32)}`]],
      ['witness at 10', ['--head', `10:${hash}`]],
      ['input', ['--head', `5:${hash.slice(1)}`]],
      ['witness at 5', ['--checkpoint', contradicting]],
      ['witness at 6', ['--checkpoint', elsewhere]],
      ['input', ['--checkpoint', file]],
    ];
    const cases = known.map(([product, options]) => ({ name: options.join(' '), file, options, product }));
    expect(differences(cases)).toEqual([]);
  });

  test('damaged exports', () => {
    const damages = fc.sample(DAMAGE, { seed: 20_260_101, numRuns: 200 });
    const cases = damages.map((damage, index) => {
      const ledger = LEDGERS[damage.ledger] ?? LEDGERS[0];
      return caseOf(
        directory,
        `${index} ${JSON.stringify(damage)}`.slice(0, 200),
        damagedLines(exportOf(ledger, damage.from), damage),
        exportVerdict,
      );
    });
    expect(differences(cases)).toEqual([]);
    expect(new Set(cases.map(({ product }) => product.split(' ')[0])).size).toBeGreaterThan(8);
  });

  test('proofs of every entry, whole and damaged', () => {
    const damages = fc.sample(DAMAGE, { seed: 7, numRuns: 120 });
    const keys = [FIRST.key, SECOND.key];
    const verify = (text: string): string => (proofHolds(text, keys) ? 'ok' : 'fails');
    const cases = damages.map((damage, index) => {
      const ledger = LEDGERS[damage.ledger] ?? LEDGERS[0];
      const whole = proofOf(ledger, 1 + (index % ledger.entries.length));
      const text = index < 24 ? whole : damagedLines(whole, { ...damage, kind: index % 4 === 0 ? 'byte' : 'member' });
      return caseOf(
        directory,
        `proof ${index}`,
        text,
        verify,
        keys.flatMap(({ text: key }) => ['--key', key]),
      );
    });
    // The product says of a proof in a sentence why it does not hold, not in a word.
    expect(differences(cases).filter((line) => !/: fails, in Python [a-z_]+ at [0-9]+$/u.test(line))).toEqual([]);
    expect(new Set(cases.map(({ product }) => product))).toEqual(new Set(['ok', 'fails', 'input']));
  });
});
