import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { blake3 } from '@noble/hashes/blake3.js';
import { describe, expect, test } from 'vitest';
import type { AuditEntry } from '@sentineld/model/audit';
import { canonicalEntry, hashEntry, hashPayload } from './canonical-entry.ts';
import { CHAIN_START, type ChainPosition, type NewEntry, sealEntry } from './chain.ts';

const repository = join(import.meta.dirname, '../../..');
const document = readFileSync(join(repository, 'docs/ledger-format.md'), 'utf8');
const vectorsPath = join(process.env['SENTINELD_CORPORA'] ?? join(repository, '../shared/corpora'), 'crypto/blake3_test_vectors.json');

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** The hex of the block that follows a marker: everything before two spaces, joined. */
function documented(sequence: number): string {
  const block = document.split(`<!-- canonical bytes of entry ${sequence} -->`)[1]?.split('```')[1] ?? '';
  const lines = block.split('\n').slice(1);
  return lines.map((line) => line.split('  ')[0]?.replaceAll(' ', '') ?? '').join('');
}

/** An entry as releases before format version 2 wrote it. */
function oldEntry(previous: ChainPosition, content: NewEntry): AuditEntry {
  const hashes = { payloadHash: hashPayload(content.eventData), prevHash: previous.entryHash };
  const fields = { ...content, ...hashes, sequence: previous.sequence + 1, formatVersion: 1, epoch: 0, keyId: '' };
  return { ...fields, entryHash: hashEntry(fields), signature: null };
}

const first = oldEntry(CHAIN_START, {
  timestampMs: Date.UTC(2026, 0, 1),
  actor: 'procmond',
  action: 'ledger_create',
  eventData: '{"ledger_id":"3b241101-e2bb-4255-8caf-4136c566a962","host_id":"web-1","format":1,"hash":"BLAKE3"}',
});
const second = oldEntry(first, {
  timestampMs: Date.UTC(2026, 0, 1) + 1_500,
  actor: 'procmond',
  action: 'process_scan_complete',
  eventData: '{"scan_id":1,"processes":214,"user":"Zoë"}',
});

describe('canonical bytes', () => {
  test.each([
    ['first', first],
    ['second', second],
  ])('the %s entry is as docs/ledger-format.md has it', (_name, entry) => {
    expect(document).toContain(entry.eventData);
    expect(hex(canonicalEntry(entry))).toBe(documented(entry.sequence));
    expect(document).toContain(`\`entry_hash\` of entry ${entry.sequence}: \`${hex(entry.entryHash)}\``);
  });

  // The numbers themselves, so that code and document cannot change together unnoticed.
  test('the hashes of the example never change', () => {
    expect(hex(first.entryHash)).toBe('467fa895cc84066e4c0b166a6b64b76fef1166e0c383303eb53a4091fc7df8e3');
    expect(hex(second.entryHash)).toBe('aef34533e38a9807c124c97613ef3779e4455b76004fe3851947a6a104bfbb94');
  });

  test('format version 2 has the same layout, with an epoch and a key', () => {
    const content = { timestampMs: 0x0123456789, actor: 'procmond', action: 'start', eventData: '{}' };
    const entry = sealEntry({ sequence: 0x4711, entryHash: new Uint8Array(32).fill(7) }, content, { epoch: 0x0102, keyId: 'c74f20a3' });
    const expected = [
      Buffer.from('sentineld.ledger').toString('hex'),
      '0002',
      '0000000000004712',
      '0000000000000102',
      '0000000123456789',
      `00000008${Buffer.from('c74f20a3').toString('hex')}`,
      `00000008${Buffer.from('procmond').toString('hex')}`,
      `00000005${Buffer.from('start').toString('hex')}`,
      hex(blake3(Buffer.from('{}'))),
      '07'.repeat(32),
    ];
    expect(hex(canonicalEntry(entry))).toBe(expected.join(''));
    expect(entry.entryHash).toEqual(blake3(canonicalEntry(entry)));
  });

  test('the hash is of the bytes, and the payload hash of the UTF-8 text', () => {
    expect(hashEntry(first)).toEqual(blake3(canonicalEntry(first)));
    expect(hashPayload('Zoë')).toEqual(blake3(Uint8Array.of(0x5a, 0x6f, 0xc3, 0xab)));
  });

  test.each<[string, Partial<AuditEntry>]>([
    ['a negative number', { timestampMs: -1 }],
    ['a fraction', { sequence: 1.5 }],
    ['a number beyond 2^53', { epoch: 2 ** 53 }],
    ['a format version beyond 16 bits', { formatVersion: 65_536 }],
    ['a hash of another length', { prevHash: new Uint8Array(31) }],
    ['a lone surrogate', { actor: '\udc00' }],
  ])('%s cannot be encoded', (_name, change) => {
    expect(() => canonicalEntry({ ...first, ...change })).toThrow(expect.objectContaining({ code: 'internal.bug' }));
  });
});

describe('BLAKE3', () => {
  const missing = !existsSync(vectorsPath);
  test.skipIf(missing)(
    `agrees with the official test vectors${missing ? ` (SKIPPED: no file ${vectorsPath}; set SENTINELD_CORPORA)` : ''}`,
    () => {
      const { cases } = JSON.parse(readFileSync(vectorsPath, 'utf8')) as { cases: { input_len: number; hash: string }[] };
      expect(cases.length).toBeGreaterThan(30);
      for (const { input_len: length, hash } of cases) {
        const input = Uint8Array.from({ length }, (_byte, index) => index % 251);
        expect(hex(blake3(input))).toBe(hash.slice(0, 64));
      }
    },
  );
});
