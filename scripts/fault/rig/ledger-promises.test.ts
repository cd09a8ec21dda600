import { describe, expect, test } from 'vitest';
import type { HistoryEntry, LedgerHistory } from './ledger-history.ts';
import { createPromises } from './ledger-promises.ts';

const entry = (sequence: number, action: string, data: Record<string, unknown> = {}): HistoryEntry => ({
  sequence,
  action,
  eventData: JSON.stringify(data),
  entryHash: `hash ${sequence}`,
  prevHash: `hash ${sequence - 1}`,
});
const sent = (sequence: number, number: number, id = 'alpha'): HistoryEntry =>
  entry(sequence, 'rule_execute', { rule: `${id}/${number}`, origin: { id, sequence: number } });
const history = (entries: readonly HistoryEntry[], rest: Partial<LedgerHistory> = {}): LedgerHistory => ({
  entries,
  checkpoints: new Map([[1, 'note 1']]),
  archives: [],
  problems: [],
  ...rest,
});
const head = (sequence: number, entryHash = `hash ${sequence}`) => ({ sequence, entryHash });

const WHOLE = [entry(1, 'ledger_create'), sent(2, 1), sent(3, 2), entry(4, 'key_rotate', { key: 'key 2' })];

/** Two entries of a client, a checkpoint, a new key and an archive were acknowledged. */
function brokenIn(found: LedgerHistory): readonly string[] {
  const promises = createPromises(['alpha']);
  promises.add({ told: 'submit', origin: 'alpha', last: 2, head: head(3) });
  promises.add({ told: 'checkpoint', epoch: 1, treeSize: 3, timestampMs: 1, note: 'note 1' });
  promises.add({ told: 'rotation', key: 'key 2', firstEpoch: 2 });
  promises.add({ told: 'archive', path: '/somewhere/ledger-1-2.jsonl', throughSequence: 2, entries: 2, sha256: '00' });
  return promises.broken(found).map(({ what }) => what);
}
const archives = ['/elsewhere/ledger-1-2.jsonl'];

describe('what was acknowledged', () => {
  test('is there: nothing is broken, and more may be there', () => {
    expect(brokenIn(history(WHOLE, { archives }))).toEqual([]);
    expect(brokenIn(history([...WHOLE, sent(5, 3)], { archives }))).toEqual([]);
  });

  test.each<readonly [string, LedgerHistory, readonly string[]]>([
    [
      'the newest entries are gone',
      history(WHOLE.slice(0, 2), { archives }),
      ['acknowledged-entry-lost', 'acknowledged-entry-lost', 'acknowledged-key-lost'],
    ],
    ['an entry was replaced', history(WHOLE.with(2, { ...sent(3, 2), entryHash: 'other' }), { archives }), ['acknowledged-entry-lost']],
    ['an entry of a client is there twice', history([...WHOLE, sent(5, 2)], { archives }), ['client-entry-twice']],
    ['an entry of a client is missing', history([...WHOLE, sent(5, 4)], { archives }), ['client-entry-lost']],
    [
      'an entry says what another one said',
      history([...WHOLE, { ...sent(5, 3), eventData: sent(5, 1).eventData.replace('"sequence":1', '"sequence":3') }], { archives }),
      ['client-entry-lost'],
    ],
    ['a checkpoint is gone', history(WHOLE, { archives, checkpoints: new Map() }), ['acknowledged-checkpoint-lost']],
    ['a checkpoint is another one', history(WHOLE, { archives, checkpoints: new Map([[1, 'note']]) }), ['acknowledged-checkpoint-lost']],
    ['a key was lost', history([...WHOLE, entry(5, 'key_create', { key: 'key 3' })], { archives }), ['key-lost']],
    ['an archive is not part of it', history(WHOLE), ['acknowledged-archive-lost']],
    ['the parts do not fit', history(WHOLE, { archives, problems: [{ what: 'history-broken', detail: '' }] }), ['history-broken']],
  ])('%s', (_, found, expected) => {
    expect(brokenIn(found)).toEqual(expected);
  });

  test('twice with different words is a problem by itself', () => {
    const promises = createPromises([]);
    promises.add({ told: 'append', head: head(1) });
    promises.add({ told: 'append', head: head(1, 'other') });
    expect(promises.broken(history([{ ...entry(1, 'ledger_create'), entryHash: 'other' }])).map(({ what }) => what)).toEqual([
      'two-histories',
    ]);
  });
});

test('a client goes on after the last number that it knows to be recorded', () => {
  const promises = createPromises(['alpha', 'beta']);
  promises.add({ told: 'submit', origin: 'beta', last: 7, head: head(9) });
  promises.add({ told: 'open', head: head(12), keyId: '00000000', checkpoint: null });
  expect(promises.clients()).toEqual([
    { id: 'alpha', acknowledged: 0 },
    { id: 'beta', acknowledged: 7 },
  ]);
  expect(promises.count()).toBe(1);
});
