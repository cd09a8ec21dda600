import { generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keyOfEpoch } from '@sentineld/ledger/keys';
import {
  type LedgerFixture,
  checkpointsOf,
  createLedgerFixture,
  dataOf,
  entriesOf,
  scan,
  tamper,
  verifyFile,
} from './fixtures/ledger.fixture.ts';

const isRoot = process.geteuid?.() === 0;

let ledger: LedgerFixture;
beforeEach(() => {
  ledger = createLedgerFixture();
});
afterEach(() => ledger.remove());

const nextPath = (): string => `${ledger.keyPath}.new`;
const actions = (): string[] => entriesOf(ledger.path).map(({ action }) => action);

describe('the key of a ledger', () => {
  test('is made with it, is the owner’s alone, and is found again', () => {
    const { text, id, firstEpoch } = ledger.open().key();
    expect([statSync(dirname(ledger.keyPath)).mode & 0o777, statSync(ledger.keyPath).mode & 0o777]).toEqual([0o700, 0o600]);
    expect(readFileSync(ledger.keyPath, 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    expect(readdirSync(dirname(ledger.keyPath))).toEqual(['ledger.pem']);
    expect([dataOf(entriesOf(ledger.path)[0])['key'], firstEpoch]).toEqual([text, 1]);
    expect(ledger.open().key()).toEqual({ text, id, firstEpoch });
  });

  test('that is lost is replaced, and the ledger says so', () => {
    const first = ledger.open();
    first.checkpoint();
    first.append('procmond', [scan(1)]);
    rmSync(ledger.keyPath);
    const writer = ledger.open();
    expect(writer.key()).toMatchObject({ firstEpoch: 2 });
    expect(writer.key().id).not.toBe(first.key().id);
    expect(dataOf(entriesOf(ledger.path)[2])).toEqual({ key: writer.key().text, reason: expect.stringContaining('private key') });
    expect(writer.newestCheckpoint()).toMatchObject({ epoch: 2, treeSize: 3 });
    writer.append('procmond', [scan(2)]);
    const result = verifyFile(ledger.path);
    expect(result).toMatchObject({ ok: true, entries: 4, notes: [expect.stringContaining('no key before it announced it')] });
    expect(keyOfEpoch(result.keys, 1)?.id).toBe(first.key().id);
    expect(ledger.open().key()).toEqual(writer.key());
  });

  test('that was made anew and not yet put in its place is put there by the next opening', () => {
    ledger.open();
    rmSync(ledger.keyPath);
    const writer = ledger.open();
    renameSync(ledger.keyPath, nextPath());
    expect(ledger.open().key()).toEqual(writer.key());
    expect([readdirSync(dirname(ledger.keyPath)), actions()]).toEqual([['ledger.pem'], ['ledger_create', 'key_create']]);
  });

  test('of a new ledger may be that of an earlier one', () => {
    const before = ledger.open().key();
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${ledger.path}${suffix}`, { force: true });
    const after = ledger.open().key();
    expect(after.text.split('+')[2]).toBe(before.text.split('+')[2]);
    expect(after.id).not.toBe(before.id);
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true });
  });

  test.each<[string, string, RegExp, () => void]>([
    ['others may read', 'state.unusable', /others may read/, () => chmodSync(ledger.keyPath, 0o640)],
    [
      'a symbolic link',
      'state.unusable',
      /symbolic link/,
      () => {
        renameSync(ledger.keyPath, `${ledger.keyPath}.kept`);
        symlinkSync(`${ledger.keyPath}.kept`, ledger.keyPath);
      },
    ],
    ['a directory', 'state.unusable', /not an ordinary file/, () => (rmSync(ledger.keyPath), mkdirSync(ledger.keyPath, { mode: 0o700 }))],
    ['empty', 'ledger.input', /not a private key in PEM/, () => writeFileSync(ledger.keyPath, '')],
    ['of another algorithm', 'ledger.input', /x25519, not Ed25519/, () => writeFileSync(ledger.keyPath, pem('x25519'))],
    ['of another ledger', 'state.unusable', /names [0-9a-f]{8}, and the file has/, () => writeFileSync(ledger.keyPath, pem('ed25519'))],
    [
      'in a directory that others may write to',
      'state.unusable',
      /others may write to it/,
      () => chmodSync(dirname(ledger.keyPath), 0o777),
    ],
    [
      'in no directory',
      'state.unusable',
      /it is not a directory/,
      () => (rmSync(dirname(ledger.keyPath), { recursive: true }), writeFileSync(dirname(ledger.keyPath), '')),
    ],
  ])('that is %s is refused, and nothing is changed', (_name, code, why, change) => {
    ledger.open().append('procmond', [scan(1)]);
    change();
    expect(() => ledger.open()).toThrow(expect.objectContaining({ code, why: expect.stringMatching(why) }));
    expect(actions()).toEqual(['ledger_create', 'process_scan_complete']);
  });

  test.skipIf(!isRoot)('that belongs to somebody else is refused (needs root, to give it away)', () => {
    ledger.open();
    chownSync(ledger.keyPath, 12_345, 12_345);
    expect(() => ledger.open()).toThrow(
      expect.objectContaining({ code: 'state.unusable', why: expect.stringContaining('owned by user 12345') }),
    );
  });

  function pem(type: 'ed25519' | 'x25519'): string {
    const { privateKey } = type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('x25519');
    return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  }
});

describe('rotateKey', () => {
  test('ends the epoch with the old key, and the new one closes the next at once', () => {
    const writer = ledger.open();
    writer.append('procmond', [scan(1)]);
    const old = writer.key();
    const reply = writer.rotateKey();
    expect(reply.firstEpoch).toBe(2);
    expect(writer.key()).toMatchObject({ text: reply.key, firstEpoch: 2 });
    expect(dataOf(entriesOf(ledger.path)[2])).toEqual({ key: reply.key, retired: old.id });
    expect(checkpointsOf(ledger.path).map(({ epoch, treeSize, keyId }) => [epoch, treeSize, keyId])).toEqual([
      [1, 3, old.id],
      [2, 3, writer.key().id],
    ]);
    expect(ledger.notices.map(({ epoch }) => epoch)).toEqual([1, 2]);
    writer.append('procmond', [scan(2)]);
    expect(entriesOf(ledger.path)[3]).toMatchObject({ epoch: 3, keyId: writer.key().id });
    expect(readdirSync(dirname(ledger.keyPath))).toEqual(['ledger.pem']);
    expect(ledger.open().key()).toEqual(writer.key());
    writer.rotateKey();
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true, notes: [], checkpoints: 4, keys: [{}, {}, {}] });
  });

  test('interrupted before the entry is on disk is undone at the next opening', () => {
    const writer = ledger.open();
    const old = writer.key();
    tamper(ledger.path, "CREATE TRIGGER refuse BEFORE INSERT ON audit_ledger BEGIN SELECT RAISE(ABORT, 'no'); END");
    expect(() => writer.rotateKey()).toThrow(/no/);
    // As a crash would leave it: the next key is there, and no entry names it.
    expect(existsSync(nextPath())).toBe(true);
    tamper(ledger.path, 'DROP TRIGGER refuse');
    const again = ledger.open();
    expect([again.key(), existsSync(nextPath())]).toEqual([old, false]);
    expect(actions()).toEqual(['ledger_create']);
    again.rotateKey();
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true });
  });

  test('interrupted before the file has its place is finished at the next opening', () => {
    const writer = ledger.open();
    copyFileSync(ledger.keyPath, `${ledger.keyPath}.old`);
    writer.rotateKey();
    renameSync(ledger.keyPath, nextPath());
    renameSync(`${ledger.keyPath}.old`, ledger.keyPath);
    const again = ledger.open();
    expect([again.key(), readdirSync(dirname(ledger.keyPath))]).toEqual([writer.key(), ['ledger.pem']]);
    again.append('procmond', [scan(1)]);
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true, notes: [] });
  });

  test('that cannot give the file its place is a failure, and the reopening finishes it', () => {
    const writer = ledger.open();
    const old = writer.key();
    rmSync(ledger.keyPath);
    mkdirSync(ledger.keyPath);
    expect(() => writer.rotateKey()).toThrow(expect.objectContaining({ code: 'state.unusable' }));
    expect(writer.failure()).not.toBeNull();
    rmSync(ledger.keyPath, { recursive: true });
    writer.reopen();
    expect(writer.key().id).not.toBe(old.id);
    expect(actions()).toEqual(['ledger_create', 'key_rotate', 'ledger_reopen']);
    expect(readdirSync(dirname(ledger.keyPath))).toEqual(['ledger.pem']);
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true, notes: [] });
  });

  test('half of a next key is removed at the next opening', () => {
    const { id } = ledger.open().key();
    writeFileSync(nextPath(), '-----BEGIN PRIV', { mode: 0o600 });
    expect([ledger.open().key().id, existsSync(nextPath())]).toEqual([id, false]);
  });

  test('a first key that was made and not yet named is made anew', () => {
    mkdirSync(dirname(ledger.keyPath), { mode: 0o700 });
    writeFileSync(nextPath(), '', { mode: 0o600 });
    ledger.open();
    expect(readdirSync(dirname(ledger.keyPath))).toEqual(['ledger.pem']);
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true });
  });
});
