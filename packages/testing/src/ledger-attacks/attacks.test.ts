import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SentinelError } from '@sentineld/model/error';
import type { LedgerVerification, VerifyOptions } from '@sentineld/ledger/verify';
import { openLedger, verifyLedgerFile } from '@sentineld/store/ledger/read';
import { ATTACKS, attackTable, noticedBy, type Known } from './attack-table.ts';
import { ACTS, TODAY_BODY, YESTERDAY_BODY, type Scene } from './do-attack.ts';
import { copyLedger, createLedger, knownOf, write, type KnownElsewhere, type RealLedger } from './real-ledger.ts';

let whole: RealLedger;
let before: RealLedger;
let foreign: RealLedger;
let scene: Scene;

beforeAll(() => {
  whole = createLedger(YESTERDAY_BODY);
  before = copyLedger(whole);
  write(whole.directory, TODAY_BODY);
  foreign = createLedger(`${YESTERDAY_BODY} ${TODAY_BODY}`);
});
afterAll(() => [whole, before, foreign].forEach((ledger) => ledger.remove()));
beforeEach(() => {
  scene = { ledger: copyLedger(whole), yesterday: copyLedger(before), other: foreign, known: knownOf(whole) };
});
afterEach(() => [scene.ledger, scene.yesterday].forEach((ledger) => ledger.remove()));

const OPTIONS: Readonly<Record<Known, (known: KnownElsewhere) => VerifyOptions>> = {
  file: () => ({}),
  key: ({ key }) => ({ trusted: [key] }),
  checkpoint: ({ note }) => ({ witnesses: [{ name: 'a mirror', checkpoint: note }] }),
  head: ({ head }) => ({ witnesses: [{ name: "the agent's file", head }] }),
};

/** The rule that fails, or the error; null where it holds. */
function verify(options: VerifyOptions): { readonly word: string | null; readonly result: LedgerVerification | null } {
  try {
    const db = openLedger(scene.ledger.path);
    try {
      const result = verifyLedgerFile(db, options);
      return { word: result.failure?.what ?? null, result };
    } finally {
      db.close();
    }
  } catch (thrown) {
    if (thrown instanceof SentinelError) return { word: thrown.code, result: null };
    throw thrown;
  }
}

const foundWith = (known: Known): string | null => verify(OPTIONS[known](scene.known)).word;

describe('a ledger that nobody touched', () => {
  it.each(['file', 'key', 'checkpoint', 'head'] as const)('holds by the %s', (known) => {
    expect(foundWith(known)).toBeNull();
  });
});

describe('an attack is noticed by what the table says, and by nothing else', () => {
  it.each(ATTACKS.map((attack) => [attack.name, attack] as const))('%s', (name, attack) => {
    ACTS[name](scene);
    const found = { file: foundWith('file'), key: foundWith('key'), checkpoint: foundWith('checkpoint'), head: foundWith('head') };
    expect(found).toEqual(noticedBy(attack));
    if (attack.said !== undefined) expect(verify({}).result?.cannotShow.join('\n')).toContain(attack.said);
  });
});

describe('a backup that was put back', () => {
  it('is a note once an entry says so that a checkpoint covers', () => {
    const ledger = createLedger(YESTERDAY_BODY);
    const backup = copyLedger(ledger);
    try {
      write(ledger.directory, 'for (let n = 0; n < 20; n++) scan(n); writer.checkpoint();');
      const { note, head } = knownOf(ledger);
      const witnesses = [
        { name: 'a mirror', checkpoint: note },
        { name: "the agent's file", head },
      ];
      const verified = (): LedgerVerification => {
        const db = openLedger(backup.path);
        try {
          return verifyLedgerFile(db, { witnesses });
        } finally {
          db.close();
        }
      };
      expect(verified()).toMatchObject({ ok: false, failure: { what: 'witness' } });
      write(backup.directory, `nowMs += 86_400_000; writer.restore({ reason: 'a disk', uid: 0, notes: [${JSON.stringify(note)}] });`);
      expect(verified()).toMatchObject({ ok: false, failure: { what: 'witness' } });
      write(backup.directory, 'writer.checkpoint();');
      const { ok, notes } = verified();
      expect([ok, notes.filter((text) => text.startsWith('Excused by the ledger_restore entry')).length]).toEqual([true, 2]);
    } finally {
      [ledger, backup].forEach((each) => each.remove());
    }
  });
});

it('the table has every attack once', () => {
  expect(ATTACKS.map(({ name }) => name).toSorted()).toEqual(Object.keys(ACTS).toSorted());
});

it('docs/ledger-proofs.md has the table', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/ledger-proofs.md'), 'utf8');
  expect(page).toContain(attackTable());
});
