import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseCheckpoint } from '@sentineld/ledger/checkpoint';
import { parseKey, verifyNote } from '@sentineld/ledger/note';
import { type LedgerFixture, createLedgerFixture, entriesOf, scan, scans, tamper, verifyFile } from './fixtures/ledger.fixture.ts';

let ledger: LedgerFixture;
beforeEach(() => {
  ledger = createLedgerFixture();
});
afterEach(() => ledger.remove());

describe('epochs', () => {
  test('a checkpoint covers all entries, is signed by the key, and the next entry is of the next epoch', () => {
    const writer = ledger.open();
    expect(writer.newestCheckpoint()).toBeNull();
    writer.append('procmond', [scan(1), scan(2)]);
    const notice = writer.checkpoint();
    expect(notice).toMatchObject({ epoch: 1, treeSize: 3, note: expect.stringContaining('\nepoch 1\n') });
    expect([writer.newestCheckpoint(), ledger.notices]).toEqual([notice, [notice]]);
    expect(verifyNote(parseCheckpoint(notice.note).signed, parseKey(writer.key().text))).toBe('valid');
    writer.append('procmond', [scan(3)]);
    expect(entriesOf(ledger.path).map(({ epoch, keyId, formatVersion }) => [epoch, keyId, formatVersion])).toEqual(
      [1, 1, 1, 2].map((epoch) => [epoch, writer.key().id, 2]),
    );
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true, entries: 4, checkpoints: 1, signedSize: 3 });
  });

  test('an epoch without entries has a checkpoint too', () => {
    const writer = ledger.open();
    expect([writer.checkpoint(), writer.checkpoint(), writer.checkpoint()].map(({ epoch, treeSize }) => [epoch, treeSize])).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true, checkpoints: 3 });
  });

  test('after so many entries the epoch is closed in the same transaction', () => {
    const writer = ledger.open({ checkpointEntries: 10 });
    writer.append('procmond', scans(8));
    expect(ledger.notices).toEqual([]);
    writer.append('procmond', [scan(1)]);
    writer.append('procmond', scans(25));
    expect(ledger.notices.map(({ epoch, treeSize }) => [epoch, treeSize])).toEqual([
      [1, 10],
      [2, 35],
    ]);
    expect(writer.newestCheckpoint()).toEqual(ledger.notices[1]);
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true, checkpoints: 2 });
  });

  test('the tree goes on from the newest checkpoint, whatever came after it', () => {
    for (const entries of [0, 1, 7, 64, 100]) {
      const writer = ledger.open();
      writer.append('procmond', scans(entries));
      writer.checkpoint();
      writer.append('procmond', scans(entries));
    }
    const writer = ledger.open();
    expect(writer.newestCheckpoint()).toEqual(ledger.notices.at(-1));
    writer.checkpoint();
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true, checkpoints: 6, entries: 345, signedSize: 345 });
  });

  test('entries are signed by themselves where that is asked for', () => {
    ledger.open({ signEntries: true }).append('procmond', [scan(1)]);
    ledger.open().append('procmond', [scan(2)]);
    expect(entriesOf(ledger.path).map(({ signature }) => signature?.length ?? null)).toEqual([64, 64, null]);
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true, entries: 3 });
    tamper(ledger.path, 'UPDATE audit_ledger SET signature = (SELECT signature FROM audit_ledger WHERE sequence = 1) WHERE sequence = 2');
    expect(() => ledger.open()).toThrow(
      expect.objectContaining({ code: 'ledger.broken', context: expect.objectContaining({ sequence: 2, what: 'signature' }) }),
    );
  });
});

describe('a newest checkpoint that does not hold stops the opening', () => {
  beforeEach(() => {
    const writer = ledger.open();
    writer.checkpoint();
    writer.append('procmond', scans(99));
    writer.checkpoint();
    writer.append('procmond', scans(100));
  });

  test.each([
    ['another root', 'UPDATE audit_checkpoint SET root_hash = zeroblob(32) WHERE epoch = 2', 'checkpoint'],
    ['another tree', 'UPDATE audit_checkpoint SET tree_range = zeroblob(length(tree_range)) WHERE epoch = 2', 'seal'],
    ['a tree of another size', "UPDATE audit_checkpoint SET tree_range = x'' WHERE epoch = 2", 'tree'],
    ['another size', 'UPDATE audit_checkpoint SET tree_size = 99 WHERE epoch = 2', 'tree'],
    ['another key', "UPDATE audit_checkpoint SET key_id = '00000000'", 'key'],
    ['a note that was changed', "UPDATE audit_checkpoint SET note = replace(note, 'time ', 'time 1')", 'checkpoint'],
    ['a note that is none', "UPDATE audit_checkpoint SET note = 'note'", 'checkpoint'],
    ['another time', "UPDATE audit_checkpoint SET note = replace(note, 'time ', 'time 1'), timestamp = 1 || timestamp", 'signature'],
    ['a covered entry that is gone', 'DELETE FROM audit_ledger WHERE sequence = 100', 'tree'],
    ['every checkpoint gone', 'DELETE FROM audit_checkpoint', 'checkpoint_missing'],
    ['the newest checkpoint gone', 'DELETE FROM audit_checkpoint WHERE epoch = 2', 'checkpoint_missing'],
    ['no entry that names a key', "UPDATE audit_ledger SET action = 'start' WHERE sequence = 1; DELETE FROM audit_checkpoint", 'key'],
    ['a later entry that is gone', 'DELETE FROM audit_ledger WHERE sequence = 110', 'sequence'],
  ])('%s', (_name, sql, what) => {
    tamper(ledger.path, sql);
    expect(() => ledger.open()).toThrow(expect.objectContaining({ code: 'ledger.broken', context: expect.objectContaining({ what }) }));
  });

  test('entries that it covers are gone from the end', () => {
    tamper(ledger.path, 'DELETE FROM audit_ledger WHERE sequence > 90');
    expect(() => ledger.open()).toThrow(/a checkpoint covers it/);
  });
});
