import { describe, expect, test } from 'vitest';
import type { AuditEntry } from '@sentineld/model/audit';
import { hashEntry, hashPayload } from './canonical-entry.ts';
import { sealEntry } from './chain.ts';
import { signCheckpoint } from './checkpoint.ts';
import { BEGINNING, checkpointsOf, entriesOf, rowOf } from './fixtures/ledger-source.ts';
import { makeLedger, makeSigner, type MadeLedger, type MadeRecord, type Step } from './fixtures/make-ledger.ts';
import type { CheckpointRow } from './ledger-row.ts';
import { rootOf } from './merkle.ts';
import { createWalk, type LedgerFailure, type LedgerWalk, type WalkOptions, type WalkSummary } from './walk.ts';

type Record = { readonly entry: AuditEntry; readonly body: string | null } | { readonly row: CheckpointRow };

const recordsOf = ({ records }: { readonly records: readonly MadeRecord[] }): Record[] =>
  records.map((record) => (record.kind === 'entry' ? { entry: record.entry, body: record.body } : { row: rowOf(record) }));

function give(walk: LedgerWalk, records: readonly Record[]): LedgerFailure | null {
  for (const record of records) {
    const failure = 'row' in record ? walk.checkpoint(record.row) : walk.entry(record.entry, record.body);
    if (failure !== null) return failure;
  }
  return null;
}

function walked(records: readonly Record[], options: Partial<WalkOptions> = {}): { failure: LedgerFailure | null; summary: WalkSummary } {
  const walk = createWalk(BEGINNING, { trusted: null, ...options });
  const failure = give(walk, records);
  const summary = walk.end();
  return { failure: failure ?? summary.failure, summary };
}

const STEPS: readonly Step[] = ['entry', 'entry', 'checkpoint', 'checkpoint', 'entry', 'body', 'rotate', 'entry', 'checkpoint', 'entry'];
const whole: MadeLedger = makeLedger(STEPS);
const records = recordsOf(whole);

/** The records with one of them changed: an entry by its number, a checkpoint by its epoch. */
function withEntry(sequence: number, change: Partial<AuditEntry>, body?: string | null): Record[] {
  return records.map((record) => {
    if ('row' in record || record.entry.sequence !== sequence) return record;
    return { entry: { ...record.entry, ...change }, body: body === undefined ? record.body : body };
  });
}

function withRow(epoch: number, change: Partial<CheckpointRow>): Record[] {
  return records.map((record) => ('row' in record && record.row.epoch === epoch ? { row: { ...record.row, ...change } } : record));
}

/** An entry with other fields whose hashes are right, as its writer could have made it. */
function remade(entry: AuditEntry, change: Partial<AuditEntry>): AuditEntry {
  const fields = { ...entry, ...change };
  const payloadHash = hashPayload(fields.eventData);
  return { ...fields, payloadHash, entryHash: hashEntry({ ...fields, payloadHash }) };
}

const entryAt = (sequence: number): AuditEntry => {
  const found = entriesOf(whole.records).find(({ entry }) => entry.sequence === sequence);
  if (found === undefined) throw new Error(`no entry ${sequence}`);
  return found.entry;
};

describe('a ledger that holds', () => {
  test('is gone through to its end', () => {
    const { failure, summary } = walked(records, { sizes: [3, 8] });
    expect(failure).toBeNull();
    expect(summary).toMatchObject({ ledgerId: whole.ledgerId, checkpoints: 4, signedSize: 7, trustedSize: 0, signatures: 0, notes: [] });
    expect(summary.position.sequence).toBe(8);
    expect(summary.newest?.epoch).toBe(4);
    expect(summary.keys.map(({ key, firstEpoch }) => [key.id, firstEpoch])).toEqual([
      [whole.signers[0]?.key.id, 1],
      [whole.signers[1]?.key.id, 4],
    ]);
    expect(summary.at.get(3)).toEqual({ rootHash: checkpointsOf(whole.records)[0]?.rootHash, entryHash: entryAt(3).entryHash });
    expect(summary.at.get(8)).toEqual({ rootHash: rootOf(summary.range), entryHash: entryAt(8).entryHash });
  });

  test('of format version 1, with version 2 after it', () => {
    const { failure, summary } = walked(recordsOf(makeLedger(['old', 'old', 'create', 'entry', 'checkpoint'])));
    expect(failure).toBeNull();
    expect(summary).toMatchObject({ signedSize: summary.position.sequence, notes: [] });
  });

  test('with signed entries', () => {
    const { failure, summary } = walked(recordsOf(makeLedger(STEPS, { signEntries: true })));
    expect(failure).toBeNull();
    expect(summary.signatures).toBe(8);
  });

  test('nothing at all is a failure: a ledger always has its first entry', () => {
    expect(walked([]).failure).toMatchObject({ sequence: 1, what: 'empty' });
  });

  test('a clock that was set back is a note', () => {
    const [first] = entriesOf(makeLedger([]).records);
    if (first === undefined) throw new Error('no entry');
    const seal = { epoch: 1, keyId: first.entry.keyId };
    const second = sealEntry(first.entry, { timestampMs: 5, actor: 'procmond', action: 'start', eventData: '{}' }, seal);
    const { failure, summary } = walked([first, { entry: second, body: null }]);
    expect(failure).toBeNull();
    expect(summary.notes).toEqual([expect.stringContaining('set back 1 times, first before entry 2')]);
  });
});

