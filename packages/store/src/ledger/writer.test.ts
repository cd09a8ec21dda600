import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AuditEntry, AuditEvent } from '@sentineld/model/audit';
import type { OriginEntry } from '@sentineld/model/request';
import { ENTRY_COLUMNS_SQL, type EntryRow, entryFromRow } from './entry-row.ts';
import { verifyLedger } from '@sentineld/ledger/verify';
import { type LedgerWriter, MAX_EVENT_DATA_BYTES, openLedgerWriter } from './writer.ts';

const isRoot = process.geteuid?.() === 0;
const peer = { uid: 1000, pid: 42 };

let directory = '';
let nowMs = 1_000;

const pathOf = (): string => join(directory, 'ledger.db');
const open = (path = pathOf()): LedgerWriter => openLedgerWriter({ path, hostId: 'H', clock: () => nowMs++, reserveBytes: 0 });
const scan = (scanId: number): AuditEvent => ({ action: 'process_scan_complete', data: { scan_id: scanId } });
const cycle = (originSequence: number, data: Record<string, unknown> = {}): OriginEntry => ({
  originSequence,
  event: { action: 'rule_execute', data },
});

function withDatabase<Result>(work: (db: Database.Database) => Result, path = pathOf()): Result {
  const db = new Database(path);
  try {
    return work(db);
  } finally {
    db.close();
  }
}

function entries(path = pathOf()): AuditEntry[] {
  return withDatabase(
    (db) =>
      db
        .prepare<[], EntryRow>(`SELECT ${ENTRY_COLUMNS_SQL} FROM audit_ledger ORDER BY sequence`)
        .safeIntegers(true)
        .all()
        .map(entryFromRow),
    path,
  );
}

