import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import Database from 'better-sqlite3';
import { HASH_BYTES, hashEntry, hashPayload } from '@sentineld/ledger/canonical-entry';
import { migrate } from '../migrations/migrate.ts';
import { writeMetadata } from '../migrations/system-metadata.ts';
import { type LedgerFixture, createLedgerFixture, dataOf, entriesOf, scan, tamper, verifyFile } from './fixtures/ledger.fixture.ts';
import { prepareLedgerFile } from './ledger-file.ts';
import { LEDGER_MIGRATIONS } from './migrations.ts';

const LEDGER_ID = '3b241101-e2bb-4255-8caf-4136c566a962';

let ledger: LedgerFixture;
beforeEach(() => {
  ledger = createLedgerFixture();
  makeOldLedger(100);
});
afterEach(() => ledger.remove());

/** A ledger as the release before wrote it: schema 1, entries of format version 1. */
function makeOldLedger(entries: number): void {
  const db = new Database(ledger.path);
  db.pragma('auto_vacuum = INCREMENTAL');
  db.pragma('journal_mode = WAL');
  migrate(db, LEDGER_MIGRATIONS, 1);
  writeMetadata(db, 'ledger_id', LEDGER_ID, 1);
  writeMetadata(db, 'host_id', 'H', 1);
  const { insertEntries } = prepareLedgerFile(db);
  let prevHash: Uint8Array = new Uint8Array(HASH_BYTES);
  for (let sequence = 1; sequence <= entries; sequence++) {
    const action = sequence === 1 ? 'ledger_create' : 'start';
    const eventData = sequence === 1 ? JSON.stringify({ ledger_id: LEDGER_ID, host_id: 'H', format: 1, hash: 'BLAKE3' }) : '{}';
    const fields = {
      sequence,
      timestampMs: sequence,
      actor: 'procmond',
      action,
      eventData,
      formatVersion: 1,
      epoch: 0,
      keyId: '',
      prevHash,
    };
    const hashed = { ...fields, payloadHash: hashPayload(eventData) };
    const entry = { ...hashed, entryHash: hashEntry(hashed), signature: null };
    insertEntries([entry]);
    prevHash = entry.entryHash;
  }
  db.exec(
    'DROP INDEX audit_ledger_key; DROP INDEX audit_ledger_body; DROP TABLE audit_checkpoint; DROP TABLE audit_body; DROP TABLE audit_seal',
  );
  db.pragma('user_version = 1');
  db.close();
}

describe('a ledger of format version 1', () => {
  test('gets a key, and a checkpoint over all that it had', () => {
    const writer = ledger.open();
    expect(entriesOf(ledger.path).at(-1)).toMatchObject({
      sequence: 101,
      action: 'key_create',
      formatVersion: 2,
      epoch: 1,
      keyId: writer.key().id,
    });
    expect(dataOf(entriesOf(ledger.path).at(-1))).toEqual({ key: writer.key().text, reason: expect.stringContaining('earlier release') });
    expect([writer.key().firstEpoch, writer.newestCheckpoint()]).toEqual([1, expect.objectContaining({ epoch: 1, treeSize: 101 })]);
    writer.append('procmond', [scan(1)]);
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true, entries: 102, signedSize: 101, notes: [] });
    expect(ledger.open().head()).toEqual(writer.head());
  });

  test('can be archived', async () => {
    const { entries, throughSequence } = await ledger.open().archive(Number.MAX_SAFE_INTEGER);
    expect([entries, throughSequence]).toEqual([101, 101]);
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true, first: 102, entries: 1 });
    expect(ledger.open().key().firstEpoch).toBe(1);
  });

  test('that has a gap is not signed', () => {
    tamper(ledger.path, 'DELETE FROM audit_ledger WHERE sequence = 20');
    expect(() => ledger.open()).toThrow(
      expect.objectContaining({ code: 'ledger.broken', context: expect.objectContaining({ sequence: 20 }) }),
    );
    expect(entriesOf(ledger.path)).toHaveLength(99);
  });
});
