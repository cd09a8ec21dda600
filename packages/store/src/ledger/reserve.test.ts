import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditAction, AuditEvent } from '@sentineld/model/audit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { verifyFile } from './fixtures/ledger.fixture.ts';
import { openReserve } from './reserve.ts';
import { type LedgerWriter, openLedgerWriter } from './writer.ts';

const SIZE = 1024 * 1024;

let directory = '';
let nowMs = 0;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-reserve-'));
  nowMs = 0;
});
afterEach(() => rmSync(directory, { recursive: true }));

const open = (at: string): LedgerWriter =>
  openLedgerWriter({
    path: join(at, 'ledger.db'),
    keyDir: join(at, 'key'),
    archiveDir: join(at, 'archive'),
    hostId: 'H',
    clock: () => 1,
    nowMs: () => nowMs,
  });
const entry = (action: AuditAction, text = ''): AuditEvent => ({ action, data: { text } });

describe('the reserve', () => {
  test('has its size in blocks, is the owner’s alone, and is found again', () => {
    const reserve = openReserve({ ledgerPath: join(directory, 'ledger.db'), sizeBytes: SIZE, nowMs: () => nowMs });
    const path = join(directory, 'reserve');
    expect(reserve.isInUse()).toBe(false);
    const status = statSync(path);
    expect([status.size, status.mode & 0o777, status.blocks * 512 >= SIZE]).toEqual([SIZE, 0o600, true]);
    const again = openReserve({ ledgerPath: join(directory, 'ledger.db'), sizeBytes: SIZE, nowMs: () => nowMs });
    expect([again.isInUse(), statSync(path).mtimeMs]).toEqual([false, status.mtimeMs]);
    openReserve({ ledgerPath: join(directory, 'ledger.db'), sizeBytes: SIZE / 2, nowMs: () => nowMs });
    expect(statSync(path).size).toBe(SIZE / 2);
  });

  test('is given up in slices, and made anew two seconds after the last at the earliest', () => {
    const reserve = openReserve({ ledgerPath: join(directory, 'ledger.db'), sizeBytes: SIZE, nowMs: () => nowMs });
    const sizes: number[] = [];
    while (reserve.release()) sizes.push(statSync(join(directory, 'reserve')).size / (SIZE / 8));
    expect(sizes).toEqual([7, 6, 5, 4, 3, 2, 1, 0]);
    nowMs += 1999;
    expect([reserve.isInUse(), statSync(join(directory, 'reserve')).size]).toEqual([true, 0]);
    nowMs += 1;
    expect([reserve.isInUse(), statSync(join(directory, 'reserve')).size]).toEqual([false, SIZE]);
  });

  test('that cannot be made is none, and follows no link', () => {
    writeFileSync(join(directory, 'other'), 'other');
    symlinkSync(join(directory, 'other'), join(directory, 'reserve'));
    const reserve = openReserve({ ledgerPath: join(directory, 'ledger.db'), sizeBytes: SIZE, nowMs: () => nowMs });
    expect([reserve.isInUse(), reserve.release(), statSync(join(directory, 'other')).size]).toEqual([true, false, 5]);
  });
});

test('with room a ledger is not on its reserve', () => {
  const writer = open(directory);
  expect([writer.isOnReserve(), existsSync(join(directory, 'reserve'))]).toEqual([false, true]);
  expect(writer.append('procmond', [entry('process_scan_start')]).sequence).toBe(2);
});

