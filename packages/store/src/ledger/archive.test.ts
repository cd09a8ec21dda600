import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openExport } from '@sentineld/ledger/export-file';
import { createWalk } from '@sentineld/ledger/walk';
import {
  type LedgerFixture,
  PEER,
  checkpointsOf,
  createLedgerFixture,
  cycle,
  dataOf,
  entriesOf,
  scan,
  scans,
  tamper,
  verifyFile,
  withDatabase,
} from './fixtures/ledger.fixture.ts';
import type { LedgerWriter } from './writer.ts';

let ledger: LedgerFixture;
beforeEach(() => {
  ledger = createLedgerFixture();
});
afterEach(() => ledger.remove());

/** Number of the last entry of a file that holds by itself, from its own start on. */
function verifiedArchive(path: string): number {
  const { start, records } = openExport([readFileSync(path)]);
  const walk = createWalk(start, { trusted: null });
  for (const record of records) {
    const failure = record.kind === 'entry' ? walk.entry(record.entry, record.body) : walk.checkpoint(record.row);
    expect(failure).toBeNull();
  }
  expect(walk.end().failure).toBeNull();
  return walk.position().sequence;
}

/** Three epochs: entries 1 to 101, none, and 102 to 201; two more entries are open. */
function filled(): LedgerWriter {
  const writer = ledger.open();
  writer.append('procmond', scans(100));
  writer.checkpoint();
  writer.checkpoint();
  writer.append('procmond', scans(100));
  ledger.nowMs = 50_000;
  writer.checkpoint();
  writer.append('procmond', scans(2));
  return writer;
}

describe('archive', () => {
  test('moves what is older into a file that holds by itself, and the ledger goes on from the seal', async () => {
    const writer = filled();
    const { root } = { root: Buffer.from(checkpointsOf(ledger.path)[1]?.rootHash ?? []).toString('hex') };
    const reply = await writer.archive(50_000);
    const path = join(ledger.archiveDir, 'ledger-1-101.jsonl');
    const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
    expect(reply).toEqual({ path, throughSequence: 101, entries: 101, sha256 });
    expect([statSync(path).mode & 0o777, readdirSync(ledger.archiveDir)]).toEqual([0o640, ['ledger-1-101.jsonl']]);
    expect(verifiedArchive(path)).toBe(101);
    const entries = entriesOf(ledger.path);
    expect([entries[0]?.sequence, entries.at(-1)]).toEqual([102, expect.objectContaining({ sequence: 204, action: 'ledger_archive' })]);
    expect(dataOf(entries.at(-1))).toMatchObject({
      through_sequence: 101,
      epoch: 2,
      root,
      chain: Buffer.from(entries[0]?.prevHash ?? []).toString('hex'),
      file: path,
      sha256,
      keys: [{ key: writer.key().text, first_epoch: 1 }],
    });
    expect(checkpointsOf(ledger.path).map(({ epoch }) => epoch)).toEqual([2, 3]);
    const again = ledger.open();
    expect([again.key(), again.head()]).toEqual([writer.key(), writer.head()]);
    again.append('procmond', [scan(1)]);
    again.checkpoint();
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true, first: 102, entries: 104 });
  });

  test('a second one goes on where the first ended, over a rotated key', async () => {
    const writer = filled();
    await writer.archive(50_000);
    writer.rotateKey();
    writer.append('procmond', scans(3));
    writer.rotateKey();
    const reply = await ledger.open().archive(Number.MAX_SAFE_INTEGER);
    expect(reply).toMatchObject({ path: join(ledger.archiveDir, 'ledger-102-209.jsonl'), throughSequence: 209, entries: 108 });
    expect(verifiedArchive(reply.path)).toBe(209);
    expect(dataOf(entriesOf(ledger.path)[0])).toMatchObject({ keys: [{ first_epoch: 1 }, { first_epoch: 5 }, { first_epoch: 7 }] });
    const again = ledger.open();
    again.append('procmond', [scan(1)]);
    again.checkpoint();
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true, first: 210, entries: 2 });
    expect(again.rotateKey().firstEpoch).toBe(10);
    expect(ledger.open().key()).toEqual(again.key());
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true });
  });

  test('a key that was rotated after the seal is told by its entry alone', async () => {
    const writer = filled();
    writer.rotateKey();
    await writer.archive(50_000);
    expect(ledger.open().key()).toEqual(writer.key());
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true, keys: [{}, {}] });
  });

  test('nothing to move: nothing happens', async () => {
    const writer = filled();
    expect(await writer.archive(1_000)).toEqual({ path: '', throughSequence: 0, entries: 0, sha256: '' });
    await writer.archive(50_000);
    const head = writer.head();
    expect(await writer.archive(50_000)).toEqual({ path: '', throughSequence: 101, entries: 0, sha256: '' });
    expect([writer.head(), readdirSync(ledger.archiveDir)]).toEqual([head, ['ledger-1-101.jsonl']]);
  });

  test('details that no entry has any more go along, the others stay', async () => {
    const writer = ledger.open();
    const large = (text: string) => ({ action: 'start' as const, data: { text: text.repeat(20_000) } });
    writer.append('procmond', [large('a'), large('b')]);
    writer.checkpoint();
    ledger.nowMs = 50_000;
    writer.append('procmond', [large('b'), large('c')]);
    const { path } = await writer.archive(50_000);
    expect(verifiedArchive(path)).toBe(3);
    const bodies = withDatabase(ledger.path, (db) => db.prepare('SELECT body FROM audit_body').pluck().all());
    expect(bodies.map((body) => String(body).at(10)).toSorted()).toEqual(['b', 'c']);
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true, entries: 3 });
  });

  test('submissions and checkpoints go on between its pages', async () => {
    const writer = ledger.open({ groupMs: 0 });
    writer.append('procmond', scans(2_000));
    writer.checkpoint();
    const archived = writer.archive(Number.MAX_SAFE_INTEGER);
    const during: string[] = [];
    void archived.then(() => during.push('archived'));
    for (let at = 1; at <= 5; at++) {
      await writer.submit('sentinelagent', 'a', [cycle(at)], PEER);
      during.push('submitted');
      writer.checkpoint();
    }
    await expect(writer.archive(1)).rejects.toMatchObject({ code: 'state.unusable', message: expect.stringContaining('already') });
    await archived;
    expect(during).toEqual([...Array.from({ length: 5 }, () => 'submitted'), 'archived']);
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true, first: 2_002, entries: 6 });
    expect(await writer.archive(1)).toMatchObject({ entries: 0 });
  });

  test('its space is given back', async () => {
    const writer = ledger.open();
    writer.append('procmond', scans(3_000));
    writer.checkpoint();
    await writer.archive(Number.MAX_SAFE_INTEGER);
    expect(withDatabase(ledger.path, (db) => db.pragma('freelist_count', { simple: true }))).toBe(0);
  });
});

