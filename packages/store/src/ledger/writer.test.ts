import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AuditEvent } from '@sentineld/model/audit';
import {
  type LedgerFixture,
  PEER,
  createLedgerFixture,
  cycle,
  entriesOf,
  scan,
  verifyFile,
  withDatabase,
} from './fixtures/ledger.fixture.ts';
import { MAX_BODY_BYTES } from './event-text.ts';

const isRoot = process.geteuid?.() === 0;

let ledger: LedgerFixture;
beforeEach(() => {
  ledger = createLedgerFixture();
});
afterEach(() => ledger.remove());

describe('append', () => {
  test('a new ledger starts with ledger_create, and goes on where it was', () => {
    expect(ledger.open().head().sequence).toBe(1);
    const writer = ledger.open();
    expect(writer.append('procmond', [])).toEqual(writer.head());
    const head = writer.append('procmond', [scan(1), scan(2)]);
    expect(head).toEqual(writer.head());
    expect(ledger.open().head()).toEqual(head);
    const [first, second] = entriesOf(ledger.path);
    expect(JSON.parse(first?.eventData ?? '')).toMatchObject({
      ledger_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      host_id: 'H',
      format: 2,
      key: expect.stringMatching(/^sentineld-ledger\/[0-9a-f-]{36}\+[0-9a-f]{8}\+/),
    });
    expect(second).toMatchObject({ sequence: 2, actor: 'procmond', action: 'process_scan_complete', eventData: '{"scan_id":1}' });
    expect(head).toEqual({ sequence: 3, entryHash: Buffer.from(entriesOf(ledger.path)[2]?.entryHash ?? []).toString('hex') });
  });

  test('what was appended verifies, whatever text is in it', () => {
    const writer = ledger.open();
    for (const text of ['\u0000', '\ud800', '\ufeffBOM', 'é'.normalize('NFD'), "');--", '\u{10ffff}', '\ufffd']) {
      writer.append('procmond', [{ action: 'start', data: { text, [text]: [text] } }]);
    }
    expect(verifyFile(ledger.path)).toMatchObject({ ok: true, entries: 8 });
    const texts = entriesOf(ledger.path).map((entry) => (JSON.parse(entry.eventData) as { text?: string }).text);
    expect(texts.slice(1, 3)).toEqual(['\u0000', '\ud800']);
  });

  test('an entry that is too large is refused, nothing of its batch is written, and the writer goes on', () => {
    const writer = ledger.open();
    const large: AuditEvent = { action: 'start', data: { text: 'x'.repeat(MAX_BODY_BYTES) } };
    expect(() => writer.append('procmond', [scan(1), large])).toThrow(expect.objectContaining({ code: 'internal.bug' }));
    expect(writer.failure()).toBeNull();
    expect(writer.append('procmond', [scan(1)]).sequence).toBe(2);
  });

  test('another process holding the lock is an error, not the end', () => {
    const writer = ledger.open();
    withDatabase(ledger.path, (db) => {
      db.exec('BEGIN IMMEDIATE');
      expect(() => writer.append('procmond', [scan(1)])).toThrow(expect.objectContaining({ code: 'state.held' }));
      db.exec('ROLLBACK');
    });
    expect(writer.append('procmond', [scan(1)]).sequence).toBe(2);
  });
});

describe('a disk that is full', () => {
  test.skipIf(!isRoot)(
    'stops the writer until it is reopened, and loses nothing that was acknowledged (needs root, to mount a small tmpfs)',
    async () => {
      const small = join(ledger.directory, 'small');
      mkdirSync(small);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small]);
      try {
        const path = join(small, 'ledger.db');
        const writer = ledger.open({ path, keyDir: join(small, 'key') });
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
        await expect(writer.submit('sentinelagent', 'gen1', [cycle(1)], PEER)).rejects.toMatchObject({ code: 'state.unusable' });
        expect(writer.head()).toEqual(acknowledged);

        writer.reopen();
        expect(writer.failure()).toBeNull();
        expect(entriesOf(path)[acknowledged.sequence - 1]).toMatchObject({ action: 'start' });
        expect(entriesOf(path).at(-1)).toMatchObject({ sequence: acknowledged.sequence + 1, action: 'ledger_reopen' });
        expect(writer.append('procmond', [scan(1)]).sequence).toBe(acknowledged.sequence + 2);
        expect(verifyFile(path)).toMatchObject({ ok: true, entries: acknowledged.sequence + 2 });
      } finally {
        execFileSync('umount', ['-l', small]);
      }
    },
  );
});