describe('an entry that breaks a rule', () => {
  const stranger = makeSigner('stranger');
  test.each<[string, Record[], Partial<LedgerFailure>]>([
    ['a field that is hashed', withEntry(5, { action: 'stop' }), { sequence: 5, what: 'entry_hash' }],
    ['event_data', withEntry(5, { eventData: '{}' }), { sequence: 5, what: 'payload_hash' }],
    ['an unknown format version', withEntry(5, { formatVersion: 3 }), { sequence: 5, what: 'format_version' }],
    [
      'version 1 after version 2',
      withEntry(5, remade(entryAt(5), { formatVersion: 1, epoch: 0, keyId: '' })),
      { sequence: 5, what: 'format_version' },
    ],
    ['a later epoch than the checkpoints say', withEntry(2, remade(entryAt(2), { epoch: 2 })), { sequence: 2, what: 'epoch' }],
    ['the key of another epoch', withEntry(8, remade(entryAt(8), { keyId: entryAt(1).keyId })), { sequence: 8, what: 'key' }],
    [
      'a signature that is not of its key',
      withEntry(2, { signature: stranger.sign(entryAt(2).entryHash) }),
      { sequence: 2, what: 'signature' },
    ],
    ['details that are gone', withEntry(5, {}, null), { sequence: 5, what: 'body' }],
    ['details that are others', withEntry(5, {}, '{"detail":"y"}'), { sequence: 5, what: 'body' }],
    [
      'a rotation that retires another key',
      withEntry(6, remade(entryAt(6), { eventData: entryAt(6).eventData.replace(/"retired":"./, '"retired":"x') })),
      { sequence: 6, what: 'key' },
    ],
  ])('%s', (_name, changed, failure) => {
    expect(walked(changed).failure).toMatchObject(failure);
  });

  test('a first key that cannot be read', () => {
    const changed = withEntry(1, remade(entryAt(1), { eventData: JSON.stringify({ ledger_id: whole.ledgerId, key: 'k' }) }));
    expect(walked(changed).failure).toMatchObject({ sequence: 1, what: 'key' });
  });

  test('a version 1 entry with an epoch, a key or a signature', () => {
    const old = recordsOf(makeLedger(['old', 'old']));
    const [first, second] = old;
    if (first === undefined || second === undefined || !('entry' in second)) throw new Error('no entry');
    const check = (change: Partial<AuditEntry>): LedgerFailure | null =>
      walked([first, { entry: remade(second.entry, change), body: null }]).failure;
    expect(check({ epoch: 1 })).toMatchObject({ sequence: 2, what: 'epoch' });
    expect(check({ keyId: '01234567' })).toMatchObject({ sequence: 2, what: 'key' });
    expect(check({ signature: new Uint8Array(64) })).toMatchObject({ sequence: 2, what: 'signature' });
  });
});

describe('a checkpoint that breaks a rule', () => {
  const [first] = whole.signers;
  if (first === undefined) throw new Error('no signer');
  const made = whole.records.flatMap((record) => (record.kind === 'checkpoint' ? [record.checkpoint] : []));
  const [one] = made;
  if (one === undefined) throw new Error('no checkpoint');
  const noteWith = (change: Partial<typeof one>, signer = first): string => signCheckpoint({ ...one, ...change }, signer).note;

  test.each<[string, Record[], Partial<LedgerFailure>]>([
    [
      'one is missing',
      records.filter((record) => !('row' in record) || record.row.epoch !== 2),
      { sequence: 4, what: 'epoch', why: 'epoch is 3, and by the checkpoints it is 2: there is none of epoch 2' },
    ],
    ['one comes again', withRow(2, { epoch: 1 }), { sequence: 3, what: 'checkpoint_missing' }],
    ['a note that is none', withRow(1, { note: 'nothing\n' }), { sequence: 3, what: 'checkpoint', epoch: 1 }],
    ['a note of another time', withRow(1, { timestampMs: 1 }), { what: 'checkpoint' }],
    ['a note of another root', withRow(1, { rootHash: new Uint8Array(32) }), { what: 'checkpoint' }],
    ['a note of another ledger', withRow(1, { note: noteWith({ origin: 'sentineld-ledger/other' }) }), { what: 'checkpoint' }],
    ['another key in its row', withRow(1, { keyId: '00000000' }), { what: 'key' }],
    ['signed by a stranger', withRow(1, { note: noteWith({}, makeSigner('stranger')) }), { what: 'key', epoch: 1 }],
    [
      'a signature over something else',
      withRow(1, { note: one.note.replace('time 1', 'time 2'), timestampMs: one.timestampMs + 10 ** 12 }),
      { what: 'signature' },
    ],
    ['another end of the chain', withRow(1, { note: noteWith({ chain: new Uint8Array(32) }) }), { what: 'tree' }],
    ['another tree', withRow(1, { note: noteWith({ rootHash: new Uint8Array(32) }), rootHash: new Uint8Array(32) }), { what: 'tree' }],
    ['entries that are not there', withRow(1, { note: noteWith({ treeSize: 9 }), treeSize: 9 }), { sequence: 9, what: 'tree' }],
    [
      'fewer entries than before',
      withRow(2, { note: noteWith({ treeSize: 2, epoch: 2 }), treeSize: 2, timestampMs: one.timestampMs, rootHash: one.rootHash }),
      { sequence: 2, what: 'tree' },
    ],
  ])('%s', (_name, changed, failure) => {
    expect(walked(changed).failure).toMatchObject(failure);
  });

  test('a retired key signs nothing any more', () => {
    const last = made[3];
    if (last === undefined) throw new Error('no checkpoint');
    expect(walked(withRow(4, { note: signCheckpoint(last, first).note })).failure).toMatchObject({ what: 'key', epoch: 4 });
  });
});

describe('keys to trust', () => {
  const [first, second] = whole.signers;
  if (first === undefined || second === undefined) throw new Error('no signer');

  test('the first: what it announced is trusted too', () => {
    expect(walked(records, { trusted: [first.key] })).toMatchObject({ failure: null, summary: { trustedSize: 7 } });
  });

  test('a later one: a root covers what came before', () => {
    expect(walked(records, { trusted: [second.key] })).toMatchObject({ failure: null, summary: { trustedSize: 7 } });
  });

  test('a stranger, and none', () => {
    const trusted = [makeSigner('stranger').key];
    expect(walked(records, { trusted }).failure).toMatchObject({ sequence: 8, what: 'key' });
    expect(walked(records, { trusted: [] }).failure).toMatchObject({ what: 'key' });
    expect(walked(recordsOf(makeLedger(['entry'])), { trusted: [first.key] }).failure).toMatchObject({ what: 'key' });
  });

  test('a key that nobody announced is a note, and the end of trust in the one before', () => {
    const lost = makeLedger(['entry', 'checkpoint', 'create', 'entry', 'checkpoint', 'rotate', 'entry', 'checkpoint']);
    const [before, after] = lost.signers;
    if (before === undefined || after === undefined) throw new Error('no signer');
    const { failure, summary } = walked(recordsOf(lost));
    expect(failure).toBeNull();
    expect(summary.notes).toEqual([`Key ${after.key.id} signs from epoch 2 on (entry 3): no key before it announced it.`]);
    expect(walked(recordsOf(lost), { trusted: [before.key] }).failure).toMatchObject({ sequence: 3, what: 'key' });
    expect(walked(recordsOf(lost), { trusted: [before.key, after.key] })).toMatchObject({ failure: null, summary: { trustedSize: 6 } });
    expect(walked(recordsOf(lost), { trusted: [after.key] }).failure).toBeNull();
  });
});
