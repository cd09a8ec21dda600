import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AuditAction } from '@sentineld/model/audit';
import { type LedgerFixture, PEER, createLedgerFixture, scans } from './fixtures/ledger.fixture.ts';

let ledger: LedgerFixture;
beforeEach(() => {
  ledger = createLedgerFixture();
});
afterEach(() => ledger.remove());

const record = (...actions: AuditAction[]): void =>
  void ledger.open().append(
    'procmond',
    actions.map((action) => ({ action, data: {} })),
  );

test.each<[string, AuditAction[], string]>([
  ['a ledger without a start', ['privilege_drop'], 'new'],
  ['a start alone', ['start', 'process_scan_start'], 'crash'],
  ['a start and a stop', ['start', 'stop'], 'clean'],
  ['a second start without a stop', ['start', 'stop', 'start'], 'crash'],
])('%s', (_name, actions, expected) => {
  record(...actions);
  expect(ledger.open().previousEnd()).toBe(expected);
});

test('is that of the run before, whatever this one writes', () => {
  const writer = ledger.open();
  expect(writer.previousEnd()).toBe('new');
  writer.append('procmond', [{ action: 'start', data: {} }]);
  writer.checkpoint();
  expect(writer.previousEnd()).toBe('new');
});

test('a stop of the agent is none of ours', async () => {
  record('start');
  await ledger.open().submit('sentinelagent', 'a', [{ originSequence: 1, event: { action: 'stop', data: {} } }], PEER);
  expect(ledger.open().previousEnd()).toBe('crash');
});

test('a run that wrote thousands of entries and no stop', () => {
  record('start');
  ledger.open().append('procmond', scans(5_000));
  expect(ledger.open().previousEnd()).toBe('crash');
});

test('a start that was archived', async () => {
  record('start');
  const writer = ledger.open();
  writer.checkpoint();
  await writer.archive(Number.MAX_SAFE_INTEGER);
  expect(ledger.open().previousEnd()).toBe('crash');
});
