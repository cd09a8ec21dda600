import { generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AuditEntry } from '@sentineld/model/audit';
import { canonicalEntry } from './canonical-entry.ts';
import {
  CHAIN_START,
  type ChainPosition,
  type LedgerFailure,
  type NewEntry,
  checkEntry,
  sealEntry,
  verifyEntrySignature,
} from './chain.ts';
import { verifierKey } from './note.ts';

const SEAL = { epoch: 1, keyId: 'c74f20a3' };

const anyText = fc.string({ unit: 'binary', maxLength: 40 });
const anyContent: fc.Arbitrary<NewEntry> = fc.record({
  timestampMs: fc.integer({ min: 0, max: 2 ** 52 }),
  actor: anyText,
  action: anyText,
  eventData: fc.json(),
});
const anyLedger: fc.Arbitrary<AuditEntry[]> = fc.array(anyContent, { minLength: 1, maxLength: 12 }).map((contents) => {
  const entries: AuditEntry[] = [];
  let position: ChainPosition = CHAIN_START;
  for (const [index, content] of contents.entries()) {
    const entry = sealEntry(position, index === 0 ? { ...content, action: 'ledger_create' } : content, SEAL);
    entries.push(entry);
    position = entry;
  }
  return entries;
});

/** The first failure, and how many entries hold before it. */
function follow(entries: readonly AuditEntry[]): { readonly held: number; readonly failure: LedgerFailure | null } {
  let position: ChainPosition = CHAIN_START;
  for (const [held, entry] of entries.entries()) {
    const failure = checkEntry(position, entry);
    if (failure !== null) return { held, failure };
    position = entry;
  }
  return { held: entries.length, failure: null };
}

/** The entry with one byte or number of one column changed. */
function tamper(entry: AuditEntry, column: keyof AuditEntry, seed: number): AuditEntry {
  const flip = (bytes: Uint8Array): Uint8Array =>
    bytes.map((byte, index) => (index === seed % bytes.length ? byte ^ (1 << (seed % 8)) : byte));
  switch (column) {
    case 'payloadHash':
    case 'prevHash':
    case 'entryHash':
      return { ...entry, [column]: flip(entry[column]) };
    case 'signature':
      return { ...entry, signature: new Uint8Array(seed % 64) };
    case 'sequence':
    case 'timestampMs':
    case 'formatVersion':
    case 'epoch':
      return { ...entry, [column]: entry[column] + 1 + (seed % 1000) };
    default: {
      const text = entry[column];
      const at = seed % (text.length + 1);
      return { ...entry, [column]: `${text.slice(0, at)}${String.fromCharCode(33 + (seed % 90))}${text.slice(at)}`.toWellFormed() };
    }
  }
}

const COLUMNS: readonly (keyof AuditEntry)[] = [
  'sequence',
  'timestampMs',
  'actor',
  'action',
  'formatVersion',
  'epoch',
  'keyId',
  'payloadHash',
  'prevHash',
  'entryHash',
  'signature',
  'eventData',
];

