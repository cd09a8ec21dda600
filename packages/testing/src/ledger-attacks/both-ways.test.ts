/**
 * Pages that the addon checks and entries one by one: whatever was done to a ledger, both must say the same of it.
 */
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DatabaseSync } from 'node:sqlite';
import { SentinelError } from '@sentineld/model/error';
import { loadNative } from '@sentineld/native/addon';
import { entryRoom } from '@sentineld/native/ledger-hash';
import { useNativeHashing } from '@sentineld/ledger/native-hashing';
import { openLedger, verifyLedgerFile, type PageChecker, type VerifyFileOptions } from '@sentineld/store/ledger/read';
import { ATTACKS } from './attack-table.ts';
import { ACTS, TODAY_BODY, YESTERDAY_BODY } from './do-attack.ts';
import { copyLedger, createLedger, damage, knownOf, type RealLedger } from './real-ledger.ts';

const addon = loadNative();
const checker: PageChecker | null = addon.available ? { ...addon.native, entryRoom } : null;

/** Some with clocks set back, details beside and keys that change; more than one page of the addon. */
const LONG_BODY = `for (let n = 0; n < 1500; n++) {
  if (n === 700) nowMs -= 10_000;
  if (n === 900) writer.rotateKey();
  if (n % 400 === 399) writer.append('procmond', [{ action: 'config_load', data: { text: 'x'.repeat(20000) } }]);
  else writer.append('procmond', Array.from({ length: 3 }, (_, at) => ({ action: 'process_scan_complete', data: { n, at, name: 'Zoë' } })));
}`;

let whole: RealLedger;
let ledger: RealLedger;
beforeAll(() => {
  useNativeHashing(addon);
  whole = createLedger(LONG_BODY, 150);
});
afterAll(() => {
  useNativeHashing({ available: false });
  whole.remove();
});
beforeEach(() => {
  ledger = copyLedger(whole);
});
afterEach(() => ledger.remove());

/** The result, or the code of the error, as both ways give it. */
function bothWays(options: VerifyFileOptions = {}): readonly [unknown, unknown] {
  const one = (way: VerifyFileOptions): unknown => {
    try {
      const db = openLedger(ledger.path);
      try {
        return verifyLedgerFile(db, { ...options, ...way });
      } finally {
        db.close();
      }
    } catch (thrown) {
      if (thrown instanceof SentinelError) return thrown.code;
      throw thrown;
    }
  };
  return [one({ checker }), one({})];
}

const COLUMNS = [
  'timestamp',
  'actor',
  'action',
  'payload_hash',
  'prev_hash',
  'entry_hash',
  'signature',
  'event_data',
  'format_version',
  'epoch',
  'key_id',
];
const VALUES = [
  'NULL',
  '-1',
  '0',
  '1',
  '3',
  '9007199254740993',
  "''",
  "'procmond'",
  "'key_create'",
  "'{}'",
  "'1,2'",
  "x''",
  'zeroblob(32)',
  'zeroblob(64)',
  'CAST(COLUMN AS TEXT)',
  'CAST(COLUMN AS BLOB)',
  "CAST(COLUMN AS TEXT) || ' '",
  'COLUMN + 1',
  'COLUMN + 0.0',
  '\'{"body":{"blake3":"\' || printf(\'%064d\', 0) || \'","size_bytes":1}}\'',
];

const change = fc.record({
  at: fc.integer({ min: 1, max: 4_400 }),
  column: fc.constantFrom(...COLUMNS),
  value: fc.constantFrom(...VALUES),
});

/** A table without types takes anything. */
function loosen(db: DatabaseSync): void {
  const columns = ['sequence INTEGER PRIMARY KEY', ...COLUMNS].join(', ');
  const names = ['sequence', ...COLUMNS].join(', ');
  db.exec(
    `CREATE TABLE loose (${columns}); INSERT INTO loose (${names}) SELECT ${names} FROM audit_ledger; DROP TABLE audit_ledger; ALTER TABLE loose RENAME TO audit_ledger`,
  );
}

