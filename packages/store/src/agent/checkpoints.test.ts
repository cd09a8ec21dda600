import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CheckpointNotice } from '@sentineld/model/audit';
import { type AgentWriter, openAgentWriter } from './writer.ts';
import { AGENT_MIGRATIONS } from './migrations.ts';
import { migrate } from '../migrations/migrate.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-checkpoints-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const pathOf = (): string => join(directory, 'agent.db');
const open = (): AgentWriter => openAgentWriter({ path: pathOf(), clock: () => 1 });
const notice = (epoch: number, note = `note ${epoch}`): CheckpointNotice => ({
  epoch,
  treeSize: epoch * 10,
  timestampMs: epoch * 100,
  note,
});

test('a checkpoint is kept once, and two of one epoch are both kept', () => {
  const agent = open();
  agent.recordCheckpoint(notice(1), 5);
  agent.recordCheckpoint(notice(2), 6);
  agent.recordCheckpoint(notice(1), 7);
  agent.recordCheckpoint(notice(1, 'another'), 8);
  expect(open().newestCheckpoints(10)).toEqual([notice(2), notice(1, 'another'), notice(1)]);
  expect(open().newestCheckpoints(1)).toEqual([notice(2)]);
});

test('the last 1,000 are kept, and of a ledger that was started over the highest epoch before', () => {
  const agent = open();
  const db = new Database(pathOf());
  const insert = db.prepare("INSERT INTO ledger_checkpoint_seen VALUES (?, 1, 1, 'n', 1)");
  db.transaction(() => {
    for (let epoch = 2_000; epoch > 1_000; epoch--) insert.run(epoch);
  })();
  db.close();
  agent.recordCheckpoint(notice(1), 9);
  agent.recordCheckpoint(notice(2), 9);
  const epochs = agent.newestCheckpoints(5_000).map(({ epoch }) => epoch);
  expect(epochs).toHaveLength(1_001);
  expect(epochs[0]).toBe(2_000);
  expect(epochs).not.toContain(1_999);
  expect(epochs.slice(-2)).toEqual([2, 1]);
});

test('a database of the release before gets the table', () => {
  const db = new Database(pathOf());
  db.pragma('auto_vacuum = INCREMENTAL');
  migrate(db, AGENT_MIGRATIONS.slice(0, 2), 1);
  db.close();
  const agent = open();
  agent.recordCheckpoint(notice(3), 5);
  expect(agent.newestCheckpoints(1)).toEqual([notice(3)]);
});
