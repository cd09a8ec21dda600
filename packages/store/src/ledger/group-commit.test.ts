import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AppendReply, OriginEntry } from '@sentineld/model/request';
import {
  type LedgerFixture,
  PEER,
  createLedgerFixture,
  cycle,
  entriesOf,
  scan,
  tamper,
  verifyFile,
  withDatabase,
} from './fixtures/ledger.fixture.ts';
import { nextTurn } from './turn.ts';
import type { LedgerWriter } from './writer.ts';

let ledger: LedgerFixture;
beforeEach(() => {
  ledger = createLedgerFixture();
});
afterEach(() => ledger.remove());

const send = (writer: LedgerWriter, origin: string, ...entries: OriginEntry[]): Promise<AppendReply> =>
  writer.submit('sentinelagent', origin, entries, PEER);
const cycles = (count: number): OriginEntry[] => Array.from({ length: count }, (_value, index) => cycle(index + 1));
/** Times are those of transactions: the clock goes on by one with each. */
const transactionTimes = (): number[] => [...new Set(entriesOf(ledger.path).map(({ timestampMs }) => timestampMs))];

describe('group commit', () => {
  test('what comes together is one transaction, in its order, and each is told its own number', async () => {
    const writer = ledger.open();
    const replies = await Promise.all([send(writer, 'a', ...cycles(2)), send(writer, 'b', cycle(7)), send(writer, 'a', ...cycles(3))]);
    expect(replies).toEqual([2, 7, 3].map((lastOriginSequence) => ({ head: writer.head(), lastOriginSequence })));
    expect(transactionTimes()).toHaveLength(2);
    expect(entriesOf(ledger.path)).toHaveLength(5);
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true });
  });

  test('nothing is told before it is on disk, and a stop writes what waits', async () => {
    const writer = ledger.open();
    let told = false;
    const sent = send(writer, 'a', cycle(1)).then(() => (told = true));
    await Promise.resolve();
    expect([told, writer.pending(), writer.head().sequence]).toEqual([false, 1, 1]);
    expect(writer.stop()).toBe(true);
    expect([writer.pending(), entriesOf(ledger.path).length]).toEqual([0, 2]);
    await sent;
    await nextTurn();
    expect(transactionTimes()).toHaveLength(2);
  });

  /** Sends one more in each turn of the event loop, and says how many went into the first transaction. */
  async function firstGroup(options: { readonly groupMs?: number; readonly nowMs: () => number }, size: number): Promise<number> {
    const writer = ledger.open(options);
    const sent: Promise<AppendReply>[] = [];
    for (let at = 1; writer.head().sequence === 1; at++) {
      sent.push(send(writer, `o${at}`, ...cycles(size)));
      await nextTurn();
    }
    await Promise.all(sent);
    const times = entriesOf(ledger.path).map(({ timestampMs }) => timestampMs);
    return times.filter((time) => time === times[1]).length;
  }

  test('while others keep arriving it waits, until the time is over', async () => {
    let nowMs = 0;
    expect(await firstGroup({ groupMs: 10, nowMs: () => nowMs++ }, 1)).toBeGreaterThan(5);
  });

  test('or until 256 entries are there', async () => {
    const entries = await firstGroup({ groupMs: 10, nowMs: () => 0 }, 64);
    expect(entries).toBeGreaterThanOrEqual(256);
    expect(entries).toBeLessThanOrEqual(6 * 64);
  });

  test('or 1 MiB', async () => {
    const writer = ledger.open({ nowMs: () => 0 });
    const text = 'x'.repeat(220 * 1024);
    const sent: Promise<AppendReply>[] = [];
    for (let at = 1; writer.head().sequence === 1; at++) {
      sent.push(send(writer, 'large', cycle(at, { text })));
      await nextTurn();
    }
    await Promise.all(sent);
    expect(sent.length).toBeGreaterThanOrEqual(5);
    expect(sent.length).toBeLessThanOrEqual(7);
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true });
  });

  test('one alone waits for nobody', async () => {
    const writer = ledger.open({ groupMs: 60_000, nowMs: () => 0 });
    await send(writer, 'a', cycle(1));
    expect(writer.head().sequence).toBe(2);
  });

  test('an own entry takes along what waits, and comes after it', async () => {
    const writer = ledger.open();
    const sent = send(writer, 'a', cycle(1));
    const head = writer.append('procmond', [scan(1)]);
    await expect(sent).resolves.toEqual({ head, lastOriginSequence: 1 });
    expect(entriesOf(ledger.path).map(({ actor }) => actor)).toEqual(['procmond', 'sentinelagent', 'procmond']);
    expect(transactionTimes()).toHaveLength(2);
  });

  test('one that is refused does not hurt the others', async () => {
    const writer = ledger.open();
    const refused = writer.submit('sentinelcli', 'a', [cycle(1)], PEER);
    const large = send(writer, 'large', cycle(1, { text: 'x'.repeat(256 * 1024) }));
    const sent = send(writer, 'b', cycle(1));
    await expect(refused).rejects.toMatchObject({ code: 'ipc.refused' });
    await expect(large).rejects.toMatchObject({ code: 'internal.bug' });
    await expect(sent).resolves.toMatchObject({ lastOriginSequence: 1 });
    expect(writer.failure()).toBeNull();
  });

  test('4,096 entries wait at most; what comes beyond is refused at once and can be sent again', async () => {
    const writer = ledger.open();
    const sent = Array.from({ length: 64 }, (_value, index) => send(writer, `o${index}`, ...cycles(64)));
    const refused = send(writer, 'late', cycle(1));
    await expect(refused).rejects.toMatchObject({ code: 'state.unusable', message: expect.stringContaining('4096 entries wait') });
    expect(writer.failure()).toBeNull();
    await Promise.all(sent);
    expect(writer.head().sequence).toBe(4_097);
    const late = send(writer, 'late', cycle(1));
    writer.append('procmond', [scan(1)]);
    await late;
    expect(writer.head().sequence).toBe(4_099);
  });

  test('8 MiB wait at most', async () => {
    const writer = ledger.open();
    const large = cycle(1, { text: 'x'.repeat(250 * 1024) });
    const sent = Array.from({ length: 40 }, (_value, index) => send(writer, `o${index}`, large));
    const results = await Promise.allSettled(sent);
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(8);
    expect(writer.head().sequence).toBe(33);
  });
});

