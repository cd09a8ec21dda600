import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { ResultRow, RuleOutcome } from '@sentineld/model/rule';
import { expect, test } from 'vitest';
import { RULE_PARAMETERS } from '../sql/policy.ts';
import { CASE_PARAMETERS, type ExecuteCase, type RuleCase, runCases } from './case.ts';

const RULE = { sql: "SELECT pid, name, exe_path FROM processes WHERE name = 'x'" };
const processes = [
  { pid: 5, name: 'x' },
  { pid: 6, name: 'x', exe_path: '/x' },
  { pid: 7, name: 'y' },
];
const seen: string[] = [];

function execute(path: string, sql: string): Promise<RuleOutcome> {
  seen.push(path);
  const database = new DatabaseSync(path, { readOnly: true });
  const rows = database.prepare(sql).all() as ResultRow[];
  database.close();
  return Promise.resolve({ outcome: 'ok', scanId: 1, rows, processes: [], truncated: rows.length > 2, eventSeq: null, durationMs: 1 });
}

async function run(matches: RuleCase['matches'], by: typeof execute = execute): Promise<unknown> {
  const [result] = await runCases(RULE, [{ name: 'c', rows: { processes }, matches }], by);
  return result;
}

test('everything expected and nothing else', async () => {
  expect(await run([{ pid: 6 }, { pid: 5, exe_path: null }])).toEqual({
    name: 'c',
    passed: true,
    missing: [],
    unexpected: [],
    error: null,
  });
});

test('a general expectation does not take the row of a particular one', async () => {
  expect(await run([{ name: 'x' }, { name: 'x', exe_path: null }])).toMatchObject({ passed: true });
});

test('missing and unexpected matches', async () => {
  expect(await run([{ pid: 5 }, { pid: 5 }, { pid: 8 }, { nothing: null }])).toEqual({
    name: 'c',
    passed: false,
    missing: [{ pid: 5 }, { pid: 8 }, { nothing: null }],
    unexpected: [{ pid: 6, name: 'x', exe_path: '/x' }],
    error: null,
  });
  expect(await run([{ pid: '5' }, { pid: 6 }])).toMatchObject({ passed: false, missing: [{ pid: '5' }] });
});

test.each([
  [{ outcome: 'refused', refusal: { code: 'table', message: 'no such table', position: null }, durationMs: 1 }, 'refused: no such table'],
  [{ outcome: 'timeout', message: 'after 30 s', durationMs: 1 }, 'timeout: after 30 s'],
] as const)('a rule that could not be evaluated has failed, also where nothing was expected', async (outcome, error) => {
  expect(await run([], () => Promise.resolve(outcome))).toMatchObject({ passed: false, error });
});

test('a result that was cut has failed', async () => {
  const cases = [{ name: 'c', rows: { processes: [...processes, { pid: 9, name: 'x' }] }, matches: [{}, {}, {}] }];
  expect(await runCases(RULE, cases, execute)).toMatchObject([
    { passed: false, missing: [], unexpected: [], error: expect.stringMatching(/cut/) },
  ]);
});

test('the databases are gone, also when the executor throws', async () => {
  await expect(
    run([], (path) => {
      seen.push(path);
      throw new Error('boom');
    }),
  ).rejects.toThrow('boom');
  expect(seen.length).toBeGreaterThan(3);
  expect(seen.filter((path) => existsSync(path))).toEqual([]);
});

test('the parameters are those of the scan that the rows belong to', async () => {
  const sql =
    'SELECT p.pid FROM processes AS p WHERE p.timestamp_ms = :now AND p.scan_id = :scan_id AND p.start_time < :since AND p.pid > :since_seq';
  const withParameters: ExecuteCase = (path, text, parameters) => {
    const database = new DatabaseSync(path, { readOnly: true });
    const rows = database.prepare(text).all(parameters) as ResultRow[];
    database.close();
    return Promise.resolve({ outcome: 'ok', scanId: 1, rows, processes: [], truncated: false, eventSeq: null, durationMs: 1 });
  };
  expect(await runCases({ sql }, [{ name: 'c', rows: { processes: [{ pid: 5 }] }, matches: [{ pid: 5 }] }], withParameters)).toMatchObject([
    { passed: true },
  ]);
  expect(Object.keys(CASE_PARAMETERS).map((name) => `:${name}`)).toEqual(RULE_PARAMETERS);
});
