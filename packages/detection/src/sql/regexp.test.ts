/**
 * REGEXP through the real programs, over rows that a hostile process wrote: what a pattern costs, it costs its own
 * statement, and the next one runs.
 */
import type { RuleOutcome } from '@sentineld/model/rule';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExecutorClient } from './executor-client.ts';
import { createTestDatabases, startTestExecutor, type TestDatabases } from './fixtures/databases.ts';

const ROWS = 10_000;

describe('REGEXP in an executor', () => {
  let test: TestDatabases;
  let client: ExecutorClient;
  beforeAll(async () => {
    test = createTestDatabases();
    test.main.exec(`DELETE FROM process_snapshots;
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
      INSERT INTO process_snapshots SELECT i, i, printf('%.40c', 'a') || '!' || i FROM n`);
    client = startTestExecutor({ ...test, limits: { deadlineMs: 40_000 } });
    await client.ready;
  });
  afterAll(async () => {
    await client.close();
    test.remove();
  });

  const countOf = (pattern: string, deadlineMs = 40_000): Promise<RuleOutcome> =>
    client.run({ sql: `SELECT count(*) AS n FROM process_snapshots WHERE note REGEXP '${pattern}'`, deadlineMs });

  it.each([
    ['!77$', 1],
    ['^a+!', ROWS],
    ['(?i:A!7+$)', 4],
  ])('finds %s in %i rows', async (pattern, n) => expect(await countOf(pattern)).toMatchObject({ outcome: 'ok', rows: [{ n }] }));

  it.each(['^(a|a)*$', '(a|aa)+$', '(a|a)+b', '^(([a-z])+.)+[A-Z]([a-z])+$', '(.*a){12}$'])(
    'answers %s, which goes back exponentially',
    async (pattern) => expect(await countOf(pattern)).toMatchObject({ outcome: 'ok', rows: [{ n: 0 }] }),
  );

  it.each([
    ['has a back reference', '^(a|aa)+(b)?\\2$'],
    ['looks ahead', '^(?=(a|aa)+$)b'],
    ['repeats too often for the other engine', '^(?:a?){30}a{30}(?:a|a)*x'],
    ['takes the engine for ever to make code of', `${'(|)'.repeat(60)}x`],
  ])('ends a statement at its deadline whose pattern %s, and no other', async (_what, pattern) => {
    expect(await client.validate(`SELECT 1 FROM alerts WHERE title REGEXP '${pattern}'`)).toMatchObject({ ok: true });
    const slow = countOf(pattern, 500);
    const next = client.run({ sql: 'SELECT title FROM alerts' });
    expect(await slow).toMatchObject({ outcome: 'timeout', message: expect.stringContaining('500 ms') });
    expect((await slow).durationMs).toBeLessThan(5_000);
    expect(await next).toMatchObject({ outcome: 'ok', rows: [{ title: 'first' }] });
  });

  it('says where a pattern is wrong, and why in the words of the engine', async () => {
    expect(await client.validate("SELECT title FROM alerts\nWHERE title REGEXP '(?i)x'")).toEqual({
      ok: false,
      refusal: {
        code: 'pattern',
        message: 'This regular expression cannot be used: Invalid group. Flags stand in a group around what they hold for: (?i:…).',
        position: { line: 2, column: 20 },
      },
    });
  });
});
