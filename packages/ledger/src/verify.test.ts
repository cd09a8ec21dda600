import { describe, expect, test } from 'vitest';
import { SentinelError } from '@sentineld/model/error';
import { headOf } from './chain.ts';
import { signCheckpoint, type Checkpoint } from './checkpoint.ts';
import { entriesOf, sourceOf, sourceOfRecords } from './fixtures/ledger-source.ts';
import { makeLedger, makeSigner, type MadeLedger, type Step } from './fixtures/make-ledger.ts';
import { verifyLedger, type LedgerWitness } from './verify.ts';

const OLD = makeLedger(['old', ...Array.from({ length: 19 }, (): Step => 'old')]);
const OLD_ENTRIES = entriesOf(OLD.records);
const SIGNED = makeLedger(['entry', 'checkpoint', 'entry', 'entry', 'checkpoint', 'entry']);

function headWitness({ records }: MadeLedger, sequence: number, name = "the agent's file"): LedgerWitness {
  const found = entriesOf(records).find(({ entry }) => entry.sequence === sequence);
  if (found === undefined) throw new Error(`no entry ${sequence}`);
  return { name, head: headOf(found.entry) };
}

function checkpoints({ records }: MadeLedger): readonly Checkpoint[] {
  return records.flatMap((record) => (record.kind === 'checkpoint' ? [record.checkpoint] : []));
}

function newestOf(made: MadeLedger): Checkpoint {
  const newest = checkpoints(made).at(-1);
  if (newest === undefined) throw new Error('no checkpoint');
  return newest;
}

const outside = ({ note }: Checkpoint, name = 'a mirror'): LedgerWitness => ({ name, checkpoint: note });

describe('a ledger without keys, of format version 1', () => {
  test('holds from end to end, and nobody says who wrote it', () => {
    const result = verifyLedger(sourceOf(OLD_ENTRIES));
    expect(result).toMatchObject({ ok: true, first: 1, entries: 20, ledgerId: OLD.ledgerId, checkpoints: 0, signedSize: 0, notes: [] });
    expect(result).not.toHaveProperty('failure');
    expect(result.cannotShow).toEqual([
      'No witness: entries removed from the end cannot be noticed, nor a ledger that was rewritten as a whole.',
      'Who wrote the entries: they are not signed.',
    ]);
  });

  test('entries removed from the end: unnoticed without a witness, named with one', () => {
    const cut = sourceOf(OLD_ENTRIES.slice(0, 15));
    expect(verifyLedger(cut).ok).toBe(true);
    const witnesses = [headWitness(OLD, 18), headWitness(OLD, 10)];
    expect(verifyLedger(cut, { witnesses })).toMatchObject({
      ok: false,
      entries: 15,
      failure: {
        sequence: 18,
        what: 'witness',
        why: "the agent's file knows entry 18, but the ledger ends at 15: entries 16 to 18 are gone",
      },
    });
  });

  test('two witnesses that contradict each other cannot both hold', () => {
    const other: LedgerWitness = { name: 'a note', head: { sequence: 12, entryHash: 'ff' } };
    expect(verifyLedger(sourceOf(OLD_ENTRIES), { witnesses: [headWitness(OLD, 12), other] }).failure).toMatchObject({
      sequence: 12,
      what: 'witness',
      why: 'a note knows another entry 12: entries up to there were replaced after they were witnessed',
    });
  });

  test('says up to where witnesses confirm it and what remains open', () => {
    const { ok, shows, cannotShow } = verifyLedger(sourceOf(OLD_ENTRIES), {
      witnesses: [headWitness(OLD, 7), headWitness(OLD, 12, 'a note')],
    });
    expect(ok).toBe(true);
    expect(shows).toContain('Entries 1 to 12 are those that a note acknowledged.');
    expect(cannotShow.join('\n')).toMatch(/after entry 12, the newest that a witness knows/);
  });

  test('a row that is no entry is a failure, another error of the source is not swallowed', () => {
    const throwing = (error: Error) =>
      sourceOf([], [], {
        feed: () => {
          throw error;
        },
      });
    const broken = new SentinelError('ledger.broken', {
      message: 'Entry 4.',
      context: { sequence: 4, what: 'row', why: 'actor is not text' },
    });
    expect(verifyLedger(throwing(broken))).toMatchObject({ ok: false, failure: { sequence: 4, what: 'row', why: 'actor is not text' } });
    expect(() => verifyLedger(throwing(new Error('disk on fire')))).toThrow('disk on fire');
  });
});

