/**
 * Each attack of the table, done to the file of a ledger.
 */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import type { AuditEntry } from '@sentineld/model/audit';
import { sealEntry } from '@sentineld/ledger/chain';
import { parseCheckpoint } from '@sentineld/ledger/checkpoint';
import { appendLeaf, emptyRange, leafHash, rootOf } from '@sentineld/ledger/merkle';
import { canonicalEntry } from '@sentineld/ledger/canonical-entry';
import { checkpointOfEpoch, readEntries } from '@sentineld/store/ledger/read';
import type { AttackName } from './attack-table.ts';
import { forge, insertEntry, strangerFor } from './forge.ts';
import { damage, write, type KnownElsewhere, type RealLedger } from './real-ledger.ts';

export type Scene = {
  /** To be damaged: entries 1 to 40 as `LEDGER_BODY` makes them. */
  readonly ledger: RealLedger;
  /** The same ledger when it had 20 entries, with the key of that time. */
  readonly yesterday: RealLedger;
  /** Of another host. */
  readonly other: RealLedger;
  readonly known: KnownElsewhere;
};

/** 20 entries: checkpoints of 8, 16 and 20, and one of an epoch without entries. */
export const YESTERDAY_BODY = `for (let n = 2; n <= 20; n++) scan(n); writer.checkpoint(); writer.checkpoint();`;
/** Entry 21 retires the key; 22 has details beside it; 38 to 40 have no checkpoint yet. */
export const TODAY_BODY = `writer.rotateKey();
  writer.append('procmond', [{ action: 'config_load', data: { text: 'x'.repeat(20000) } }]);
  for (let n = 23; n <= 40; n++) scan(n);`;

type Act = (scene: Scene) => void;

const sql =
  (text: string): Act =>
  ({ ledger }) =>
    damage(ledger, (db) => db.exec(text));

/** The event of an entry says something else. */
const changedAt =
  (sequence: number) =>
  (entries: readonly AuditEntry[]): readonly AuditEntry[] =>
    entries.map((entry) => (entry.sequence === sequence ? { ...entry, eventData: '{"nothing":"here"}' } : entry));

/** Entries under numbers one higher, from the end on, so that no two have the same. */
const MAKE_ROOM =
  'UPDATE audit_ledger SET sequence = -sequence - 1 WHERE sequence >= 24; UPDATE audit_ledger SET sequence = -sequence WHERE sequence < 0';

const WITHOUT_NEWER = 'DELETE FROM audit_ledger WHERE sequence > 16; DELETE FROM audit_checkpoint WHERE epoch > 2';