function tamper(sql: string): void {
  withDatabase((db) => {
    db.exec(`PRAGMA ignore_check_constraints = ON; ${sql}`);
  });
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-ledger-'));
  nowMs = 1_000;
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('append', () => {
  test('a new ledger starts with ledger_create, and goes on where it was', () => {
    expect(open().head().sequence).toBe(1);
    const writer = open();
    expect(writer.append('procmond', [])).toEqual(writer.head());
    const head = writer.append('procmond', [scan(1), scan(2)]);
    expect(head).toEqual(writer.head());
    expect(open().head()).toEqual(head);
    const [first, second] = entries();
    expect(JSON.parse(first?.eventData ?? '')).toMatchObject({
      ledger_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      host_id: 'H',
      format: 1,
    });
    expect(second).toMatchObject({ sequence: 2, actor: 'procmond', action: 'process_scan_complete', eventData: '{"scan_id":1}' });
    expect(head).toEqual({ sequence: 3, entryHash: Buffer.from(entries()[2]?.entryHash ?? []).toString('hex') });
  });

  test('what was appended verifies, whatever text is in it', async () => {
    const writer = open();
    for (const text of ['\u0000', '\ud800', '\ufeffBOM', 'é'.normalize('NFD'), "');--", '\u{10ffff}', '\ufffd']) {
      writer.append('procmond', [{ action: 'start', data: { text, [text]: [text] } }]);
    }
    expect(await verifyLedger(entries())).toMatchObject({ ok: true, entries: 8 });
    const texts = entries().map((entry) => (JSON.parse(entry.eventData) as { text?: string }).text);
    expect(texts.slice(1, 3)).toEqual(['\u0000', '\ud800']);
  });

  test('an entry that is too large is refused, nothing of its batch is written, and the writer goes on', () => {
    const writer = open();
    const large: AuditEvent = { action: 'start', data: { text: 'x'.repeat(MAX_EVENT_DATA_BYTES) } };
    expect(() => writer.append('procmond', [scan(1), large])).toThrow(expect.objectContaining({ code: 'internal.bug' }));
    expect(writer.failure()).toBeNull();
    expect(writer.append('procmond', [scan(1)]).sequence).toBe(2);
  });

  test('another process holding the lock is an error, not the end', () => {
    const writer = open();
    withDatabase((db) => {
      db.exec('BEGIN IMMEDIATE');
      expect(() => writer.append('procmond', [scan(1)])).toThrow(expect.objectContaining({ code: 'state.held' }));
      db.exec('ROLLBACK');
    });
    expect(writer.append('procmond', [scan(1)]).sequence).toBe(2);
  });
});

describe('appendFromOrigin', () => {
  test('records each number once, however often it is sent', async () => {
    const writer = open();
    expect(writer.appendFromOrigin('sentinelagent', 'gen1', [cycle(1), cycle(2)], peer)).toEqual({
      head: writer.head(),
      lastOriginSequence: 2,
    });
    expect(writer.head().sequence).toBe(3);
    const again = writer.appendFromOrigin('sentinelagent', 'gen1', [cycle(1), cycle(2)], peer);
    expect(again).toEqual({ head: writer.head(), lastOriginSequence: 2 });
    expect(open().appendFromOrigin('sentinelagent', 'gen1', [cycle(2), cycle(5)], peer)).toMatchObject({
      head: { sequence: 4 },
      lastOriginSequence: 5,
    });
    expect(await verifyLedger(entries())).toMatchObject({ ok: true, entries: 4 });
  });

  test('no client can use up the numbers of another', () => {
    const writer = open();
    writer.appendFromOrigin('sentinelcli', 'gen1', [{ originSequence: 1_000_000, event: { action: 'audit_verify', data: {} } }], peer);
    writer.appendFromOrigin('sentinelagent', 'gen1', [cycle(9)], { uid: 7, pid: 1 });
    expect(writer.appendFromOrigin('sentinelagent', 'gen1', [cycle(1)], peer)).toMatchObject({
      head: { sequence: 4 },
      lastOriginSequence: 1,
    });
  });

  test('the actor, the peer and the origin are ours, whatever the client says', () => {
    const writer = open();
    const forged = JSON.parse(
      '{"peer":{"uid":0,"pid":1,"role":"procmond"},"origin":{"id":"other","sequence":99},"actor":"procmond","__proto__":{"peer":1},"rows":3}',
    ) as Record<string, unknown>;
    writer.appendFromOrigin('sentinelagent', 'gen1', [cycle(1, forged)], peer);
    const entry = entries()[1];
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
  ] as const)('%s is refused and nothing is written', (_name, role, sent, code) => {
    const writer = open();
    expect(() => writer.appendFromOrigin(role, 'gen1', sent, peer)).toThrow(expect.objectContaining({ code }));
    expect(writer.head().sequence).toBe(1);
    expect(writer.failure()).toBeNull();
  });

  test('origins that were not used for longest are forgotten beyond 4096', () => {
    const writer = open();
    withDatabase((db) => {
      const insert = db.prepare('INSERT INTO audit_origin VALUES (?, 1, ?)');
      db.transaction(() => {
        for (let at = 0; at < 4_096; at++) insert.run(`sentinelcli:1000:run${at}`, at);
      })();
    });
    writer.appendFromOrigin('sentinelagent', 'gen1', [cycle(1)], peer);
    const known = withDatabase((db) => db.prepare('SELECT origin FROM audit_origin ORDER BY updated_ms').pluck().all());
    expect(known).toHaveLength(4_096);
    expect(known).not.toContain('sentinelcli:1000:run0');
    expect(known).toContain('sentinelagent:1000:gen1');
  });
});

describe('the newest entries are verified when the ledger is opened', () => {
  test.each([
    ['sequence', 'UPDATE audit_ledger SET sequence = 200 WHERE sequence = 95', 95],
    ['timestamp', 'UPDATE audit_ledger SET timestamp = timestamp + 1 WHERE sequence = 95', 95],
    ['actor', "UPDATE audit_ledger SET actor = 'procmonD' WHERE sequence = 95", 95],
    ['action', "UPDATE audit_ledger SET action = 'start' WHERE sequence = 95", 95],
    ['payload_hash', 'UPDATE audit_ledger SET payload_hash = zeroblob(32) WHERE sequence = 95', 95],
    ['prev_hash', 'UPDATE audit_ledger SET prev_hash = zeroblob(32) WHERE sequence = 95', 95],
    ['entry_hash', 'UPDATE audit_ledger SET entry_hash = zeroblob(32) WHERE sequence = 95', 95],
    ['signature', 'UPDATE audit_ledger SET signature = zeroblob(64) WHERE sequence = 95', 95],
    ['event_data', "UPDATE audit_ledger SET event_data = event_data || ' ' WHERE sequence = 95", 95],
    ['format_version', 'UPDATE audit_ledger SET format_version = 2 WHERE sequence = 95', 95],
    ['epoch', 'UPDATE audit_ledger SET epoch = 1 WHERE sequence = 95', 95],
    ['key_id', "UPDATE audit_ledger SET key_id = 'k' WHERE sequence = 95", 95],
    ['a removed entry', 'DELETE FROM audit_ledger WHERE sequence = 95', 95],
    ['the newest entry', "UPDATE audit_ledger SET event_data = '{}' WHERE sequence = 101", 101],
    ['every entry', 'DELETE FROM audit_ledger', 1],
  ])('a change of %s', (_name, sql, sequence) => {
    open().append(
      'procmond',
      Array.from({ length: 100 }, (_value, index) => scan(index)),
    );
    tamper(sql);
    expect(() => open()).toThrow(expect.objectContaining({ code: 'ledger.broken', context: expect.objectContaining({ sequence }) }));
    // Left as it is for whoever looks into it.
    expect(existsSync(`${pathOf()}-wal`)).toBe(true);
  });

  test('an older change is left to the full verification', async () => {
    open().append(
      'procmond',
      Array.from({ length: 100 }, (_value, index) => scan(index)),
    );
    tamper("UPDATE audit_ledger SET event_data = '{}' WHERE sequence = 20");
    expect(open().append('procmond', [scan(1)]).sequence).toBe(102);
    expect(await verifyLedger(entries())).toMatchObject({ ok: false, failure: { sequence: 20, what: 'payload_hash' } });
  });

  test('a change behind the back of a running writer stops it', () => {
    const writer = open();
    writer.append('procmond', [scan(1), scan(2)]);
    tamper('DELETE FROM audit_ledger WHERE sequence = 3');
    expect(() => writer.append('procmond', [scan(3)])).toThrow(
      expect.objectContaining({ code: 'ledger.broken', context: expect.objectContaining({ sequence: 3 }) }),
    );
    expect(writer.failure()).toMatchObject({ code: 'ledger.broken' });
    expect(() => writer.append('procmond', [scan(3)])).toThrow(/takes no entries since/);
    expect(writer.stop()).toBe(false);
  });
});

describe('a disk that is full', () => {
  test.skipIf(!isRoot)(
    'stops the writer until it is reopened, and loses nothing that was acknowledged (needs root, to mount a small tmpfs)',
    async () => {
      const small = join(directory, 'small');
      mkdirSync(small);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small]);
      try {
        const path = join(small, 'ledger.db');
        const writer = open(path);
        writeFileSync(join(small, 'ballast'), Buffer.alloc(256 * 1024));
        let acknowledged = writer.head();
        const appendUntilFull = (): void => {
          for (let at = 0; at < 10_000; at++)
            acknowledged = writer.append('procmond', [{ action: 'start', data: { text: 'x'.repeat(2_000) } }]);
        };
        expect(appendUntilFull).toThrow(expect.objectContaining({ code: 'state.unusable' }));
        expect(acknowledged.sequence).toBeGreaterThan(10);

        rmSync(join(small, 'ballast'));
        expect(() => writer.append('procmond', [scan(1)])).toThrow(/takes no entries since a write failed/);
        expect(() => writer.appendFromOrigin('sentinelagent', 'gen1', [cycle(1)], peer)).toThrow(
          expect.objectContaining({ code: 'state.unusable' }),
        );
        expect(writer.head()).toEqual(acknowledged);

        writer.reopen();
        expect(writer.failure()).toBeNull();
        expect(writer.head()).toEqual(acknowledged);
        expect(writer.append('procmond', [scan(1)]).sequence).toBe(acknowledged.sequence + 1);
        expect(await verifyLedger(entries(path), { witnesses: [{ name: 'test', head: acknowledged }] })).toMatchObject({ ok: true });
      } finally {
        execFileSync('umount', ['-l', small]);
      }
    },
  );
});
