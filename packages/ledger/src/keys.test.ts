import { describe, expect, test } from 'vitest';
import { LEDGER_ID, makeSigner } from './fixtures/make-ledger.ts';
import { announceKey, keyOfEpoch, keyPeriodsFromJson, keyPeriodsToJson, type KeyEntry, type KeyTimeline } from './keys.ts';

const [first, second, third] = [makeSigner('one').key, makeSigner('two').key, makeSigner('three').key];
const foreign = makeSigner('one', 'another-ledger').key;

function entry(action: string, epoch: number, data: unknown, more: Partial<KeyEntry> = {}): KeyEntry {
  return { sequence: action === 'ledger_create' ? 1 : 7, formatVersion: 2, action, epoch, eventData: JSON.stringify(data), ...more };
}
const create = entry('ledger_create', 1, { ledger_id: LEDGER_ID, key: first.text });
const rotate = (epoch: number, key = second.text, retired = first.id): KeyEntry => entry('key_rotate', epoch, { key, retired });
const createKey = (epoch: number, key = second.text): KeyEntry => entry('key_create', epoch, { key, reason: 'lost' });

function timelineOf(...entries: readonly KeyEntry[]): KeyTimeline {
  const timeline: KeyTimeline = [];
  for (const each of entries) expect(announceKey(timeline, each, LEDGER_ID)).toBeNull();
  return timeline;
}
const idsOf = (timeline: KeyTimeline, epochs: readonly number[]): (string | undefined)[] =>
  epochs.map((epoch) => keyOfEpoch(timeline, epoch)?.id);

describe('the timeline', () => {
  test('the first key signs from epoch 1, the next from the epoch after its announcement', () => {
    const timeline = timelineOf(create, rotate(4), rotate(9, third.text, second.id));
    expect(idsOf(timeline, [0, 1, 4, 5, 9, 10, 1_000])).toEqual([undefined, first.id, first.id, second.id, second.id, third.id, third.id]);
    expect(timeline.map(({ firstEpoch, isAnnounced }) => [firstEpoch, isAnnounced])).toEqual([
      [1, true],
      [5, true],
      [10, true],
    ]);
  });

  test('key_create signs from its own epoch on, and is announced by nobody where there was a key', () => {
    expect(timelineOf(createKey(1))).toMatchObject([{ firstEpoch: 1, isAnnounced: true }]);
    const timeline = timelineOf(create, createKey(3));
    expect(timeline).toMatchObject([{ isAnnounced: true }, { firstEpoch: 3, isAnnounced: false }]);
    expect(idsOf(timeline, [2, 3])).toEqual([first.id, second.id]);
  });

  test('a key that was announced and lost before it signed gives way to key_create of the same epoch', () => {
    expect(idsOf(timelineOf(create, rotate(4), createKey(5, third.text)), [4, 5])).toEqual([first.id, third.id]);
  });

  test.each<[string, KeyEntry]>([
    ['of format version 1', { ...create, formatVersion: 1 }],
    ['of another action', entry('start', 1, { key: first.text })],
    ['a second ledger_create', { ...create, sequence: 2 }],
  ])('an entry %s announces nothing', (_name, each) => {
    const timeline: KeyTimeline = [];
    expect(announceKey(timeline, each, LEDGER_ID)).toBeNull();
    expect(timeline).toEqual([]);
  });
});

describe('announcements that are refused, and leave the timeline as it was', () => {
  test.each<[string, KeyEntry, RegExp]>([
    ['no key', entry('key_rotate', 4, { retired: first.id }), /key_rotate announces a key, but there is none/],
    ['no text', entry('key_rotate', 4, { key: 5, retired: first.id }), /there is none/],
    ['no JSON', { ...rotate(4), eventData: '{"key":' }, /there is none/],
    ['a list', { ...rotate(4), eventData: '[]' }, /there is none/],
    ['a damaged key', rotate(4, `${second.text.slice(0, -2)}AA`), /its id is/],
    ['the key of another ledger', rotate(4, foreign.text), /the key of another ledger by its name/],
    ['another key retired', rotate(4, second.text, third.id), /does not retire [0-9a-f]{8}, the key of its epoch/],
    ['no key retired', entry('key_rotate', 4, { key: second.text }), /does not retire/],
    ['the same key again', rotate(4, first.text), /the key that it retires/],
  ])('%s', (_name, each, why) => {
    const timeline = timelineOf(create);
    expect(announceKey(timeline, each, LEDGER_ID)).toMatch(why);
    expect(timeline).toHaveLength(1);
  });

  test('two rotations in one epoch, and keys that go back', () => {
    const timeline = timelineOf(create, rotate(4));
    expect(announceKey(timeline, rotate(4, third.text), LEDGER_ID)).toMatch(/the second in epoch 4/);
    expect(announceKey(timeline, createKey(4, third.text), LEDGER_ID)).toMatch(/after the key of a later epoch was announced/);
    expect(timeline).toHaveLength(2);
  });

  test('a rotation where there is no key yet, and a ledger without an id', () => {
    expect(announceKey([], rotate(4), LEDGER_ID)).toMatch(/there is none yet/);
    expect(announceKey([], create, null)).toMatch(/no ledger_id/);
  });
});

describe('keys as exports and seals have them', () => {
  const timeline = timelineOf(create, rotate(4));

  test('are read as they were written', () => {
    const json: unknown = JSON.parse(JSON.stringify(keyPeriodsToJson(timeline)));
    expect(json).toEqual([
      { key: first.text, first_epoch: 1 },
      { key: second.text, first_epoch: 5 },
    ]);
    expect(keyPeriodsFromJson(json, LEDGER_ID)).toEqual(timeline);
  });

  test.each<[string, unknown, RegExp]>([
    ['no list', {}, /not a list/],
    ['no object', [null], /key 1 cannot be taken: there is none/],
    ['no key', [{ first_epoch: 1 }], /key 1 cannot be taken/],
    ['a foreign key', [{ key: foreign.text, first_epoch: 1 }], /another ledger/],
    ['no epoch', [{ key: first.text }], /first_epoch of key 1/],
    ['epoch 0', [{ key: first.text, first_epoch: 0 }], /first_epoch of key 1/],
    [
      'epochs that go back',
      [
        { key: first.text, first_epoch: 5 },
        { key: second.text, first_epoch: 4 },
      ],
      /first_epoch of key 2 is below/,
    ],
  ])('%s', (_name, value, why) => {
    expect(keyPeriodsFromJson(value, LEDGER_ID)).toMatch(why);
  });
});