describe('an archive that cannot be made leaves everything as it was', () => {
  test.each([
    ['an entry that was changed', "UPDATE audit_ledger SET event_data = '{}' WHERE sequence = 50", 'payload_hash'],
    ['an entry that is gone', 'DELETE FROM audit_ledger WHERE sequence = 50', 'sequence'],
    ['a checkpoint that is gone', 'DELETE FROM audit_checkpoint WHERE epoch = 1', 'checkpoint_missing'],
  ])('%s', async (_name, sql, what) => {
    const writer = filled();
    tamper(ledger.path, sql);
    const before = entriesOf(ledger.path).length;
    await expect(writer.archive(50_000)).rejects.toMatchObject({ code: 'ledger.broken', context: { what } });
    expect([entriesOf(ledger.path).length, readdirSync(ledger.archiveDir), writer.failure()]).toEqual([before, [], null]);
    expect(writer.append('procmond', [scan(1)]).sequence).toBe(204);
  });

  test('a file of its name that has something else', async () => {
    const writer = filled();
    mkdirSync(ledger.archiveDir);
    const path = join(ledger.archiveDir, 'ledger-1-101.jsonl');
    writeFileSync(path, 'mine');
    await expect(writer.archive(50_000)).rejects.toMatchObject({ code: 'state.unusable', why: expect.stringContaining('4 bytes') });
    expect([readFileSync(path, 'utf8'), readdirSync(ledger.archiveDir), writer.head().sequence]).toEqual([
      'mine',
      ['ledger-1-101.jsonl'],
      203,
    ]);
  });

  test('a directory that is none', async () => {
    const writer = filled();
    writeFileSync(ledger.archiveDir, '');
    await expect(writer.archive(50_000)).rejects.toMatchObject({
      code: 'state.unusable',
      message: expect.stringContaining('cannot be written'),
    });
    expect([writer.failure(), writer.head().sequence]).toEqual([null, 203]);
  });

  test('interrupted when the file was there and the entry was not: it is made again with the same bytes', async () => {
    const writer = filled();
    tamper(ledger.path, "CREATE TRIGGER refuse BEFORE INSERT ON audit_seal BEGIN SELECT RAISE(ABORT, 'no'); END");
    await expect(writer.archive(50_000)).rejects.toThrow(/no/);
    expect(writer.failure()).not.toBeNull();
    const path = join(ledger.archiveDir, 'ledger-1-101.jsonl');
    expect([existsSync(path), entriesOf(ledger.path).length]).toEqual([true, 203]);
    writeFileSync(join(ledger.archiveDir, '.ledger-1-99.jsonl.partial'), 'half of it');
    tamper(ledger.path, 'DROP TRIGGER refuse');
    writer.reopen();
    expect(await writer.archive(50_000)).toMatchObject({ path, entries: 101 });
    expect([readdirSync(ledger.archiveDir), verifiedArchive(path)]).toEqual([['ledger-1-101.jsonl'], 101]);
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true, first: 102 });
  });
});