describe.skipIf(process.geteuid?.() !== 0)('on a full disk (needs root, to mount a small tmpfs)', () => {
  let small = '';
  beforeEach(() => {
    small = join(directory, 'small');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', small]);
  });
  afterEach(() => execFileSync('umount', ['-l', small]));

  /** Leaves no byte free. */
  function fill(name: string): void {
    let size = 8 * SIZE;
    const path = join(small, name);
    writeFileSync(path, '');
    for (; size >= 1024; size /= 2) {
      try {
        for (;;) writeFileSync(path, Buffer.alloc(size), { flag: 'a' });
      } catch {
        // Less may still go.
      }
    }
  }

  /** Until one of them needs the reserve. */
  function appendUntilFull(writer: LedgerWriter): void {
    for (let at = 0; at < 10_000 && !writer.isOnReserve(); at++) writer.append('procmond', [entry('process_scan_start', 'x'.repeat(2000))]);
  }

  test('the entry that finds it full is taken, then what matters and no routine, and all again when there is space', async () => {
    const writer = open(small);
    fill('ballast');
    appendUntilFull(writer);
    expect([writer.isOnReserve(), writer.failure()]).toEqual([true, null]);
    const head = writer.head().sequence;
    expect(() => writer.append('procmond', [entry('process_scan_start')])).toThrow(
      expect.objectContaining({ code: 'state.unusable', message: expect.stringContaining("no 'process_scan_start'") }),
    );
    expect(() => writer.append('procmond', [entry('storage_pause'), entry('process_scan_complete')])).toThrow(/no 'process_scan_complete'/);
    const rule = { originSequence: 1, event: { action: 'rule_execute' as const, data: {} } };
    await expect(writer.submit('sentinelagent', 'g', [rule], { uid: 1, pid: 1 })).rejects.toThrow(/no 'rule_execute'/);
    for (const refused of [() => writer.checkpoint(), () => writer.rotateKey(), () => writer.restore({ reason: 'r', uid: 0, notes: [] })])
      expect(refused).toThrow(/lives on its reserve/);
    await expect(writer.archive(10)).rejects.toThrow(/no 'ledger_archive'/);
    expect([writer.head().sequence, writer.failure()]).toEqual([head, null]);
    for (const action of ['storage_pause', 'budget_step', 'events_lost', 'stop', 'start', 'storage_resume'] as const)
      writer.append('procmond', [entry(action)]);
    expect(writer.head().sequence).toBe(head + 6);
    // Somebody takes whatever is given up.
    fill('more');
    writer.append('procmond', [entry('storage_pause')]);

    rmSync(join(small, 'ballast'));
    rmSync(join(small, 'more'));
    expect(writer.isOnReserve()).toBe(true);
    nowMs += 60_000;
    expect([writer.isOnReserve(), statSync(join(small, 'reserve')).size]).toEqual([false, SIZE]);
    writer.append('procmond', [entry('process_scan_start')]);
    expect(verifyFile(join(small, 'ledger.db'))).toMatchObject({ ok: true, entries: head + 8 });
  });

  test('the reserve lasts for many entries though others take what is free, and its end is a failure like any other', () => {
    const writer = open(small);
    fill('ballast');
    appendUntilFull(writer);
    let entries = 0;
    const appendOn = (): void => {
      for (; entries < 100_000; entries++) {
        if (entries % 10 === 0) fill(`more-${entries}`);
        writer.append('procmond', [entry('budget_step', 'x'.repeat(200))]);
      }
    };
    expect(appendOn).toThrow(expect.objectContaining({ code: 'state.unusable' }));
    expect(entries).toBeGreaterThan(40);
    expect(writer.failure()).toMatchObject({ code: 'state.unusable' });
    expect(verifyFile(join(small, 'ledger.db'))).toMatchObject({ ok: true, entries: writer.head().sequence });
  });

  test('a key whose rotation finds it full is rotated all the same, and is the one on disk', () => {
    const paths = { path: join(small, 'ledger.db'), keyDir: join(directory, 'key'), archiveDir: join(directory, 'archive') };
    const openHere = (): LedgerWriter => openLedgerWriter({ ...paths, hostId: 'H', clock: () => 1, nowMs: () => nowMs });
    const writer = openHere();
    const { id } = writer.key();
    fill('ballast');
    const { key } = writer.rotateKey();
    expect([writer.isOnReserve(), writer.failure(), writer.key().text]).toEqual([true, null, key]);
    expect(writer.key().id).not.toBe(id);
    expect([openHere().key(), readdirSync(paths.keyDir)]).toEqual([writer.key(), ['ledger.pem']]);
    expect(verifyFile(paths.path)).toMatchObject({ ok: true, notes: [] });
  });

  test('a ledger is opened on it', () => {
    const writer = open(small);
    fill('ballast');
    appendUntilFull(writer);
    const { sequence } = writer.head();
    const again = open(small);
    expect([again.isOnReserve(), again.append('procmond', [entry('start'), entry('privilege_drop')]).sequence]).toEqual([
      true,
      sequence + 2,
    ]);
  });
});