export const ACTS: Readonly<Record<AttackName, Act>> = {
  edit: sql(`UPDATE audit_ledger SET event_data = '{}' WHERE sequence = 20`),
  'edit-hashed': ({ ledger }) =>
    damage(ledger, (db) => {
      const [kept] = remade(db, 24, (entry) => ({ ...entry, eventData: '{}' }));
      db.exec('DELETE FROM audit_ledger WHERE sequence = 24');
      insertEntry(db, kept);
    }),
  'edit-rehashed': ({ ledger }) => damage(ledger, (db) => forge(db, { change: changedAt(25) })),
  delete: sql('DELETE FROM audit_ledger WHERE sequence = 20'),
  insert: ({ ledger }) =>
    damage(ledger, (db) => {
      const [kept] = remade(db, 24, (entry) => ({ ...entry, eventData: '{"number":0}' }));
      db.exec(MAKE_ROOM);
      insertEntry(db, kept);
    }),
  reorder: sql(
    'UPDATE audit_ledger SET sequence = -1 WHERE sequence = 24; UPDATE audit_ledger SET sequence = 24 WHERE sequence = 25; UPDATE audit_ledger SET sequence = 25 WHERE sequence = -1',
  ),
  'swap-rehashed': ({ ledger }) => damage(ledger, (db) => forge(db, { change: (entries) => swapped(entries, 23, 24) })),
  body: sql(`UPDATE audit_body SET body = replace(body, 'xx', 'xy')`),
  'body-gone': sql('DELETE FROM audit_body'),
  signature: sql('UPDATE audit_ledger SET signature = randomblob(64) WHERE sequence = 20'),
  tail: sql('DELETE FROM audit_ledger WHERE sequence > 30'),
  'tail-checkpoints': sql(WITHOUT_NEWER),
  'tail-open': sql('DELETE FROM audit_ledger WHERE sequence > (SELECT max(tree_size) FROM audit_checkpoint)'),
  'edit-open': ({ ledger }) => damage(ledger, (db) => forge(db, { change: changedAt(39) })),
  append: ({ ledger }) => damage(ledger, (db) => appendUnsigned(db, 'rules_loaded', { rules: 0 })),
  'checkpoint-gone': sql('DELETE FROM audit_checkpoint WHERE epoch = (SELECT max(epoch) FROM audit_checkpoint)'),
  'empty-epoch-gone': sql('DELETE FROM audit_checkpoint WHERE epoch = 4'),
  'epoch-gone': ({ ledger }) =>
    damage(ledger, (db) => {
      forge(db, { change: (entries) => entries.filter(({ epoch }) => epoch !== 7) });
      db.exec('DELETE FROM audit_checkpoint WHERE epoch = 7');
    }),
  'own-key': ({ ledger, known }) => damage(ledger, (db) => underOwnKey(db, known)),
  'same-key': ({ ledger }) => {
    const signer = ledger.signer();
    damage(ledger, (db) => forge(db, { change: changedAt(25), signerOf: ({ keyId }) => (keyId === signer.key.id ? signer : null) }));
  },
  'newer-key': ({ ledger }) => {
    const signer = ledger.signer();
    damage(ledger, (db) => forge(db, { change: changedAt(5), signerOf: () => signer }));
  },
  'retired-key': ({ ledger, yesterday }) => {
    const signer = yesterday.signer();
    damage(ledger, (db) => forge(db, { change: (entries) => entries, signerOf: ({ epoch }) => (epoch === 8 ? signer : null) }));
  },
  rollback: ({ ledger, yesterday }) => copyFileSync(yesterday.path, ledger.path),
  fork: ({ ledger, yesterday }) => {
    write(yesterday.directory, 'for (let n = 0; n < 30; n++) scan(n); writer.checkpoint();');
    copyFileSync(yesterday.path, ledger.path);
  },
  'other-host': ({ ledger, other }) => copyFileSync(other.path, ledger.path),
  'other-entries': ({ ledger, other }) =>
    sql(`ATTACH '${other.path}' AS other; DELETE FROM audit_ledger WHERE sequence BETWEEN 24 AND 26;
      INSERT INTO audit_ledger SELECT * FROM other.audit_ledger WHERE sequence BETWEEN 24 AND 26; DETACH other`)({ ledger } as Scene),
  'other-checkpoint': ({ ledger, other }) =>
    sql(`ATTACH '${other.path}' AS other; DELETE FROM audit_checkpoint WHERE epoch = 2;
      INSERT INTO audit_checkpoint SELECT * FROM other.audit_checkpoint WHERE epoch = 2; DETACH other`)({ ledger } as Scene),
  seal: ({ ledger, known }) => damage(ledger, (db) => sealAt16(db, known)),
  'seal-claimed': ({ ledger, known }) => damage(ledger, (db) => appendUnsigned(db, 'ledger_archive', sealAt16(db, known))),
  restore: ({ ledger, known }) =>
    damage(ledger, (db) => {
      db.exec(WITHOUT_NEWER);
      const { checkpoint } = parseCheckpoint(known.note);
      const abandoned = [{ epoch: checkpoint.epoch, tree_size: checkpoint.treeSize, root: hex(checkpoint.rootHash) }];
      appendUnsigned(db, 'ledger_restore', { reason: 'a backup', uid: 0, abandoned }, checkpoint.timestampMs + 1);
    }),
  length: ({ ledger }) => setLength(ledger.path),
  'format-version': sql('UPDATE audit_ledger SET format_version = 3 WHERE sequence = 20'),
  'schema-version': sql('PRAGMA user_version = 9'),
};

