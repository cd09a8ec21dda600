import { EventEmitter } from 'node:events';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ExecutorClient } from './executor-client.ts';
import { createLanes } from './executor-lanes.ts';
import { createTestDatabases, startTestExecutor, TEST_SCHEMA, type TestDatabases } from './fixtures/databases.ts';
import type { SpawnerRequest } from './protocol.ts';

const ENDLESS = 'SELECT count(*) FROM process_snapshots a, process_snapshots b JOIN process_snapshots c ON c.pid <> b.pid';

describe('two lanes', () => {
  let test: TestDatabases;
  let client: ExecutorClient;
  beforeAll(async () => {
    test = createTestDatabases();
    client = startTestExecutor(test);
    await client.ready;
  });
  afterAll(async () => {
    await client.close();
    test.remove();
  });

  it('do not wait for each other', async () => {
    const order: string[] = [];
    const patient = client
      .run({ sql: ENDLESS, lane: 'patient', deadlineMs: 4_000 })
      .then((outcome) => order.push(`patient ${outcome.outcome}`));
    for (let at = 0; at < 3; at++) order.push(`quick ${(await client.run({ sql: 'SELECT 1 AS one' })).outcome}`);
    await patient;
    expect(order).toEqual(['quick ok', 'quick ok', 'quick ok', 'patient timeout']);
    expect(await client.run({ sql: 'SELECT 1 AS one', lane: 'patient' })).toMatchObject({ outcome: 'ok', rows: [{ one: 1 }] });
  });
});

describe('the executor of the patient lane', () => {
  it('is started when it is asked for, and ended when nobody asks it any more', () => {
    vi.useFakeTimers();
    try {
      const started: { killed: boolean }[] = [];
      const lanes = createLanes(
        {
          init: {
            kind: 'init',
            command: 'node',
            commandArguments: [],
            memoryBytes: 1,
            settings: { databases: [], temporaryViews: [], schema: TEST_SCHEMA, maxSqlBytes: 1 },
          },
          spawner: [],
          emit: () => undefined,
          start: () => {
            const child = Object.assign(new EventEmitter(), {
              pid: process.pid,
              killed: false,
              stdout: new EventEmitter(),
              stderr: new EventEmitter(),
              stdin: { write: () => undefined, end: () => undefined, on: () => undefined },
              kill: () => {
                child.killed = true;
              },
            });
            started.push(child);
            return child;
          },
        },
        1_000,
      );
      const ask = (id: number, lane: SpawnerRequest['lane']) =>
        lanes.submit({ kind: 'request', id, deadlineMs: 1, lane, work: { type: 'validate', sql: 'SELECT 1', allowedParameters: [] } });
      ask(1, 'quick');
      expect(started).toHaveLength(1);
      ask(2, 'patient');
      ask(3, 'patient');
      expect(started).toHaveLength(2);
      // What waits for an answer keeps it.
      vi.advanceTimersByTime(5_000);
      expect(started.map(({ killed }) => killed)).toEqual([false, false]);
      lanes.close();
      expect(started.map(({ killed }) => killed)).toEqual([true, true]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('gives its memory back', async () => {
    const test = createTestDatabases();
    const pids: number[] = [];
    const client = startTestExecutor({ ...test, onEvent: (event) => event.kind === 'executor_ready' && pids.push(event.ready.pid) });
    try {
      await client.ready;
      await client.run({ sql: 'SELECT 1 AS one', lane: 'patient' });
      expect(new Set(pids).size).toBe(2);
    } finally {
      await client.close();
      test.remove();
    }
    for (const pid of pids) await expect.poll(() => isAlive(pid)).toBe(false);
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