describe('a chain of any entries', () => {
  test('verifies, and a change of any column of any entry is found there', () => {
    fc.assert(
      fc.property(anyLedger, fc.nat(), fc.constantFrom(...COLUMNS), fc.nat(), (entries, where, column, seed) => {
        expect(follow(entries)).toEqual({ held: entries.length, failure: null });
        const at = where % entries.length;
        const changed = entries.map((entry, index) => (index === at ? tamper(entry, column, seed) : entry));
        expect(follow(changed)).toMatchObject({ held: at, failure: { sequence: at + 1 } });
      }),
      { numRuns: 400 },
    );
  });

  test('a removed, a repeated and two swapped entries are found at the first that is out of place', () => {
    fc.assert(
      fc.property(
        anyLedger.filter((entries) => entries.length > 2),
        fc.nat(),
        (entries, where) => {
          const at = where % (entries.length - 1);
          const first = entries.slice(0, at);
          const rest = entries.slice(at + 1);
          expect(follow([...first, ...rest])).toMatchObject({ failure: { sequence: at + 1, what: 'sequence' } });
          const [one, two] = [entries[at], entries[at + 1]];
          if (one === undefined || two === undefined) throw new Error('the ledger has at least three entries');
          expect(follow([...first, one, one, ...rest])).toMatchObject({
            failure: { sequence: at + 1, what: 'sequence' },
          });
          expect(follow([...first, two, one, ...entries.slice(at + 2)])).toMatchObject({
            failure: { sequence: at + 1 },
          });
          const renumbered = [...first, { ...two, sequence: one.sequence }, { ...one, sequence: two.sequence }, ...entries.slice(at + 2)];
          expect(follow(renumbered)).toMatchObject({ failure: { sequence: at + 1 } });
        },
      ),
      { numRuns: 100 },
    );
  });

  test('different entries never have the same canonical bytes', () => {
    const fields = fc.tuple(anyText, anyText, anyText);
    fc.assert(
      fc.property(fields, fields, (a, b) => {
        const bytesOf = ([keyId, actor, action]: [string, string, string]): string => {
          const entry = { ...sealEntry(CHAIN_START, { timestampMs: 1, actor, action, eventData: '{}' }, SEAL), keyId };
          return Buffer.from(canonicalEntry(entry)).toString('hex');
        };
        expect(bytesOf(a) === bytesOf(b)).toBe(a.join('\0') === b.join('\0') && a.every((text, index) => text === b[index]));
      }),
    );
  });
});

describe('checkEntry', () => {
  const first = sealEntry(CHAIN_START, { timestampMs: 1, actor: 'procmond', action: 'ledger_create', eventData: '{}' }, SEAL);

  test('a ledger starts with ledger_create', () => {
    const other = sealEntry(CHAIN_START, { timestampMs: 1, actor: 'procmond', action: 'start', eventData: '{}' }, SEAL);
    expect(checkEntry(CHAIN_START, other)).toMatchObject({ sequence: 1, what: 'first_entry' });
  });

  test.each([
    ['a later format', { formatVersion: 3 }, 'format_version'],
    ['no format', { formatVersion: 0 }, 'format_version'],
    ['a negative time', { timestampMs: -1 }, 'field'],
    ['a short hash', { payloadHash: new Uint8Array(31) }, 'field'],
    ['a lone surrogate', { actor: '\ud800' }, 'field'],
    ['a short signature', { signature: new Uint8Array(63) }, 'signature'],
    ['an empty signature', { signature: new Uint8Array(0) }, 'signature'],
  ])('%s', (_name, change, what) => {
    expect(checkEntry(CHAIN_START, { ...first, ...change })).toMatchObject({ sequence: 1, what });
  });

  test('many missing entries are named as a range', () => {
    expect(checkEntry(first, { ...first, sequence: 10 })).toEqual({ sequence: 2, what: 'sequence', why: 'entries 2 to 9 are missing' });
  });
});

test('an entry can be signed by itself', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const key = verifierKey('k', Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url'));
  const content = { timestampMs: 1, actor: 'procmond', action: 'ledger_create', eventData: '{}' };
  const entry = sealEntry(CHAIN_START, content, { epoch: 1, keyId: key.id, sign: (bytes) => sign(null, bytes, privateKey) });
  const signed = Buffer.concat([Buffer.from('sentineld.entry\n'), entry.entryHash]);
  expect(entry.signature).toEqual(sign(null, signed, privateKey));
  expect(checkEntry(CHAIN_START, entry)).toBeNull();
  expect(verifyEntrySignature(key, entry)).toBe(true);
  expect(verifyEntrySignature(key, { ...entry, signature: null })).toBe(false);
  expect(verifyEntrySignature(key, { ...entry, entryHash: new Uint8Array(32) })).toBe(false);
  expect(verifyEntrySignature(verifierKey('k', new Uint8Array(32)), entry)).toBe(false);
});
