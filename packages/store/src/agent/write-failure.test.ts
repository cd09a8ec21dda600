import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AgentWriter, openAgentWriter } from './writer.ts';

let directory = '';
let nowMs = 0;
let writer: AgentWriter;
const pathOf = (): string => join(directory, 'agent.db');

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-agent-'));
  nowMs = 1_700_000_000_000;
  writer = openAgentWriter({ path: pathOf(), clock: () => nowMs });
});
afterEach(() => {
  writer.stop();
  rmSync(directory, { recursive: true });
});

describe('a file that cannot be written', () => {
  test('is said until a write succeeds, with when that began', () => {
    const other = new Database(pathOf());
    other.exec('BEGIN IMMEDIATE');
    try {
      const event = { action: 'stop' as const, data: {} };
      expect(writer.writeFailure()).toBeNull();
      expect(() => writer.queueAudit(event)).toThrow(expect.objectContaining({ code: 'state.held' }));
      const failure = { message: expect.stringContaining('agent.db'), hint: expect.stringContaining('lock'), sinceMs: nowMs };
      expect(writer.writeFailure()).toEqual(failure);
      nowMs += 9_000;
      writer.tryWrite();
      expect(writer.writeFailure()).toEqual(failure);
    } finally {
      other.close();
    }
    writer.tryWrite();
    expect(writer.writeFailure()).toBeNull();
  });

  test('is not said of an error that is not its own', () => {
    expect(() => writer.recordAttempt(99, { status: 'success', responseTimeMs: 1, error: null })).toThrow('not open');
    expect(writer.writeFailure()).toBeNull();
  });
});
