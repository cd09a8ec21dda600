import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LedgerHead } from '@sentineld/model/audit';
import { openLedger, readEntries, verifyLedgerFile } from './read.ts';
import type { LedgerVerification } from '@sentineld/ledger/verify';

// This process reads with node:sqlite, so the writer runs in a process of its own.
const NODE_OPTIONS = ['--conditions=sentineld-source', '--input-type=module', '-e'];

const shared = mkdtempSync(join(tmpdir(), 'sentineld-ledger-'));
let directory = '';
let path = '';

function writerProgram(body: string): string[] {
  const module = new URL('./writer.ts', import.meta.url).href;
  return [
    ...NODE_OPTIONS,
    `const { openLedgerWriter } = await import(${JSON.stringify(module)});
     const { writeSync } = await import('node:fs');
     const path = ${JSON.stringify(path)};
     const writer = openLedgerWriter({ path, hostId: 'H', clock: Date.now, keyDir: path + '-key', archiveDir: path + '-archive', checkpointEntries: 8 });
     const scan = (at) => ({ action: 'process_scan_complete', data: { at, name: 'Zoë' } });
     ${body}`,
  ];
}

function write(count: number): void {
  execFileSync(
    process.execPath,
    writerProgram(`writer.append('procmond', Array.from({ length: ${count} }, (_, at) => scan(at))); writer.stop(); process.exit(0)`),
  );
}

function tamper(sql: string): void {
  const db = new DatabaseSync(path, { defensive: false });
  db.exec(`PRAGMA ignore_check_constraints = ON; ${sql}`);
  db.close();
}

function verify(): LedgerVerification {
  const db = openLedger(path);
  try {
    return verifyLedgerFile(db);
  } finally {
    db.close();
  }
}

