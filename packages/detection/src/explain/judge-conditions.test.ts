import { describe, expect, test } from 'vitest';
import { DatabaseSync } from 'node:sqlite';
import type { ResultRow } from '@sentineld/model/rule';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { RULE_PARAMETERS } from '../sql/policy.ts';
import { conditionsOf } from './conditions.ts';
import { judgeConditions, type AskStatement, type JudgedCondition } from './judge-conditions.ts';

async function judge(where: string, row: ResultRow): Promise<{ readonly judged: JudgedCondition; readonly asked: number }> {
  const sql = `SELECT pid, name, exe_path FROM processes WHERE ${where}`;
  const condition = conditionsOf(sql, { schema: EVENTS_SCHEMA, parameters: RULE_PARAMETERS });
  if (condition === null) throw new Error('no condition');
  const db = new DatabaseSync(':memory:');
  let asked = 0;
  const ask: AskStatement = (statement, parameters) => {
    asked++;
    try {
      const rows = db.prepare(statement).all(parameters) as ResultRow[];
      return Promise.resolve({ outcome: 'ok', scanId: null, rows, processes: [], truncated: false, eventSeq: null, durationMs: 0 });
    } catch (thrown) {
      return Promise.resolve({ outcome: 'failed', message: String(thrown), durationMs: 0 });
    }
  };
  const judged = await judgeConditions(condition, row, ask);
  db.close();
  return { judged, asked };
}

describe('judgeConditions', () => {
  test.each([
    ["pid = 5 AND name = 'x'", true],
    ["pid = 5 AND name = 'y'", false],
    ["pid = 6 OR name = 'x'", true],
    ["pid = 6 OR name = 'y'", false],
    // What is NULL is not true, and what is not known decides nothing that the rest decides.
    ["exe_path GLOB '/*'", false],
    ['exe_path IS NULL', true],
    ['pid = 6 AND ppid = 1', false],
    ['pid = 5 AND ppid = 1', null],
    ['pid = 5 OR ppid = 1', true],
    ['pid = 6 OR ppid = 1', null],
  ])('%s: %s', async (where, held) => {
    expect((await judge(where, { pid: 5, name: 'x', exe_path: null })).judged.held).toBe(held);
  });

  test('a hundred tests are two statements', async () => {
    const where = Array.from({ length: 100 }, (_, at) => `pid <> ${at + 10}`).join(' AND ');
    const { judged, asked } = await judge(where, { pid: 5 });
    expect([judged.held, judged.parts.length, asked]).toEqual([true, 100, 2]);
  });

  test('one that cannot be asked spoils no other', async () => {
    const { judged } = await judge("pid = 5 AND json_extract(name, '$.x') = 1 AND pid < 9", { pid: 5, name: '{' });
    expect(judged.held).toBeNull();
    expect(judged.parts.map(({ held, why }) => [held, why])).toEqual([
      [true, null],
      [null, 'it cannot be asked by itself'],
      [true, null],
    ]);
    expect(judged.parts[0]?.values).toEqual({ pid: 5 });
  });
});
