import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LedgerVerification } from '@sentineld/ledger/verify';
import { openLedger, readBody, readCheckpoints, readSeal, verifyLedgerFile, type VerifyFileOptions } from './read.ts';

// This process reads with node:sqlite, so the writer runs in a process of its own.
const NODE_OPTIONS = ['--conditions=sentineld-source', '--input-type=module', '-e'];

/** 41 entries, a rotation at 22, details beside 23; closed epochs of 8, one without entries, and 1 to 16 in an archive. */
const BODY = `for (let n = 2; n <= 20; n++) scan(n);
  writer.checkpoint(); writer.checkpoint();
  await writer.archive(ARCHIVE_BEFORE);
  writer.rotateKey();
  writer.append('procmond', [{ action: 'config_load', data: { text: 'x'.repeat(20000) } }]);
  for (let n = 24; n <= 41; n++) scan(n);`;

let whole = '';
let sealed = '';
let directory = '';

function make(archiveBefore: string): string {
  const made = mkdtempSync(join(tmpdir(), 'sentineld-verify-'));
  const program = `const { openLedgerWriter } = await import(${JSON.stringify(new URL('./writer.ts', import.meta.url).href)});
    let nowMs = 1_000_000;
    const at = (name) => ${JSON.stringify(made)} + '/' + name;
    const options = { path: at('ledger.db'), hostId: 'H', clock: () => (nowMs += 1000), keyDir: at('key'), archiveDir: at('archive'), checkpointEntries: 8, reserveBytes: 0 };
    const writer = openLedgerWriter(options);
    const scan = (number) => writer.append('procmond', [{ action: 'process_scan_complete', data: { number } }]);
    ${BODY.replace('ARCHIVE_BEFORE', archiveBefore)}
    writer.stop();
    process.exit(0);`;
  execFileSync(process.execPath, [...NODE_OPTIONS, program]);
  return made;
}

beforeAll(() => {
  whole = make('0');
  // Before the third checkpoint, which is of 20 entries.
  sealed = make('1_000_000 + 20_000');
});
afterAll(() => [whole, sealed].forEach((each) => rmSync(each, { recursive: true })));
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-verify-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** A copy of one of both ledgers, with something done to it. */
function verify(from: string, sql: string, options: VerifyFileOptions = {}): LedgerVerification {
  cpSync(from, directory, { recursive: true });
  const path = join(directory, 'ledger.db');
  const writable = new DatabaseSync(path, { defensive: false });
  writable.exec(`PRAGMA ignore_check_constraints = ON; ${sql}`);
  writable.close();
  const db = openLedger(path);
  try {
    return verifyLedgerFile(db, options);
  } finally {
    db.close();
  }
}

describe('a whole ledger', () => {
  test('holds', () => {
    expect(verify(whole, '')).toMatchObject({ ok: true, first: 1, notes: [] });
  });

  test.each([
    ['details that are gone', 'DELETE FROM audit_body', 'body'],
    ['details that are no text', 'UPDATE audit_body SET body = CAST(body || char(255) AS TEXT)', 'body'],
    ['a root of another type', 'UPDATE audit_checkpoint SET root_hash = zeroblob(31) WHERE epoch = 2', 'row'],
    ['a range that is none', 'UPDATE audit_checkpoint SET tree_range = zeroblob(33) WHERE epoch = 2', 'row'],
    ['a note that is not UTF-8', "UPDATE audit_checkpoint SET note = CAST(x'ff' AS TEXT) WHERE epoch = 2", 'row'],
    ['a checkpoint without entries that is gone', 'DELETE FROM audit_checkpoint WHERE epoch = 4', 'epoch'],
    ['every entry', 'DELETE FROM audit_ledger', 'empty'],
  ])('%s', (_name, sql, what) => {
    expect(verify(whole, sql)).toMatchObject({ ok: false, failure: { what } });
  });

  test('a part, with both ends signed', () => {
    expect(verify(whole, '', { part: { from: 12, to: 14 } })).toMatchObject({ ok: true, first: 9, entries: 8, signedSize: 16 });
    expect(verify(whole, 'UPDATE audit_ledger SET action = action || 1 WHERE sequence = 3', { part: { from: 12, to: null } }).ok).toBe(
      true,
    );
    expect(() => verify(whole, '', { part: { from: 1, to: 400 } })).toThrow(
      expect.objectContaining({ code: 'usage.invalid', why: expect.stringMatching(/^it has entries 1 to 4\d$/) }),
    );
  });

  test('a part from a checkpoint whose tree was changed', () => {
    const changed = verify(whole, 'UPDATE audit_checkpoint SET tree_range = zeroblob(32) WHERE epoch = 1', {
      part: { from: 12, to: null },
    });
    expect(changed).toMatchObject({ ok: false, failure: { sequence: 8, what: 'tree', epoch: 1 } });
  });
});

describe('a ledger of which the beginning is in an archive', () => {
  test('holds from its seal on, and says where the rest is', () => {
    const result = verify(sealed, '');
    expect(result).toMatchObject({ ok: true, first: 17, signedSize: expect.any(Number) });
    expect(result.notes).toEqual([expect.stringMatching(/^Entries 1 to 16 were archived \(entry \d+\): they are in .*ledger-1-16\.jsonl/)]);
    expect(result.cannotShow).toContain('What entries 1 to 16 say: they are in an archive, which was not read.');
  });

  test.each([
    ['without the entry that says so', `UPDATE audit_seal SET sequence = 0`, 'seal'],
    ['with another number', 'UPDATE audit_seal SET sequence = 8', 'seal'],
    ['with another hash', 'UPDATE audit_seal SET entry_hash = zeroblob(32)', 'seal'],
    ['with another tree', 'UPDATE audit_seal SET tree_range = zeroblob(32)', 'seal'],
    ['with keys that are none', "UPDATE audit_seal SET keys = '[1]'", 'seal'],
    ['without its checkpoint', 'DELETE FROM audit_checkpoint WHERE epoch = 2', 'seal'],
    ['of another ledger', "UPDATE audit_seal SET ledger_id = 'other'", 'seal'],
    ['with entries before it', 'UPDATE audit_ledger SET sequence = 3 WHERE sequence = 30', 'sequence'],
    ['that is gone', 'DELETE FROM audit_seal', 'sequence'],
  ])('a seal %s', (_name, sql, what) => {
    expect(verify(sealed, sql)).toMatchObject({ ok: false, failure: { what } });
  });
});

describe('rows beside the entries', () => {
  test('are read, and there are none in a ledger of an earlier release', () => {
    verify(sealed, '');
    const db = openLedger(join(directory, 'ledger.db'));
    expect([...readCheckpoints(db)].map(({ epoch }) => epoch).slice(0, 3)).toEqual([2, 3, 4]);
    expect(readSeal(db)).toMatchObject({ sequence: 16, epoch: 2, hostId: 'H' });
    db.close();
    const old = new DatabaseSync(':memory:');
    expect([[...readCheckpoints(old)], readSeal(old), readBody(old, '00')]).toEqual([[], null, null]);
  });
});
