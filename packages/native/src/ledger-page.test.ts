import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadNative, type Native } from './addon.ts';
import { entryRoom, type EntriesChecked, type EntryBefore } from './ledger-hash.ts';
import { canonicalBytes, chain, entryPage, leafOf, pageOf, rowContent, START, type Row, type RowContent } from './fixtures/entry-page.ts';
import { withEachCode } from './fixtures/hash-codes.ts';

const availability = loadNative();
const LARGEST = Number.MAX_SAFE_INTEGER;
const refused = expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' });
const rowsOf = (count: number): Row[] => chain(Array.from({ length: count }, (_, at) => rowContent(at + 1)));

describe.runIf(availability.available)('checkEntries', () => {
  let native: Native;
  beforeAll(() => {
    if (!availability.available) throw new Error(availability.reason);
    native = availability.native;
  });

  const check = (page: Uint8Array, count: number, before: EntryBefore = START, form = rowContent(0)): EntriesChecked =>
    native.checkEntries(entryPage(page, count, form), before, entryRoom(count));
  /** Whether a row of this content, with the hashes that it should have, holds. */
  const holds = (change: Partial<RowContent>): boolean =>
    check(pageOf(chain([rowContent(1, change)])), 1, START, rowContent(1, change)).rows === 1;

  it('takes pages of every size, with leaves and ends', () => {
    const all = rowsOf(101);
    withEachCode(native.hashCalls, (name) => {
      for (const count of [...Array.from({ length: 18 }, (_, at) => at), 31, 32, 33, 63, 64, 65, 96, 97, 101]) {
        const rows = all.slice(0, count);
        const room = entryRoom(count);
        const page = pageOf(rows);
        expect([name, native.checkEntries(entryPage(page, count), START, room).rows]).toEqual([name, count]);
        expect(Buffer.from(room.leaves).equals(Buffer.concat(rows.map(leafOf)))).toBe(true);
        expect([...room.ends]).toEqual(rows.map((_row, at) => pageOf(rows.slice(0, at + 1)).length));
      }
    });
  });

  it('says nothing of an empty page', () => {
    const nothing = { rows: 0, runs: [], lastTimestampMs: 7, clockWentBack: 0, firstClockWentBack: -1 };
    expect(check(new Uint8Array(0), 0, { ...START, timestampMs: 7 })).toEqual(nothing);
    expect(check(pageOf(rowsOf(2)), 0, { ...START, timestampMs: 7 })).toEqual(nothing);
    expect(check(new Uint8Array(0), 5, { ...START, timestampMs: 7 })).toEqual(nothing);
  });

  it('takes details of every length, side by side', () => {
    const detail = fc.oneof(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 1_100 }),
      fc.constantFrom(1, 63, 64, 65, 1_023, 1_024, 1_025, 2_048, 5_000, 16_384),
    );
    const names = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 });
    const row = fc.tuple(detail, names, names);
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 70 }), (list) => {
        const rows = chain(list.map(([length, actor, action], at) => rowContent(at + 1, { actor, action, eventData: 'y'.repeat(length) })));
        withEachCode(native.hashCalls, () => {
          const room = entryRoom(rows.length);
          expect(native.checkEntries(entryPage(pageOf(rows), rows.length), START, room).rows).toBe(rows.length);
          expect(Buffer.from(room.leaves).equals(Buffer.concat(rows.map(leafOf)))).toBe(true);
        });
      }),
      { seed: 9, numRuns: 40 },
    );
  });

  it('goes on from any row, up to the largest numbers', () => {
    const before = { sequence: LARGEST - 3, timestampMs: LARGEST, entryHash: new Uint8Array(32).fill(7) };
    const contents = [2, 1, 0].map((less) => rowContent(LARGEST - less, { timestampMs: LARGEST, epoch: LARGEST }));
    const page = pageOf(chain(contents, before.entryHash));
    expect(check(page, 3, before)).toMatchObject({ rows: 3, lastTimestampMs: LARGEST, clockWentBack: 0, runs: [{ epoch: LARGEST }] });
    expect(check(page, 3, { ...before, sequence: LARGEST - 4 }).rows).toBe(0);
    expect(check(page, 3, { ...before, entryHash: START.entryHash }).rows).toBe(0);
    const beyond = chain([rowContent(LARGEST + 1)], before.entryHash);
    expect(check(pageOf(beyond), 1, { ...before, sequence: LARGEST }).rows).toBe(0);
  });

  it('tells where the epoch changes', () => {
    const page = pageOf(chain([1, 1, 2, 2, 4, 3, 3, 1].map((epoch, at) => rowContent(at + 1, { epoch }))));
    const runs = [
      { firstRow: 0, epoch: 1 },
      { firstRow: 2, epoch: 2 },
      { firstRow: 4, epoch: 4 },
      { firstRow: 5, epoch: 3 },
      { firstRow: 7, epoch: 1 },
    ];
    expect(check(page, 8)).toMatchObject({ rows: 8, runs });
  });

  it('takes rows of one version and key, and of no other', () => {
    const old = { formatVersion: 1, epoch: 0, keyId: '' };
    const contents = [old, old, {}, {}, { keyId: 'ffffffff' }].map((change, at) => rowContent(at + 1, change));
    const rows = chain(contents);
    expect(check(pageOf(rows), 5, START, rowContent(0, old))).toMatchObject({ rows: 2, runs: [{ firstRow: 0, epoch: 0 }] });
    expect(check(pageOf(rows), 5).rows).toBe(0);
    const [, second] = rows;
    const before = { sequence: 2, timestampMs: 0, entryHash: second?.entryHash ?? START.entryHash };
    expect(check(pageOf(rows.slice(2)), 3, before)).toMatchObject({ rows: 2, runs: [{ firstRow: 0, epoch: 1 }] });
  });

  it('counts where the clock went back, in the rows that hold', () => {
    const times = [50, 60, 60, 40, 41, 30, 90, 20];
    const rows = chain(times.map((timestampMs, at) => rowContent(at + 1, { timestampMs })));
    expect(check(pageOf(rows), 8)).toMatchObject({ lastTimestampMs: 20, clockWentBack: 3, firstClockWentBack: 3 });
    expect(check(pageOf(rows), 8, { ...START, timestampMs: 51 })).toMatchObject({ clockWentBack: 4, firstClockWentBack: 0 });
    const cut = pageOf(rows).subarray(0, -1);
    expect(check(cut, 8)).toMatchObject({ rows: 7, lastTimestampMs: 90, clockWentBack: 2 });
  });

  it('has a count that is the number of rows', () => {
    const page = pageOf(rowsOf(40));
    expect(check(page, 41).rows).toBe(40);
    expect(check(page, 39).rows).toBe(38);
    expect(check(Buffer.concat([page, Buffer.of(10)]), 40).rows).toBe(39);
  });

  it.each<[string, Partial<RowContent>]>([
    ['version 0', { formatVersion: 0 }],
    ['version 3', { formatVersion: 3 }],
    ['an epoch in version 1', { formatVersion: 1, keyId: '' }],
    ['a key in version 1', { formatVersion: 1, epoch: 0 }],
    ['no key', { keyId: '' }],
    ['a key of 7 digits', { keyId: '0a1b2c3' }],
    ['a key in capitals', { keyId: '0A1B2C3D' }],
    ['a key that is no number', { keyId: '0a1b2c3g' }],
    ['epoch 0', { epoch: 0 }],
    ['details above 16 KiB', { eventData: 'x'.repeat(16_385) }],
    ['details above 256 KiB in version 1', { formatVersion: 1, epoch: 0, keyId: '', eventData: 'x'.repeat(262_145) }],
    ['a number beyond 2^53', { timestampMs: LARGEST + 1 }],
    ['no details', { eventData: '' }],
    ['no action', { action: '' }],
    ['a line break in the details', { eventData: '{"a":\n1}' }],
    ['a line break in the action', { action: 'scan\n' }],
    ['what the ledger says of itself', { action: 'ledger_archive' }],
    ['what it says of its keys', { action: 'key_rotate' }],
    ['details beside the entry', { eventData: '{"body":{"blake3":""}}' }],
  ])('does not take %s', (_name, change) => {
    expect(holds(change)).toBe(false);
  });

  it('takes the longest details and names that it says, and no longer ones', () => {
    expect(holds({ formatVersion: 1, epoch: 0, keyId: '', eventData: 'x'.repeat(262_144) })).toBe(true);
    for (const [actor, action, expected] of [
      [200, 186, true],
      [385, 1, true],
      [1, 385, true],
      [200, 187, false],
      [386, 1, false],
      [1, 386, false],
      [1_000_000, 1_000_000, false],
    ] as const) {
      const [row] = chain([rowContent(1, { actor: 'a'.repeat(actor), action: 'b'.repeat(action) })]);
      if (row !== undefined && expected && actor + action === 386) expect(canonicalBytes(row)).toHaveLength(512);
      expect(holds({ actor: 'a'.repeat(actor), action: 'b'.repeat(action) })).toBe(expected);
    }
  });

  it('takes the texts that a decoder takes', () => {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    const isText = (bytes: Uint8Array): boolean => {
      if (bytes.length === 0 || bytes.includes(0x0a)) return false;
      try {
        return decoder.decode(bytes).length >= 0;
      } catch {
        return false;
      }
    };
    const edges = ['7f', 'c080', 'c1bf', 'c280', 'dfbf', 'e09fbf', 'e0a080', 'ed9fbf', 'eda080', 'edbfbf', 'efbfbf', 'f08fbfbf'];
    const more = ['f0908080', 'f48fbfbf', 'f4908080', 'f5808080', 'ff', '80', 'c2', 'e0a0', 'f09080', 'e28241', 'f0908041', '00'];
    const piece = fc.oneof(
      fc.constantFrom(...edges, ...more).map((text) => Buffer.from(text, 'hex')),
      fc.string({ unit: 'binary', maxLength: 12 }).map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 3 }),
    );
    for (const text of [...edges, ...more]) {
      const bytes = Buffer.from(text, 'hex');
      expect([text, holds({ eventData: bytes })]).toEqual([text, isText(bytes)]);
    }
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 8 }),
        (pieces) => holds({ eventData: Buffer.concat(pieces) }) === isText(Buffer.concat(pieces)),
      ),
      { seed: 3, numRuns: 1_500 },
    );
  });

  it('refuses arguments that do not fit', () => {
    const page = pageOf(rowsOf(2));
    const room = entryRoom(2);
    const call = (...given: readonly unknown[]): unknown => Reflect.apply(native.checkEntries, undefined, given);
    for (const count of [-1, 1.5, 3, Number.NaN, 2 ** 32, '2'])
      expect(() => call({ ...entryPage(page, 2), count }, START, room)).toThrow(refused);
    for (const text of ['page', null, new Uint16Array(4)])
      expect(() => call({ ...entryPage(page, 2), bytes: text }, START, room)).toThrow(refused);
    for (const change of [
      { sequence: -1 },
      { sequence: 2 ** 53 },
      { timestampMs: 0.5 },
      { entryHash: new Uint8Array(31) },
      { entryHash: null },
    ]) {
      expect(() => call(entryPage(page, 2), { ...START, ...change }, room)).toThrow(refused);
    }
    const wrong = { leaves: new Uint8Array(63), ends: new Uint32Array(1), runs: new Float64Array(3) };
    for (const [name, value] of Object.entries(wrong))
      expect(() => call(entryPage(page, 2), START, { ...room, [name]: value })).toThrow(refused);
    expect(() => call(entryPage(page, 2), START, { ...room, ends: new Float32Array(2) })).toThrow(refused);
    for (const formatVersion of [-1, 0.5, 2 ** 32, '2'])
      expect(() => call({ ...entryPage(page, 2), formatVersion }, START, room)).toThrow(refused);
  });
});
