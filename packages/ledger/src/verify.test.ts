import { describe, expect, test } from 'vitest';
import type { AuditEntry } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import { CHAIN_START, type ChainPosition, headOf, sealEntry } from './chain.ts';
import { type LedgerWitness, compareHeads, verifyLedger } from './verify.ts';

function ledgerOf(length: number, timeOf: (sequence: number) => number = (sequence) => 1_000 * sequence, salt = ''): AuditEntry[] {
  const entries: AuditEntry[] = [];
  let position: ChainPosition = CHAIN_START;
  for (let sequence = 1; sequence <= length; sequence++) {
    const first = sequence === 1;
    const eventData = JSON.stringify(first ? { ledger_id: 'L', host_id: 'H', format: 1 } : { salt });
    const entry = sealEntry(position, {
      timestampMs: timeOf(sequence),
      actor: 'procmond',
      action: first ? 'ledger_create' : 'process_scan_complete',
      eventData,
    });
    entries.push(entry);
    position = entry;
  }
  return entries;
}

function witnessOf(entries: readonly AuditEntry[], sequence: number, name = "the agent's file"): LedgerWitness {
  const entry = entries[sequence - 1];
  if (entry === undefined) throw new Error(`no entry ${sequence}`);
  return { name, head: headOf(entry) };
}

describe('verifyLedger', () => {
  test('a whole ledger, from a synchronous and an asynchronous source', async () => {
    const entries = ledgerOf(20);
    async function* streamed(): AsyncGenerator<AuditEntry> {
      yield* entries;
    }
    const result = await verifyLedger(entries);
    expect(result).toMatchObject({ ok: true, entries: 20, head: witnessOf(entries, 20).head, ledgerId: 'L', notes: [] });
    expect(result).not.toHaveProperty('failure');
    expect(await verifyLedger(streamed())).toEqual(result);
  });

  test('no entries at all are a failure: a ledger always has its first', async () => {
    expect(await verifyLedger([])).toMatchObject({ ok: false, entries: 0, head: null, failure: { sequence: 1, what: 'empty' } });
  });

  test('entries removed from the end: unnoticed without a witness, and said so; named with one', async () => {
    const entries = ledgerOf(20);
    const cut = entries.slice(0, 15);
    const alone = await verifyLedger(cut);
    expect(alone.ok).toBe(true);
    expect(alone.cannotShow).toContainEqual(expect.stringContaining('No witness: entries removed from the end cannot be noticed'));
    expect(await verifyLedger(cut, { witnesses: [witnessOf(entries, 10), witnessOf(entries, 18)] })).toMatchObject({
      ok: false,
      entries: 15,
      failure: {
        sequence: 18,
        what: 'witness',
        why: "the agent's file knows entry 18, but the ledger ends at 15: entries 16 to 18 are gone",
      },
    });
  });

  test('a ledger that was rewritten as a whole: unnoticed without a witness, named with one', async () => {
    const entries = ledgerOf(20);
    const rewritten = ledgerOf(25, undefined, 'forged');
    expect((await verifyLedger(rewritten)).ok).toBe(true);
    expect(await verifyLedger(rewritten, { witnesses: [witnessOf(entries, 12), witnessOf(entries, 5)] })).toMatchObject({
      ok: false,
      failure: { sequence: 5, what: 'witness' },
    });
  });

  test('says up to where witnesses confirm it and what remains open', async () => {
    const entries = ledgerOf(20);
    const { ok, shows, cannotShow } = await verifyLedger(entries, { witnesses: [witnessOf(entries, 7), witnessOf(entries, 12, 'a note')] });
    expect(ok).toBe(true);
    expect(shows).toContain('Entries 1 to 12 are those that a note acknowledged.');
    expect(cannotShow.join('\n')).toMatch(/after entry 12, the newest that a witness knows/);
    expect(cannotShow.join('\n')).toMatch(/not signed/);
  });

  test('a clock that was set back is a note', async () => {
    const result = await verifyLedger(ledgerOf(10, (sequence) => (sequence === 6 ? 10 : sequence * 1_000)));
    expect(result).toMatchObject({ ok: true, notes: [expect.stringMatching(/set back 1 times, first before entry 6/)] });
  });

  test('signatures that were not checked are mentioned', async () => {
    const entries = ledgerOf(1);
    const [first] = entries;
    if (first === undefined) throw new Error('no entry');
    const { hashEntry } = await import('./canonical-entry.ts');
    const signed = { ...first, keyId: 'k1', epoch: 1, signature: new Uint8Array(64) };
    const result = await verifyLedger([{ ...signed, entryHash: hashEntry(signed) }]);
    expect(result.ok).toBe(true);
    expect(result.cannotShow).toContain('Whether the signatures on 1 entries are genuine: they were not checked.');
  });

  test('a row that is no entry is a failure, another error of the source is not swallowed', async () => {
    function* source(error: Error): Generator<AuditEntry> {
      yield* ledgerOf(3);
      throw error;
    }
    const broken = new SentinelError('ledger.broken', {
      message: 'Entry 4: actor is not text.',
      context: { sequence: 4, what: 'row', why: 'actor is not text' },
    });
    expect(await verifyLedger(source(broken))).toMatchObject({
      ok: false,
      entries: 3,
      failure: { sequence: 4, what: 'row', why: 'actor is not text' },
    });
    await expect(verifyLedger(source(new Error('disk on fire')))).rejects.toThrow('disk on fire');
  });
});

describe('compareHeads', () => {
  const hashAt = new Map([
    [3, 'aa'],
    [5, 'bb'],
  ]);
  const witness = (sequence: number, entryHash: string): LedgerWitness => ({ name: 'events.db', head: { sequence, entryHash } });

  test('agreement is null', () => {
    expect(compareHeads(5, hashAt, [witness(3, 'aa'), witness(5, 'bb')])).toBeNull();
    expect(compareHeads(5, hashAt, [])).toBeNull();
  });

  test('two witnesses that contradict each other cannot both hold', () => {
    expect(compareHeads(5, hashAt, [witness(3, 'aa'), witness(3, 'ff')])).toMatchObject({ sequence: 3, what: 'witness' });
  });

  test('the lowest contradiction is named', () => {
    expect(compareHeads(5, hashAt, [witness(6, 'cc'), witness(5, 'ff')])).toMatchObject({ sequence: 5 });
    expect(compareHeads(5, hashAt, [witness(6, 'cc')])).toMatchObject({ sequence: 6, why: expect.stringContaining('entry 6 is gone') });
  });
});
