import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadNative, type Native } from './addon.ts';
import { entryRoom } from './ledger-hash.ts';
import { chain, entryPage, pageOf, rowContent, START } from './fixtures/entry-page.ts';
import { withEachCode } from './fixtures/hash-codes.ts';

const availability = loadNative();
const COUNT = 40;
const contents = Array.from({ length: COUNT }, (_, at) =>
  rowContent(at + 1, { epoch: 1 + Math.floor(at / 10), eventData: JSON.stringify({ at, name: 'Zoë', note: 'x'.repeat((at * 37) % 300) }) }),
);
const rows = chain(contents);
const page = pageOf(rows);
const ends = rows.map((_row, at) => pageOf(rows.slice(0, at + 1)).length);

describe.runIf(availability.available)('checkEntries of a page that was changed', () => {
  let native: Native;
  beforeAll(() => {
    if (!availability.available) throw new Error(availability.reason);
    native = availability.native;
  });

  /** Rows that hold; every one of them must be the row that was there, byte by byte. */
  const rowsThatHold = (changed: Uint8Array, count = COUNT): number => {
    const room = entryRoom(count);
    const { rows: held, runs } = native.checkEntries(entryPage(changed, count), START, room);
    expect(held === 0 || Buffer.compare(changed.subarray(0, room.ends[held - 1]), page.subarray(0, ends[held - 1])) === 0).toBe(true);
    expect(runs.length).toBe(new Set(contents.slice(0, held).map(({ epoch }) => epoch)).size);
    return held;
  };

  it('finds every single byte that is another, in its row', () => {
    withEachCode(native.hashCalls, (name) => {
      const changed = Buffer.from(page);
      const missed: number[] = [];
      for (let at = 0; at < page.length; at += name === 'base' ? 1 : 13) {
        const byte = page[at] ?? 0;
        changed[at] = byte ^ (1 << (at % 8));
        const row = ends.findIndex((end) => at < end);
        if (native.checkEntries(entryPage(changed, COUNT), START, entryRoom(COUNT)).rows !== row) missed.push(at);
        changed[at] = byte;
      }
      expect([name, missed]).toEqual([name, []]);
    });
  });

  it('finds a page that ends anywhere', () => {
    for (let length = 0; length < page.length; length += 3) {
      // A copy that ends where the page does, so that there is nothing behind it by chance.
      expect(rowsThatHold(new Uint8Array(page.subarray(0, length)))).toBe(ends.filter((end) => end <= length).length);
    }
  });

  it('finds a row of another history, whose own hashes are right', () => {
    const other = chain(contents.map((content) => ({ ...content, timestampMs: content.timestampMs + 1 })));
    for (const at of [0, 1, 20, 31, 32, 33, 39]) {
      const mixed = Buffer.concat([page.subarray(0, ends[at - 1] ?? 0), pageOf(other.slice(at))]);
      expect([at, native.checkEntries(entryPage(mixed, COUNT), START, entryRoom(COUNT)).rows]).toEqual([at, at === 0 ? COUNT : at]);
    }
  });

  it('never takes what was not there, whatever is done to the page', () => {
    const place = fc.nat(page.length);
    const change = fc.oneof(
      fc.record({ at: place, remove: fc.nat(80), insert: fc.uint8Array({ maxLength: 80 }) }),
      fc.record({ at: place, remove: fc.nat(3), insert: fc.stringMatching(/^[0-9\n]{0,21}$/).map((text) => Buffer.from(text)) }),
      fc.tuple(place, place, fc.nat(900)).map(([at, from, size]) => ({ at, remove: size, insert: page.subarray(from, from + size) })),
    );
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(COUNT + 2), (changes, count) => {
        let changed = new Uint8Array(page);
        for (const { at, remove, insert } of changes)
          changed = new Uint8Array(Buffer.concat([changed.subarray(0, at), insert, changed.subarray(at + remove)]));
        rowsThatHold(changed, count);
      }),
      { seed: 21, numRuns: 4_000 },
    );
  });

  it('never takes bytes that are no page', () => {
    const numbers = fc.constantFrom(
      '0',
      '1',
      '8',
      '00',
      '01',
      '-1',
      '+1',
      ' 1',
      '1.0',
      '1e3',
      '',
      '4294967295',
      '9007199254740991',
      '9007199254740992',
    );
    const large = fc.constantFrom('18446744073709551615', '18446744073709551616', '99999999999999999999999999', '4294967296', '2147483648');
    const head = fc.array(fc.oneof(numbers, large), { minLength: 1, maxLength: 10 }).map((list) => Buffer.from(list.join('\n')));
    fc.assert(
      fc.property(
        head,
        fc.uint8Array({ maxLength: 300 }),
        (start, rest) => rowsThatHold(Buffer.concat([start, Buffer.from('\n'), rest])) === 0,
      ),
      { seed: 22, numRuns: 3_000 },
    );
  });

  it.each([
    ['a zero before a number', '01\n', '1\n'],
    ['a plus', '+1\n', '1\n'],
    ['a space', ' 1\n', '1\n'],
    ['a fraction', '1.0\n', '1\n'],
    ['no number', '\n', '1\n'],
  ])('does not take %s', (_name, written, instead) => {
    expect(page.subarray(0, instead.length).toString()).toBe(instead);
    expect(rowsThatHold(Buffer.concat([Buffer.from(written), page.subarray(instead.length)]))).toBe(0);
  });
});