describe('a write that fails', () => {
  test('rejects those who waited; sent again after the reopening they are recorded once', async () => {
    const writer = ledger.open();
    writer.append('procmond', [scan(1)]);
    tamper(ledger.path, "CREATE TRIGGER refuse BEFORE INSERT ON audit_origin BEGIN SELECT RAISE(ABORT, 'no'); END");
    const waiting = [send(writer, 'a', cycle(1)), send(writer, 'b', cycle(1))];
    expect(() => writer.append('procmond', [scan(2)])).toThrow(/no/);
    for (const sent of waiting) await expect(sent).rejects.toThrow(/no/);
    expect([writer.head().sequence, writer.failure()?.code]).toEqual([2, 'internal.bug']);
    await expect(send(writer, 'c', cycle(1))).rejects.toThrow(/takes no entries since a write failed/);
    expect(() => writer.checkpoint()).toThrow(/takes no entries since/);
    expect(() => writer.rotateKey()).toThrow(/takes no entries since/);
    await expect(writer.archive(5_000)).rejects.toThrow(/takes no entries since/);
    expect(writer.stop()).toBe(false);
    tamper(ledger.path, 'DROP TRIGGER refuse');
    writer.reopen();
    expect(writer.failure()).toBeNull();
    const again = [send(writer, 'a', cycle(1)), send(writer, 'b', cycle(1))];
    writer.append('procmond', [scan(2)]);
    await Promise.all(again);
    expect(entriesOf(ledger.path).map(({ action }) => action)).toEqual([
      'ledger_create',
      'process_scan_complete',
      'ledger_reopen',
      'rule_execute',
      'rule_execute',
      'process_scan_complete',
    ]);
    expect(entriesOf(ledger.path)[2]?.eventData).toContain('no');
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true });
  });

  test('one that is on disk all the same counts, and what is sent again is recorded once', async () => {
    const writer = ledger.open();
    // As a failed fsync may leave it: the writer knows nothing of entries that are there.
    await send(ledger.open(), 'a', cycle(1));
    await expect(send(writer, 'a', cycle(1))).rejects.toMatchObject({ code: 'ledger.broken' });
    writer.reopen();
    await expect(send(writer, 'a', cycle(1))).resolves.toEqual({ head: writer.head(), lastOriginSequence: 1 });
    expect(entriesOf(ledger.path).map(({ action }) => action)).toEqual(['ledger_create', 'rule_execute', 'ledger_reopen']);
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true });
  });

  test('a reopening that cannot say what happened stays failed', () => {
    const writer = ledger.open();
    const refuse = (action: string): void =>
      tamper(
        ledger.path,
        `CREATE TRIGGER refuse BEFORE INSERT ON audit_ledger WHEN new.action ${action} BEGIN SELECT RAISE(ABORT, 'no'); END`,
      );
    refuse("<> ''");
    expect(() => writer.append('procmond', [scan(1)])).toThrow(/no/);
    expect(() => writer.reopen()).toThrow(/no/);
    expect(writer.failure()).not.toBeNull();
    tamper(ledger.path, 'DROP TRIGGER refuse');
    writer.reopen();
    expect(writer.append('procmond', [scan(1)]).sequence).toBe(3);
    writer.reopen();
    expect(entriesOf(ledger.path).map(({ action }) => action)).toEqual(['ledger_create', 'ledger_reopen', 'process_scan_complete']);
  });

  test('a lock that another process holds rejects the group and is not the end', async () => {
    const writer = ledger.open();
    const sent = send(writer, 'a', cycle(1));
    withDatabase(ledger.path, (db) => {
      db.exec('BEGIN IMMEDIATE');
      expect(() => writer.append('procmond', [scan(1)])).toThrow(expect.objectContaining({ code: 'state.held' }));
      db.exec('ROLLBACK');
    });
    await expect(sent).rejects.toMatchObject({ code: 'state.held' });
    expect([writer.failure(), writer.append('procmond', [scan(1)]).sequence]).toEqual([null, 2]);
  });
});
