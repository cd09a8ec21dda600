import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ledgerIdOf, originOf, parseCheckpoint, signCheckpoint, type CheckpointFields } from './checkpoint.ts';
import { LEDGER_ID, makeSigner } from './fixtures/make-ledger.ts';
import { signNote, verifyNote } from './note.ts';

const signer = makeSigner('checkpoint');
const fields: CheckpointFields = {
  origin: originOf(LEDGER_ID),
  treeSize: 2,
  rootHash: new Uint8Array(32).fill(7),
  epoch: 1,
  timestampMs: 1_767_225_602_000,
  chain: new Uint8Array(32).fill(9),
};
const ROOT = Buffer.alloc(32, 7).toString('base64');
const CHAIN = Buffer.alloc(32, 9).toString('base64');
const LINES = [`sentineld-ledger/${LEDGER_ID}`, '2', ROOT, 'epoch 1', 'time 1767225602000', `chain ${CHAIN}`];

describe('a checkpoint', () => {
  test('is the text of docs/ledger-format.md, signed', () => {
    const { note } = signCheckpoint(fields, signer);
    expect(note.startsWith(`${LINES.join('\n')}\n\n— ${fields.origin} `)).toBe(true);
    const { checkpoint, signed } = parseCheckpoint(note);
    expect(checkpoint).toEqual({ ...fields, note });
    expect(verifyNote(signed, signer.key)).toBe('valid');
  });

  test('any fields are read as they were signed', () => {
    const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const any = fc.record({
      treeSize: fc.maxSafeNat(),
      epoch: fc.maxSafeNat().map((epoch) => Math.max(1, epoch)),
      timestampMs: fc.maxSafeNat(),
      rootHash: hash,
      chain: hash,
    });
    fc.assert(
      fc.property(any, (changed) => {
        const signed = signCheckpoint({ ...fields, ...changed }, signer);
        expect(parseCheckpoint(signed.note).checkpoint).toEqual({ ...fields, ...changed, note: signed.note });
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  test('further signatures are allowed', () => {
    const { note } = signCheckpoint(fields, signer);
    expect(parseCheckpoint(`${note}— witness.example ${Buffer.alloc(68).toString('base64')}\n`).checkpoint.treeSize).toBe(2);
  });

  test('the id of the ledger is in its origin', () => {
    expect(ledgerIdOf(fields.origin)).toBe(LEDGER_ID);
    expect(ledgerIdOf('example.com/log')).toBeNull();
  });
});

describe('what is no checkpoint', () => {
  const change = (line: number, text: string): string[] => LINES.map((was, index) => (index === line - 1 ? text : was));

  test.each<[string, readonly string[], RegExp]>([
    ['one of another log', change(1, 'example.com/log'), /line 1 does not begin with sentineld-ledger\//],
    ['a size that is no number', change(2, '2x'), /line 2, the tree size, is not a whole number below 2\^53/],
    ['a size of 2^53', change(2, '9007199254740992'), /line 2/],
    ['a size with a leading zero', change(2, '02'), /line 2/],
    ['a negative size', change(2, '-1'), /line 2/],
    ['a size in hex', change(2, '0x2'), /line 2/],
    ['a short root', change(3, Buffer.alloc(31).toString('base64')), /line 3, the root, is not 32 bytes in base64/],
    ['a root in hex', change(3, '07'.repeat(32)), /line 3/],
    ['no epoch', change(4, 'epoch'), /line 4, the epoch, is not/],
    ['epoch 0', change(4, 'epoch 0'), /line 4, the epoch, is 0/],
    ['an epoch with two spaces', change(4, 'epoch  1'), /line 4/],
    ['another word for the epoch', change(4, 'era 1'), /line 4/],
    ['a time with a fraction', change(5, 'time 1.5'), /line 5, the time/],
    ['no chain', change(6, 'chain '), /line 6, the chain/],
    ['lines in another order', [...LINES.slice(0, 4), LINES[5] ?? '', LINES[4] ?? ''], /line 5/],
    ['a line too few', LINES.slice(0, 5), /its text has 5 lines, not 6/],
    ['a line too many', [...LINES, 'more 1'], /its text has 7 lines, not 6/],
  ])('%s', (_name, lines, why) => {
    const note = signNote(`${lines.join('\n')}\n`, signer);
    expect(() => parseCheckpoint(note)).toThrow(expect.objectContaining({ code: 'ledger.input', why: expect.stringMatching(why) }));
  });
});
