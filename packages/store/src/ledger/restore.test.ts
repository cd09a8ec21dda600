import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CheckpointNotice } from '@sentineld/model/audit';
import { parseCheckpoint } from '@sentineld/ledger/checkpoint';
import { type LedgerFixture, createLedgerFixture, dataOf, entriesOf, scan, verifyFile } from './fixtures/ledger.fixture.ts';
import type { LedgerWriter } from './writer.ts';

let ledger: LedgerFixture;
beforeEach(() => {
  ledger = createLedgerFixture();
});
afterEach(() => ledger.remove());

/** A ledger that was put back from a copy, and the checkpoint that it lost by that. */
function putBack(): { readonly writer: LedgerWriter; readonly kept: CheckpointNotice; readonly lost: CheckpointNotice } {
  const before = ledger.open();
  const kept = before.checkpoint();
  before.stop();
  const copy = join(ledger.directory, 'copy.db');
  cpSync(ledger.path, copy);
  before.append('procmond', [scan(1)]);
  const lost = before.checkpoint();
  for (const suffix of ['-wal', '-shm']) rmSync(`${ledger.path}${suffix}`, { force: true });
  cpSync(copy, ledger.path);
  return { writer: ledger.open(), kept, lost };
}

test('a restore says who, why, and which checkpoints were given up', () => {
  const { writer, kept, lost } = putBack();
  const { sequence } = writer.restore({ reason: 'the disk broke', uid: 7, notes: [kept.note, lost.note] });
  const entry = entriesOf(ledger.path).at(-1);
  expect(entry).toMatchObject({ sequence, actor: 'procmond', action: 'ledger_restore' });
  const root = Buffer.from(parseCheckpoint(lost.note).checkpoint.rootHash).toString('hex');
  expect(dataOf(entry)).toEqual({ reason: 'the disk broke', uid: 7, abandoned: [{ epoch: 2, tree_size: 2, root }] });
  writer.checkpoint();
  expect(verifyFile(ledger.path)).toMatchObject({ ok: true });
});

test.each<[string, RegExp, (note: string) => string]>([
  ['of another ledger', /of another ledger/, (note) => note.replace('sentineld-ledger/', 'sentineld-ledger/x')],
  ['that was changed', /not signed by a key of this ledger/, (note) => note.replace('time 1', 'time 2')],
  ['that is none', /no signed checkpoint/, () => 'note'],
])('a note %s is refused, and nothing is recorded', (_name, message, change) => {
  const { writer, lost } = putBack();
  expect(() => writer.restore({ reason: 'r', uid: 0, notes: [lost.note, change(lost.note)] })).toThrow(
    expect.objectContaining({ code: 'ledger.input', message: expect.stringMatching(message) }),
  );
  expect([writer.failure(), writer.head().sequence]).toEqual([null, 1]);
});

test('a note of a key that came after the backup is refused', () => {
  const before = ledger.open();
  before.stop();
  const copies = ['ledger.db', 'key/ledger.pem'].map(
    (name) => [join(ledger.directory, name), join(ledger.directory, `${name}.copy`)] as const,
  );
  for (const [path, copy] of copies) cpSync(path, copy);
  before.rotateKey();
  const { note } = before.checkpoint();
  for (const suffix of ['-wal', '-shm']) rmSync(`${ledger.path}${suffix}`, { force: true });
  for (const [path, copy] of copies) cpSync(copy, path);
  expect(() => ledger.open().restore({ reason: 'r', uid: 0, notes: [note] })).toThrow(/not signed by a key of this ledger/);
});
