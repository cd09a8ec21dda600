/**
 * Statements that the validator takes and that would harm whoever runs them: each is contained by the real programs, the
 * outcome says how, and the next statement runs.
 */
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ExecutorClient, ExecutorEvent } from './executor-client.ts';
import { createTestDatabases, startTestExecutor, type TestDatabases } from './fixtures/databases.ts';

/** 2,000 rows each, of one scan: every row meets every row, and no condition says so plainly. */
const JOINED = (count: number): string =>
  `process_snapshots a ${Array.from({ length: count - 1 }, (_, at) => `JOIN process_snapshots b${at} ON b${at}.scan_id = a.scan_id`).join(' ')}`;

describe('an executor contains', () => {
  let test: TestDatabases;
  let client: ExecutorClient;
  const events: ExecutorEvent[] = [];
  beforeAll(async () => {
    test = createTestDatabases();
    client = startTestExecutor({ ...test, limits: { deadlineMs: 20_000 }, onEvent: (event) => events.push(event) });
    await client.ready;
  });
  afterAll(async () => {
    await client.close();
    test.remove();
  });
  afterEach(async () => {
    expect(await client.run({ sql: 'SELECT title FROM alerts' })).toMatchObject({ outcome: 'ok', rows: [{ title: 'first' }] });
  });

  it.each([
    ['group_concat of everything', `SELECT group_concat(a.note) FROM ${JOINED(2)}`],
    ['replace of replace', `SELECT ${'replace('.repeat(8)}'xx'${`, 'x', '${'x'.repeat(40)}')`.repeat(8)} FROM alerts`],
  ])('what makes values that are too long: %s', async (_what, sql) =>
    expect(await client.run({ sql })).toMatchObject({ outcome: 'failed', message: expect.stringContaining('too big') }),
  );

  it.each([
    ['JSON of everything', `SELECT json_group_array(a.note) FROM ${JOINED(3)}`],
    ['JSON of everything, in a window', `SELECT json_group_object(a.pid, a.note) OVER () FROM ${JOINED(2)}`],
    ['a sort of billions of rows', `SELECT a.pid FROM ${JOINED(3)} ORDER BY a.note || b0.note || b1.pid`],
    ['a DISTINCT of billions of rows', `SELECT count(*) FROM (SELECT DISTINCT a.note || b0.pid || '-' || b1.pid FROM ${JOINED(3)})`],
    ['groups without end', `SELECT count(*) FROM (SELECT 1 FROM ${JOINED(3)} GROUP BY a.pid, b0.pid, b1.pid)`],
    [
      'a materialized CTE of billions of rows',
      `WITH m AS MATERIALIZED (SELECT a.note FROM ${JOINED(3)}) SELECT count(*) FROM m x JOIN m y ON x.note = y.note`,
    ],
  ])('what allocates without end: %s', async (_what, sql) =>
    expect(await client.run({ sql })).toMatchObject({ outcome: 'memory', message: expect.stringContaining('64 MB') }),
  );

  it('what loops: a join of a table with itself, four times', async () => {
    expect(await client.run({ sql: `SELECT count(*) FROM ${JOINED(4)}`, deadlineMs: 500 })).toMatchObject({
      outcome: 'timeout',
      message: expect.stringContaining('500 ms'),
    });
    const plainly = 'SELECT count(*) FROM process_snapshots a, process_snapshots b, process_snapshots c, process_snapshots d';
    expect(await client.run({ sql: plainly })).toMatchObject({ outcome: 'refused', refusal: { code: 'join' } });
  });

  it('what loops: a recursive CTE at its bound runs, one in each round of another ends at the deadline', async () => {
    const counted = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)';
    expect(await client.run({ sql: `${counted} SELECT max(i) AS most FROM n` })).toMatchObject({ outcome: 'ok', rows: [{ most: 9_999 }] });
    const nested = `${counted} SELECT count(*) FROM n WHERE (SELECT count(*) FROM process_snapshots a JOIN process_snapshots b ON b.scan_id = a.scan_id WHERE a.pid <> n.i) > 0`;
    expect(await client.run({ sql: nested, deadlineMs: 500 })).toMatchObject({ outcome: 'timeout' });
  });

  it('what returns millions of rows: a thousand of them, and the word that there are more', async () => {
    const outcome = await client.run({ sql: `SELECT a.pid, b0.note FROM ${JOINED(2)}` });
    expect(outcome).toMatchObject({ outcome: 'ok', truncated: true });
    expect(outcome.outcome === 'ok' ? outcome.rows.length : 0).toBe(1_000);
  });

  it.each(['SIGSEGV', 'SIGABRT', 'SIGBUS'] as const)('a crash by %s in the middle of a statement', async (signal) => {
    const pidOf = (): number => events.findLast((event) => event.kind === 'executor_ready')?.ready.pid ?? 0;
    await expect.poll(() => events.at(-1)?.kind).toBe('executor_ready');
    const pid = pidOf();
    const running = client.run({ sql: `SELECT count(*) FROM ${JOINED(4)}` });
    const next = client.run({ sql: 'SELECT count(*) AS n FROM scan_metadata' });
    await expect.poll(() => readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') R '), { interval: 10 }).toBe(true);
    process.kill(pid, signal);
    expect(await running).toMatchObject({ outcome: 'crashed', message: expect.stringContaining(signal) });
    expect(await next).toMatchObject({ outcome: 'ok', rows: [{ n: 2 }] });
    expect(pidOf()).not.toBe(pid);
    expect(events).toContainEqual(expect.objectContaining({ kind: 'executor_died', pid, reason: 'crashed' }));
  });
});
