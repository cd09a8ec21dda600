import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type LedgerFixture, createLedgerFixture, scan, scans, tamper, verifyFile } from './fixtures/ledger.fixture.ts';

let ledger: LedgerFixture;
beforeEach(() => {
  ledger = createLedgerFixture();
});
afterEach(() => ledger.remove());

describe('the newest entries are verified when the ledger is opened', () => {
  test.each([
    ['sequence', 'UPDATE audit_ledger SET sequence = 200 WHERE sequence = 95', 95],
    ['timestamp', 'UPDATE audit_ledger SET timestamp = timestamp + 1 WHERE sequence = 95', 95],
    ['actor', "UPDATE audit_ledger SET actor = 'procmonD' WHERE sequence = 95", 95],
    ['action', "UPDATE audit_ledger SET action = 'start' WHERE sequence = 95", 95],
    ['payload_hash', 'UPDATE audit_ledger SET payload_hash = zeroblob(32) WHERE sequence = 95', 95],
    ['prev_hash', 'UPDATE audit_ledger SET prev_hash = zeroblob(32) WHERE sequence = 95', 95],
    ['entry_hash', 'UPDATE audit_ledger SET entry_hash = zeroblob(32) WHERE sequence = 95', 95],
    ['signature', 'UPDATE audit_ledger SET signature = zeroblob(64) WHERE sequence = 95', 95],
    ['event_data', "UPDATE audit_ledger SET event_data = event_data || ' ' WHERE sequence = 95", 95],
    ['format_version', 'UPDATE audit_ledger SET format_version = 3 WHERE sequence = 95', 95],
    ['epoch', 'UPDATE audit_ledger SET epoch = 2 WHERE sequence = 95', 95],
    ['key_id', "UPDATE audit_ledger SET key_id = 'k' WHERE sequence = 95", 95],
    ['a removed entry', 'DELETE FROM audit_ledger WHERE sequence = 95', 95],
    ['the newest entry', "UPDATE audit_ledger SET event_data = '{}' WHERE sequence = 101", 101],
    ['every entry', 'DELETE FROM audit_ledger', 1],
  ])('a change of %s', (_name, sql, sequence) => {
    ledger.open().append('procmond', scans(100));
    tamper(ledger.path, sql);
    expect(() => ledger.open()).toThrow(expect.objectContaining({ code: 'ledger.broken', context: expect.objectContaining({ sequence }) }));
    // Left as it is for whoever looks into it.
    expect(existsSync(`${ledger.path}-wal`)).toBe(true);
  });

  test('an older change is left to the full verification', () => {
    ledger.open().append('procmond', scans(100));
    tamper(ledger.path, "UPDATE audit_ledger SET event_data = '{}' WHERE sequence = 20");
    expect(ledger.open().append('procmond', [scan(1)]).sequence).toBe(102);
    expect(verifyFile(ledger.path)).toMatchObject({ ok: false, failure: { sequence: 20, what: 'payload_hash' } });
  });

  test('a change behind the back of a running writer stops it', () => {
    const writer = ledger.open();
    writer.append('procmond', [scan(1), scan(2)]);
    tamper(ledger.path, 'DELETE FROM audit_ledger WHERE sequence = 3');
    expect(() => writer.append('procmond', [scan(3)])).toThrow(
      expect.objectContaining({ code: 'ledger.broken', context: expect.objectContaining({ sequence: 3 }) }),
    );
    expect(writer.failure()).toMatchObject({ code: 'ledger.broken' });
    expect(() => writer.append('procmond', [scan(3)])).toThrow(/takes no entries since/);
    expect(writer.stop()).toBe(false);
  });
});
