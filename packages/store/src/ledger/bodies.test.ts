import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AuditEvent } from '@sentineld/model/audit';
import { hashPayload } from '@sentineld/ledger/canonical-entry';
import { eventText, MAX_BODY_BYTES, MAX_EVENT_DATA_BYTES } from './event-text.ts';
import {
  type LedgerFixture,
  PEER,
  createLedgerFixture,
  cycle,
  dataOf,
  entriesOf,
  verifyFile,
  withDatabase,
} from './fixtures/ledger.fixture.ts';

let ledger: LedgerFixture;
beforeEach(() => {
  ledger = createLedgerFixture();
});
afterEach(() => ledger.remove());

const bodies = (): unknown[] => withDatabase(ledger.path, (db) => db.prepare('SELECT body FROM audit_body').pluck().all());
const event = (text: string): AuditEvent => ({ action: 'start', data: { text } });
/** Bytes of the JSON around the text of `event`. */
const AROUND = '{"text":""}'.length;

describe('details of an entry', () => {
  test.each([
    [MAX_EVENT_DATA_BYTES, false],
    [MAX_EVENT_DATA_BYTES + 1, true],
    [MAX_BODY_BYTES, true],
  ])('of %i bytes', (size, isBeside) => {
    const details = event('é'.repeat(Math.floor((size - AROUND) / 2)) + 'x'.repeat((size - AROUND) % 2));
    const { text, body } = eventText(details);
    const whole = JSON.stringify(details.data);
    expect(Buffer.byteLength(whole)).toBe(size);
    expect([text === whole, body?.text ?? null]).toEqual([!isBeside, isBeside ? whole : null]);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_EVENT_DATA_BYTES);
  });

  test('that are large are stored beside it, once, and verify', () => {
    const writer = ledger.open();
    const large = event('\u0000"é'.repeat(8_000));
    writer.append('procmond', [large, large]);
    const text = JSON.stringify(large.data);
    expect(bodies()).toEqual([text]);
    const blake3 = Buffer.from(hashPayload(text)).toString('hex');
    const stub = { body: { blake3, size_bytes: Buffer.byteLength(text) }, start: text.slice(0, 1_000) };
    expect(entriesOf(ledger.path)[1]?.eventData).toBe(JSON.stringify(stub));
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true, entries: 3 });
    withDatabase(ledger.path, (db) => db.exec("UPDATE audit_body SET body = '{}'"));
    expect(verifyFile(ledger.path)).toMatchObject({ ok: false, failure: { sequence: 2, what: 'body' } });
  });

  test('of a client: peer and origin stay in the entry, and are ours in the details too', async () => {
    const writer = ledger.open();
    const forged = { peer: { uid: 0 }, origin: 'x', text: 'x'.repeat(20_000) };
    await writer.submit('sentinelagent', 'gen1', [cycle(1, forged)], PEER);
    const stamps = { peer: { ...PEER, role: 'sentinelagent' }, origin: { id: 'gen1', sequence: 1 } };
    expect(dataOf(entriesOf(ledger.path)[1])).toMatchObject({ body: { size_bytes: expect.any(Number) }, ...stamps });
    expect(JSON.parse(String(bodies()[0]))).toMatchObject({ ...stamps, text: forged.text });
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true });
  });

  test('nobody can claim details that were never stored', async () => {
    const writer = ledger.open();
    const blake3 = createHash('sha256').digest('hex');
    await writer.submit('sentinelagent', 'gen1', [cycle(1, { body: { blake3, size_bytes: 5 } })], PEER);
    expect(entriesOf(ledger.path)[1]?.eventData).not.toContain(`{"body":{"blake3":"${blake3}"`);
    expect(JSON.parse(String(bodies()[0]))).toMatchObject({ body: { blake3, size_bytes: 5 } });
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true });
  });

  test('beyond 256 KiB are refused', () => {
    expect(() => eventText(event('x'.repeat(MAX_BODY_BYTES)))).toThrow(expect.objectContaining({ code: 'internal.bug' }));
  });
});
