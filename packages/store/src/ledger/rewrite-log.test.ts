import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { rewriteLog } from './rewrite-log.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-rewrite-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const path = (): string => join(directory, 'ledger.db');

test('writes every byte of the log again, and changes none', () => {
  const bytes = Buffer.from(Array.from({ length: 700_001 }, (_, at) => at % 251));
  writeFileSync(`${path()}-wal`, bytes);
  utimesSync(`${path()}-wal`, 1, 1);
  rewriteLog(path());
  expect(readFileSync(`${path()}-wal`).equals(bytes)).toBe(true);
  expect(statSync(`${path()}-wal`).mtimeMs).toBeGreaterThan(1_000);
});

test('does nothing where there is no log, and leaves what is none to SQLite', () => {
  expect(() => rewriteLog(path())).not.toThrow();
  mkdirSync(join(directory, 'elsewhere'));
  symlinkSync(join(directory, 'elsewhere'), `${path()}-wal`);
  expect(() => rewriteLog(path())).toThrow(expect.objectContaining({ code: 'store.unreadable' }));
});