describe.skipIf(checker === null)('[addon]', () => {
  it('a ledger that holds, whole and in parts', () => {
    const known = knownOf(whole);
    const [fast, slow] = bothWays({
      trusted: [known.key],
      witnesses: [
        { name: 'm', checkpoint: known.note },
        { name: 'h', head: known.head },
      ],
    });
    expect(fast).toMatchObject({ ok: true, notes: [expect.stringContaining('set back 1 times')] });
    expect(fast).toEqual(slow);
    for (const part of [
      { from: 700, to: 2_300 },
      { from: 4_000, to: null },
      { from: null, to: 10 },
    ]) {
      const [fastPart, slowPart] = bothWays({ part });
      expect(fastPart).toMatchObject({ ok: true });
      expect(fastPart).toEqual(slowPart);
    }
  });

  it('nearly all of them in pages', () => {
    let rows = 0;
    const counting: PageChecker | null = checker && {
      ...checker,
      checkEntries: (...given) => {
        const found = checker.checkEntries(...given);
        rows += found.rows;
        return found;
      },
    };
    const db = openLedger(ledger.path);
    const { entries } = verifyLedgerFile(db, { checker: counting });
    db.close();
    expect([rows > entries / 2, rows <= entries]).toEqual([true, true]);
  });

  it('a value of any kind in any column', () => {
    damage(ledger, loosen);
    fc.assert(
      fc.property(change, ({ at, column, value }) => {
        const was = `SELECT ${column} FROM kept WHERE sequence = ${at}`;
        damage(ledger, (db) =>
          db.exec(
            `CREATE TABLE kept AS SELECT * FROM audit_ledger WHERE sequence = ${at}; UPDATE audit_ledger SET ${column} = ${value.replaceAll('COLUMN', column)} WHERE sequence = ${at}`,
          ),
        );
        const [fast, slow] = bothWays();
        damage(ledger, (db) => db.exec(`UPDATE audit_ledger SET ${column} = (${was}) WHERE sequence = ${at}; DROP TABLE kept`));
        expect(fast).toEqual(slow);
      }),
      { seed: 20_260_101, numRuns: 60 },
    );
  });

  it('a hash that ends at a line break in it, and the rest of it before the next one', () => {
    damage(ledger, (db) => {
      const rows = db.prepare(
        "SELECT sequence, payload_hash, prev_hash FROM audit_ledger WHERE sequence > 1500 AND instr(payload_hash, x'0a') > 1",
      );
      const { sequence, payload_hash: payload, prev_hash: previous } = rows.get() ?? {};
      if (!(payload instanceof Uint8Array) || !(previous instanceof Uint8Array)) throw new Error('no hash with a line break');
      const at = payload.indexOf(0x0a);
      const moved = Buffer.concat([payload.subarray(at + 1), Buffer.of(0x0a), previous]);
      db.prepare('UPDATE audit_ledger SET payload_hash = ?, prev_hash = ? WHERE sequence = ?').run(
        payload.subarray(0, at),
        moved,
        Number(sequence),
      );
    });
    const [fast, slow] = bothWays();
    expect(fast).not.toMatchObject({ ok: true });
    expect(fast).toEqual(slow);
  });

  it.each([
    ['entries that are gone', 'DELETE FROM audit_ledger WHERE sequence BETWEEN 1200 AND 2900'],
    ['entries twice', 'UPDATE audit_ledger SET sequence = sequence + 100000 WHERE sequence > 4000'],
    ['an entry before the first', 'UPDATE audit_ledger SET sequence = -5 WHERE sequence = 3000'],
    ['a checkpoint that is gone', 'DELETE FROM audit_checkpoint WHERE epoch = 9'],
    ['a checkpoint of another size', 'UPDATE audit_checkpoint SET tree_size = tree_size - 1 WHERE epoch = 9'],
    ['a checkpoint with a note that is none', "UPDATE audit_checkpoint SET note = 'x' WHERE epoch = 9"],
    ['details that are gone', 'DELETE FROM audit_body'],
  ])('%s', (_name, sql) => {
    damage(ledger, (db) => db.exec(sql));
    const [fast, slow] = bothWays();
    expect(fast).toMatchObject({ ok: false });
    expect(fast).toEqual(slow);
  });

  describe('every attack of the table', () => {
    let day: RealLedger;
    let today: RealLedger;
    beforeAll(() => {
      day = createLedger(YESTERDAY_BODY);
      today = createLedger(`${YESTERDAY_BODY} ${TODAY_BODY}`);
    });
    afterAll(() => [day, today].forEach((each) => each.remove()));

    it.each(ATTACKS.map(({ name }) => name))('%s', (name) => {
      ledger.remove();
      ledger = copyLedger(today);
      const yesterday = copyLedger(day);
      try {
        ACTS[name]({ ledger, yesterday, other: day, known: knownOf(today) });
        const [fast, slow] = bothWays();
        expect(fast).toEqual(slow);
      } finally {
        yesterday.remove();
      }
    });
  });
});