beforeAll(() => {
  path = join(shared, 'thirty.db');
  write(30);
});
afterAll(() => rmSync(shared, { recursive: true }));
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-read-'));
  path = join(directory, 'ledger.db');
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('readEntries', () => {
  test('reads what was written, page by page', () => {
    write(50);
    expect(verify()).toMatchObject({ ok: true, entries: 51, ledgerId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    const db = openLedger(path);
    for (const pageRows of [1, 17, 51, 1_000]) {
      expect([...readEntries(db, { pageRows })].map((entry) => entry.sequence)).toEqual(
        Array.from({ length: 51 }, (_value, index) => index + 1),
      );
    }
    expect([...readEntries(db, { fromSequence: 49 })].map((entry) => entry.sequence)).toEqual([49, 50, 51]);
    expect([...readEntries(db, { fromSequence: 90 })]).toEqual([]);
    db.close();
  });

  test('reads an attached ledger', () => {
    write(3);
    const db = new DatabaseSync(':memory:');
    db.prepare('ATTACH ? AS ledger').run(path);
    expect([...readEntries(db, { schema: 'ledger' })]).toHaveLength(4);
    db.close();
  });

  test('leaves out what is written after it began', () => {
    write(3);
    const db = openLedger(path);
    const reading = readEntries(db, { pageRows: 2 });
    reading.next();
    write(5);
    expect([...reading].map((entry) => entry.sequence)).toEqual([2, 3, 4]);
    db.close();
  });

  test.each([
    ['sequence', 'UPDATE audit_ledger SET sequence = sequence + 1000 WHERE sequence = 20', 20],
    ['a number beyond 2^53', 'UPDATE audit_ledger SET timestamp = 9007199254740993 WHERE sequence = 20', 20],
    ['timestamp', 'UPDATE audit_ledger SET timestamp = timestamp - 1 WHERE sequence = 20', 20],
    ['actor', "UPDATE audit_ledger SET actor = 'sentinelcli' WHERE sequence = 20", 20],
    ['action', "UPDATE audit_ledger SET action = action || char(0) || 'x' WHERE sequence = 20", 20],
    ['payload_hash', "UPDATE audit_ledger SET payload_hash = x'00' WHERE sequence = 20", 20],
    ['prev_hash', 'UPDATE audit_ledger SET prev_hash = entry_hash WHERE sequence = 20', 20],
    ['entry_hash', 'UPDATE audit_ledger SET entry_hash = prev_hash WHERE sequence = 20', 20],
    ['signature', 'UPDATE audit_ledger SET signature = zeroblob(64) WHERE sequence = 20', 20],
    ['format_version', 'UPDATE audit_ledger SET format_version = 0 WHERE sequence = 20', 20],
    ['epoch', 'UPDATE audit_ledger SET epoch = -1 WHERE sequence = 20', 20],
    ['key_id', "UPDATE audit_ledger SET key_id = ' ' WHERE sequence = 20", 20],
    ['one byte of event_data', "UPDATE audit_ledger SET event_data = replace(event_data, 'Z', 'z') WHERE sequence = 20", 20],
    // A reader that decodes leniently would hash U+FFFD and the text before the NUL.
    ['event_data, after a NUL', 'UPDATE audit_ledger SET event_data = event_data || char(0) WHERE sequence = 20', 20],
    ['event_data, to bytes that are no UTF-8', "UPDATE audit_ledger SET event_data = CAST(x'7bff7d' AS TEXT) WHERE sequence = 20", 20],
    ['a removed entry', 'DELETE FROM audit_ledger WHERE sequence = 20', 20],
    ['the first entry', 'DELETE FROM audit_ledger WHERE sequence = 1', 1],
    [
      'an entry before the first',
      'INSERT INTO audit_ledger SELECT -5, timestamp, actor, action, payload_hash, prev_hash, entry_hash, signature, event_data, format_version, epoch, key_id FROM audit_ledger WHERE sequence = 1',
      -5,
    ],
    [
      'two swapped entries',
      'UPDATE audit_ledger SET sequence = -1 WHERE sequence = 20; UPDATE audit_ledger SET sequence = 20 WHERE sequence = 21; UPDATE audit_ledger SET sequence = 21 WHERE sequence = -1',
      20,
    ],
    ['every entry', 'DELETE FROM audit_ledger', 1],
  ])('a change of %s is found, and the entry named', (_name, sql, sequence) => {
    copyFileSync(join(shared, 'thirty.db'), path);
    tamper(sql);
    expect(verify()).toMatchObject({ ok: false, failure: { sequence } });
  });

  test('a column of another type is found, in a table that was remade without types', () => {
    copyFileSync(join(shared, 'thirty.db'), path);
    tamper(
      'CREATE TABLE loose AS SELECT * FROM audit_ledger; DROP TABLE audit_ledger; ALTER TABLE loose RENAME TO audit_ledger; UPDATE audit_ledger SET event_data = CAST(event_data AS BLOB) WHERE sequence = 20',
    );
    expect(verify()).toMatchObject({ ok: false, failure: { sequence: 20, what: 'row', why: 'event_data is not text' } });
    tamper(
      'UPDATE audit_ledger SET event_data = CAST(event_data AS TEXT) WHERE sequence = 20; UPDATE audit_ledger SET epoch = 0.5 WHERE sequence = 7',
    );
    expect(verify()).toMatchObject({ ok: false, failure: { sequence: 7, what: 'row' } });
    tamper('UPDATE audit_ledger SET epoch = 1 WHERE sequence = 7; UPDATE audit_ledger SET prev_hash = NULL WHERE sequence = 1');
    expect(verify()).toMatchObject({ ok: false, failure: { sequence: 1, what: 'row' } });
  });

  test('a missing file and a file that is no ledger', () => {
    expect(() => openLedger(path)).toThrow(expect.objectContaining({ code: 'store.missing' }));
    new DatabaseSync(path).exec('CREATE TABLE x (a INTEGER)');
    expect(() => [...readEntries(openLedger(path))]).toThrow(expect.objectContaining({ code: 'store.corrupt' }));
  });

  test('a value that would fill the memory is not read', () => {
    copyFileSync(join(shared, 'thirty.db'), path);
    tamper('UPDATE audit_ledger SET event_data = hex(zeroblob(5000000)) WHERE sequence = 20');
    expect(() => verify()).toThrow(expect.objectContaining({ code: 'store.corrupt', message: expect.stringContaining('too big') }));
  });

  test('a ledger of a newer release says so', () => {
    write(1);
    tamper('PRAGMA user_version = 9');
    expect(() => openLedger(path)).toThrow(
      expect.objectContaining({ code: 'store.too_new', message: expect.stringContaining('schema version 9') }),
    );
  });

  test('an emptied file beside a log with entries: the log is left', () => {
    writeFileSync(path, '');
    writeFileSync(`${path}-wal`, 'what is left');
    expect(() => openLedger(path)).toThrow(expect.objectContaining({ code: 'store.corrupt' }));
    expect(existsSync(`${path}-wal`)).toBe(true);
  });
});

/** Starts a writer that appends and tells every head, and kills it after `afterHeads` of them. Returns the last one it told. */
async function killWriter(round: number, afterHeads: number): Promise<LedgerHead> {
  const body = `for (let at = 0; ; at++) {
    const reply = at % 2 === 0 ? writer.append('procmond', [scan(at), scan(at)])
      : (await writer.submit('sentinelagent', 'round${round}', [{ originSequence: at, event: { action: 'rule_execute', data: { at } } }], { uid: 1, pid: 2 })).head;
    writeSync(1, JSON.stringify(reply) + '\\n');
  }`;
  const child = spawn(process.execPath, writerProgram(body), { stdio: ['ignore', 'pipe', 'inherit'] });
  let told = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      told += chunk.toString();
      if (told.split('\n').length > afterHeads) child.kill('SIGKILL');
    });
    child.on('close', (_code, signal) => (signal === 'SIGKILL' ? resolve() : reject(new Error('the writer ended by itself'))));
  });
  const line = told.slice(0, told.lastIndexOf('\n')).split('\n').at(-1) ?? '';
  return JSON.parse(line) as LedgerHead;
}

describe('a writer killed at any moment', () => {
  // SIGKILL leaves the page cache: this shows that nothing acknowledged is only in the process. Power loss is up to fsync.
  test('loses no entry that it acknowledged, and leaves a chain that verifies', { timeout: 60_000 }, async () => {
    const witnesses = [];
    for (let round = 0; round < 12; round++) {
      const head = await killWriter(round, 1 + round * 7);
      witnesses.push({ name: `round ${round}`, head });
      const db = openLedger(path);
      const result = verifyLedgerFile(db, { witnesses });
      db.close();
      expect(result).toMatchObject({ ok: true });
      expect(result.entries).toBeGreaterThanOrEqual(head.sequence);
    }
  });
});
