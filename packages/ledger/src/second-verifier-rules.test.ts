/**
 * Ledgers that break one rule of docs/ledger-format.md each, with all hashes and signatures made to fit: the verifier in
 * Python and this package have to find the same, in an export and in a ledger.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { archiveOf, ledgerVerdict, sealOf, writeDatabase } from './fixtures/second-verifier-database.ts';
import { FIRST, FOREIGN, type Maker, SECOND, add, close, exportOf, makeLedger, rotate } from './fixtures/second-verifier-ledger.ts';
import { COLUMN_TWISTS, NEVER, TWISTS } from './fixtures/second-verifier-twists.ts';
import type { LedgerSeal } from './ledger-row.ts';
import { type Case, HAS_PYTHON, caseOf, differences, exportVerdict } from './fixtures/second-verifier-verdict.ts';

/** Where the verifier in Python is the stricter one, and why. */
const STRICTER: ReadonlyMap<string, string> = new Map([
  ['event_data of more', 'the page bounds event_data; whoever wrote more was no ledger'],
  ['a body nobody speaks of', 'no hash covers it, so that nobody should see it beside what is verified'],
  ['an entry after the rotation', 'the page says that a rotation is the last entry of its epoch'],
  ['a wrong one under the own name too', 'C2SP signed-note: a signature of a known key that fails speaks against the whole note'],
]);
const unexpected = (cases: readonly Case[]): string[] =>
  differences(cases).filter((line) => ![...STRICTER.keys()].some((name) => new RegExp(`^${name} (true|false): ok,`, 'u').test(line)));

/** Changes of the seal, and of the ledger_archive entry, or none of it at all. */
const SEAL_TWISTS: readonly (readonly [string, Partial<LedgerSeal>, Record<string, unknown> | null])[] = [
  ['nothing', {}, {}],
  ['another number', { sequence: 8 }, {}],
  ['another epoch', { epoch: 4 }, {}],
  ['a missing epoch', { epoch: 9 }, {}],
  ['another hash', { entryHash: new Uint8Array(32) }, {}],
  ['another tree', { range: { size: 4, nodes: [new Uint8Array(32)] } }, {}],
  ['no keys', { keys: [] }, {}],
  ['another key', { keys: [{ key: FOREIGN.key, firstEpoch: 1, isAnnounced: true }] }, {}],
  ['no entry of the archive', {}, null],
  ['another epoch in the entry', {}, { epoch: 77 }],
  ['another root in the entry', {}, { root: NEVER }],
  ['another chain in the entry', {}, { chain: NEVER }],
  ['other keys in the entry', {}, { keys: [] }],
  ['another number in the entry', {}, { through_sequence: 3 }],
];

describe.skipIf(!HAS_PYTHON)('the verifier in Python on ledgers that break one rule [python3]', () => {
  let directory = '';
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'second-verifier-rules-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const ledgerCase = (name: string, maker: Maker, seal: LedgerSeal | null = null, keys: (typeof FIRST)[] = []): Case => {
    const file = join(directory, `${name}.db`);
    writeDatabase(file, maker, seal);
    const trusted = keys.length === 0 ? null : keys.map(({ key }) => key);
    return {
      name,
      file,
      options: ['--ledger', ...keys.flatMap(({ key }) => ['--key', key.text])],
      product: ledgerVerdict(maker, seal, trusted),
    };
  };

  test('in an export', () => {
    const cases = TWISTS.flatMap(([name, step, twist]) =>
      [false, true].map((isOld) => caseOf(directory, `${name} ${isOld}`, exportOf(makeLedger(isOld, step, twist), 1), exportVerdict)),
    );
    expect(unexpected(cases)).toEqual([]);
    const words = new Set(cases.map(({ product }) => product.split(' ')[0]));
    const links = ['sequence', 'prev_hash', 'payload_hash', 'entry_hash', 'first_entry', 'format_version'];
    expect(words).toEqual(
      new Set(['ok', ...links, 'field', 'epoch', 'key', 'signature', 'body', 'checkpoint', 'checkpoint_missing', 'tree']),
    );
  });

  test('in a ledger', () => {
    // Two checkpoints of one epoch are no rows that the table takes.
    const twists = [...TWISTS.filter(([name]) => name !== 'an epoch twice'), ...COLUMN_TWISTS];
    expect(
      unexpected(
        twists.map(([name, step, twist], index) => ledgerCase(`${name} ${index % 2 === 0}`, makeLedger(index % 2 === 0, step, twist))),
      ),
    ).toEqual([]);
  });

  test('in a sealed ledger', () => {
    const cases = SEAL_TWISTS.flatMap(([name, sealTwist, archiveTwist]) =>
      [[], [SECOND], [FOREIGN]].flatMap((keys, set) =>
        [0, 1, 2].map((checkpoint) => {
          const maker = makeLedger(false);
          const seal = sealOf(maker, checkpoint);
          const root = maker.checkpoints[checkpoint]?.rootHash ?? null;
          if (archiveTwist !== null) add(maker, 'ledger_archive', { ...archiveOf(seal, root), ...archiveTwist });
          close(maker);
          return ledgerCase(`${name}, checkpoint ${checkpoint}, keys ${set}`, maker, { ...seal, ...sealTwist }, keys);
        }),
      ),
    );
    expect(differences(cases)).toEqual([]);
    const holding = cases.filter(({ product }) => product === 'ok').map(({ name }) => name);
    expect(holding.map((name) => name.split(',')[0])).toEqual(Array.from({ length: 6 }, () => 'nothing'));
  });

  test('a sealed ledger that goes on under a key which no entry in it announces', () => {
    const maker = makeLedger(false, 3, (one) => rotate(one, FOREIGN));
    const seal = sealOf(maker, 1);
    add(maker, 'ledger_archive', archiveOf(seal, maker.checkpoints[1]?.rootHash ?? null));
    close(maker);
    // Whoever could write the file could write such a seal: what comes after it is not the word of the first key.
    expect(differences([ledgerCase('sealed', maker, seal)])).toEqual([]);
    const trusted = ledgerCase('sealed and trusted', maker, seal, [FIRST]);
    expect(differences([{ ...trusted, product: 'key at 5' }])).toEqual([]);
  });
});
