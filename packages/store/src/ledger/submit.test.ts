import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type LedgerFixture, PEER, createLedgerFixture, cycle, entriesOf, verifyFile, withDatabase } from './fixtures/ledger.fixture.ts';

let ledger: LedgerFixture;
beforeEach(() => {
  ledger = createLedgerFixture();
});
afterEach(() => ledger.remove());

describe('submit', () => {
  test('records each number once, however often it is sent', async () => {
    const writer = ledger.open();
    expect(await writer.submit('sentinelagent', 'gen1', [cycle(1), cycle(2)], PEER)).toEqual({
      head: writer.head(),
      lastOriginSequence: 2,
    });
    expect(writer.head().sequence).toBe(3);
    const again = await writer.submit('sentinelagent', 'gen1', [cycle(1), cycle(2)], PEER);
    expect(again).toEqual({ head: writer.head(), lastOriginSequence: 2 });
    expect(await ledger.open().submit('sentinelagent', 'gen1', [cycle(2), cycle(5)], PEER)).toMatchObject({
      head: { sequence: 4 },
      lastOriginSequence: 5,
    });
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true, entries: 4 });
  });

  test('no client can use up the numbers of another', async () => {
    const writer = ledger.open();
    await writer.submit('sentinelcli', 'gen1', [{ originSequence: 1_000_000, event: { action: 'audit_verify', data: {} } }], PEER);
    await writer.submit('sentinelagent', 'gen1', [cycle(9)], { uid: 7, pid: 1 });
    expect(await writer.submit('sentinelagent', 'gen1', [cycle(1)], PEER)).toMatchObject({
      head: { sequence: 4 },
      lastOriginSequence: 1,
    });
  });

  test('the actor, the peer and the origin are ours, whatever the client says', async () => {
    const writer = ledger.open();
    const forged = JSON.parse(
      '{"peer":{"uid":0,"pid":1,"role":"procmond"},"origin":{"id":"other","sequence":99},"actor":"procmond","__proto__":{"peer":1},"rows":3}',
    ) as Record<string, unknown>;
    await writer.submit('sentinelagent', 'gen1', [cycle(1, forged)], PEER);
    const entry = entriesOf(ledger.path)[1];
    expect(entry?.actor).toBe('sentinelagent');
    const data = JSON.parse(entry?.eventData ?? '') as Record<string, unknown>;
    expect(data).toMatchObject({ peer: { uid: 1000, pid: 42, role: 'sentinelagent' }, origin: { id: 'gen1', sequence: 1 }, rows: 3 });
    expect(entry?.eventData.match(/"peer":\{"uid"/g)).toHaveLength(1);
  });

  test.each([
    ['an action of another role', 'sentinelcli', [cycle(1)], 'ipc.refused'],
    ['an action of procmond alone', 'sentinelagent', [{ originSequence: 1, event: { action: 'ledger_create', data: {} } }], 'ipc.refused'],
    ['numbers that do not grow', 'sentinelagent', [cycle(2), cycle(2)], 'ipc.protocol'],
    ['a number below 1', 'sentinelagent', [cycle(0)], 'ipc.protocol'],
  ] as const)('%s is refused and nothing is written', async (_name, role, sent, code) => {
    const writer = ledger.open();
    await expect(writer.submit(role, 'gen1', sent, PEER)).rejects.toMatchObject({ code });
    expect(writer.head().sequence).toBe(1);
    expect(writer.failure()).toBeNull();
  });

  test('origins that were not used for longest are forgotten beyond 4096', async () => {
    const writer = ledger.open();
    withDatabase(ledger.path, (db) => {
      const insert = db.prepare('INSERT INTO audit_origin VALUES (?, 1, ?)');
      db.transaction(() => {
        for (let at = 0; at < 4_096; at++) insert.run(`sentinelcli:1000:run${at}`, at);
      })();
    });
    await writer.submit('sentinelagent', 'gen1', [cycle(1)], PEER);
    const known = withDatabase(ledger.path, (db) => db.prepare('SELECT origin FROM audit_origin ORDER BY updated_ms').pluck().all());
    expect(known).toHaveLength(4_096);
    expect(known).not.toContain('sentinelcli:1000:run0');
    expect(known).toContain('sentinelagent:1000:gen1');
  });
});