/** An entry with other content, whose own hashes are right. */
function remade(db: DatabaseSync, sequence: number, change: (entry: AuditEntry) => AuditEntry): readonly [AuditEntry] {
  const [entry] = [...readEntries(db, { fromSequence: sequence, throughSequence: sequence })];
  if (entry === undefined) throw new Error(`no entry ${sequence}`);
  const { epoch, keyId } = entry;
  return [sealEntry({ sequence: sequence - 1, entryHash: entry.prevHash }, change(entry), { epoch, keyId })];
}

function swapped(entries: readonly AuditEntry[], a: number, b: number): readonly AuditEntry[] {
  return entries.map((entry, at) => (at === a ? (entries[b] ?? entry) : at === b ? (entries[a] ?? entry) : entry));
}

/** Everything as if another key had signed from the beginning. */
function underOwnKey(db: DatabaseSync, { key }: KnownElsewhere): void {
  const stranger = strangerFor(key.name);
  const change = (entries: readonly AuditEntry[]): readonly AuditEntry[] =>
    entries.map((entry) => ({
      ...entry,
      keyId: stranger.key.id,
      action: entry.action === 'key_rotate' ? 'start' : entry.action,
      eventData: entry.eventData.replace(key.text, stranger.key.text),
    }));
  forge(db, { change, signerOf: () => stranger });
}

/** Removes entries 1 to 16 and writes the seal that an archive of them would have; gives what its entry would say. */
function sealAt16(db: DatabaseSync, { key }: KnownElsewhere): Readonly<Record<string, unknown>> {
  const entries = [...readEntries(db, { throughSequence: 16 })];
  const range = emptyRange();
  for (const entry of entries) appendLeaf(range, leafHash(canonicalEntry(entry)));
  const chain = entries.at(-1)?.entryHash ?? new Uint8Array(32);
  const keys = [{ key: key.text, first_epoch: 1 }];
  const ledgerId = key.name.slice(key.name.indexOf('/') + 1);
  db.prepare('INSERT INTO audit_seal VALUES (1, 16, 2, ?, ?, ?, ?, ?)').run(
    chain,
    checkpointOfEpoch(db, 2)?.range?.nodes[0] ?? new Uint8Array(32),
    ledgerId,
    'H',
    JSON.stringify(keys),
  );
  db.exec('DELETE FROM audit_ledger WHERE sequence <= 16; DELETE FROM audit_checkpoint WHERE epoch < 2');
  return { through_sequence: 16, epoch: 2, root: hex(rootOf(range)), chain: hex(chain), file: '/nowhere', sha256: '', keys };
}

/** At the end, in the epoch that is open, as anybody can who knows the format. */
function appendUnsigned(db: DatabaseSync, action: string, data: Readonly<Record<string, unknown>>, timestampMs?: number): void {
  const newest = [...readEntries(db)].at(-1);
  const last = db.prepare('SELECT max(epoch) AS epoch FROM audit_checkpoint').get()?.['epoch'];
  if (newest === undefined || typeof last !== 'number') throw new Error('nothing to append to');
  const content = { timestampMs: timestampMs ?? newest.timestampMs, actor: 'procmond', action, eventData: JSON.stringify(data) };
  insertEntry(db, sealEntry(newest, content, { epoch: last + 1, keyId: newest.keyId }));
}

/**
 * The cell of entry 20 begins with the length of its row, a varint of two bytes, its number and the length of its header, one
 * byte for each of 12 columns and one for itself (https://www.sqlite.org/fileformat2.html). Pages that were given up may have it too.
 */
function setLength(path: string): void {
  const bytes = readFileSync(path);
  const cellStart = Buffer.from([20, 13]);
  let found = 0;
  for (let text = bytes.indexOf('"number":20,'); text !== -1; text = bytes.indexOf('"number":20,', text + 1)) {
    const at = bytes.lastIndexOf(cellStart, text);
    if (text - at > 200) continue;
    bytes.set([0x8f, 0xff, 0xff, 0xff, 0x7f], at - 2);
    found += 1;
  }
  if (found === 0) throw new Error('no cell of entry 20');
  writeFileSync(path, bytes);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