describe('checkpoints from elsewhere', () => {
  const source = sourceOfRecords(SIGNED.records);
  const newest = newestOf(SIGNED);
  const rewritten = makeLedger(['checkpoint', 'entry', 'entry', 'checkpoint', 'entry', 'entry']);

  test('one that agrees narrows what remains open', () => {
    const { ok, outsideSize, shows, cannotShow } = verifyLedger(source, { witnesses: checkpoints(SIGNED).map((each) => outside(each)) });
    expect([ok, outsideSize]).toEqual([true, 4]);
    expect(shows).toContain('Entries 1 to 4 are those of a signed checkpoint that a mirror keeps.');
    expect(cannotShow).toContain(
      'Whether entries after 4 were rewritten with the key: no checkpoint of them is known elsewhere (1 entries).',
    );
  });

  test('a ledger that was rewritten with its own key is told by its root', () => {
    expect(verifyLedger(sourceOfRecords(rewritten.records)).ok).toBe(true);
    expect(verifyLedger(sourceOfRecords(rewritten.records), { witnesses: [outside(newest)] }).failure).toMatchObject({
      sequence: 4,
      what: 'witness',
      why: expect.stringContaining('has another root'),
    });
  });

  test('a ledger that was put back is too short', () => {
    const back = SIGNED.records.slice(0, 4);
    expect(verifyLedger(sourceOfRecords(back), { witnesses: [outside(newest)] }).failure).toMatchObject({
      sequence: 4,
      what: 'witness',
      why: expect.stringContaining('and the ledger ends at 3: entry 4 is gone'),
    });
  });

  test('of another ledger, and one that nobody signed who may', () => {
    const elsewhere = newestOf(makeLedger(['entry', 'checkpoint'], { ledgerId: 'other' }));
    expect(verifyLedger(source, { witnesses: [outside(elsewhere)] }).failure).toMatchObject({
      what: 'witness',
      why: expect.stringContaining('of another ledger'),
    });
    const forged = signCheckpoint(newest, makeSigner('stranger'));
    expect(verifyLedger(source, { witnesses: [outside(forged)] }).failure).toMatchObject({
      what: 'witness',
      why: expect.stringContaining('that no key of this ledger signed'),
    });
  });

  test('a line that was cut short is a note', () => {
    const { ok, notes } = verifyLedger(source, { witnesses: [{ name: 'a mirror', checkpoint: newest.note.slice(0, 40) }] });
    expect(ok).toBe(true);
    expect(notes).toEqual([expect.stringMatching(/^A checkpoint of a mirror cannot be read: /)]);
  });

  test('a key to trust is named in what it shows; without one only the ledger says whose it is', () => {
    const trusted = SIGNED.signers.map(({ key }) => key);
    expect(verifyLedger(source, { trusted }).shows).toContainEqual(
      expect.stringMatching(/^Entries 1 to 4 are those that were signed with a key that you trust \(epoch 2, 2026-/),
    );
    expect(verifyLedger(source).cannotShow).toContain(
      `Whose key it is: only the ledger says so (${trusted[0]?.id}). Give a key that you keep elsewhere.`,
    );
    expect(verifyLedger(source, { trusted: [makeSigner('stranger').key] }).failure).toMatchObject({ what: 'key' });
  });
});
