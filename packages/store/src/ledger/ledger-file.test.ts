import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import Database from 'better-sqlite3';
import { type LedgerFixture, PEER, createLedgerFixture, cycle, entriesOf, verifyFile } from './fixtures/ledger.fixture.ts';
import { prepareLedgerFile, type LedgerFile } from './ledger-file.ts';

let ledger: LedgerFixture;
beforeEach(() => {
  ledger = createLedgerFixture();
});
afterEach(() => ledger.remove());

describe('what an origin has sent', () => {
  let file: LedgerFile;
  beforeEach(() => {
    ledger.open().stop();
    file = prepareLedgerFile(new Database(ledger.path));
  });
  afterEach(() => file.db.close());
  const stored = (): unknown => file.db.prepare('SELECT last_sequence AS last, updated_ms AS ms FROM audit_origin').all();

  test('is counted at once, and the time of it each minute', () => {
    for (const [last, nowMs] of [
      [1, 100],
      [2, 60_099],
      [3, 60_100],
    ] as const) {
      file.recordOrigin('a', last, nowMs);
      expect(file.lastOf('a')).toBe(last);
    }
    expect(stored()).toEqual([{ last: 3, ms: 60_100 }]);
    file.recordOrigin('a', 4, 70_000);
    expect(stored()).toEqual([{ last: 4, ms: 60_100 }]);
    // The clock was set back.
    file.recordOrigin('a', 5, 10);
    expect(stored()).toEqual([{ last: 5, ms: 10 }]);
  });

  test('is not what a transaction wrote that failed', () => {
    file.recordOrigin('a', 1, 100);
    expect(() =>
      file.inTransaction(() => {
        file.recordOrigin('a', 2, 101);
        file.recordOrigin('b', 9, 101);
        expect([file.lastOf('a'), file.lastOf('b')]).toEqual([2, 9]);
        throw new Error('no space');
      }),
    ).toThrow('no space');
    expect([file.lastOf('a'), file.lastOf('b')]).toEqual([1, 0]);
  });

  test('is forgotten of those that were not used for longest', () => {
    for (let at = 0; at <= 4_096; at++) file.recordOrigin(`origin-${at}`, 1, at);
    expect(file.lastOf('origin-0')).toBe(1);
    file.forgetOrigins();
    expect([file.lastOf('origin-0'), file.lastOf('origin-1')]).toEqual([0, 1]);
  });
});

describe('rows', () => {
  test.each([1, 7, 8, 9, 16, 61])('are all there, %i at once', async (count) => {
    const writer = ledger.open();
    await writer.submit(
      'sentinelagent',
      'gen1',
      Array.from({ length: count }, (_, at) => cycle(at + 1)),
      PEER,
    );
    writer.append('procmond', [{ action: 'start', data: { after: count } }]);
    const entries = entriesOf(ledger.path).slice(-count - 1);
    expect(entries.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: count + 1 }, (_, at) => writer.head().sequence - count + at),
    );
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true });
  });

  test('sent twice in one group are there once', async () => {
    const writer = ledger.open();
    const before = writer.head().sequence;
    const replies = await Promise.all([1, 1, 2].map((number) => writer.submit('sentinelagent', 'gen1', [cycle(number)], PEER)));
    expect(replies.map(({ lastOriginSequence }) => lastOriginSequence)).toEqual([1, 1, 2]);
    expect(writer.head().sequence).toBe(before + 2);
  });
});
