import { renameSync, rmSync, copyFileSync } from 'node:fs';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { createScratch, type Scratch } from '@sentineld/store/scratch';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ExecutorAnswer, ExecutorSettings, RunWork } from './protocol.ts';
import { openSession } from './session.ts';

let scratch: Scratch;
beforeEach(() => {
  scratch = createScratch({
    schema: EVENTS_SCHEMA,
    rows: {
      processes: [
        { pid: 1, name: 'init', exe_path: '/sbin/init', user_name: 'root' },
        { pid: 7, ppid: 1, name: 'sh', exe_path: '/tmp/x', command_line: '["sh","-c"]', user_name: 'ana', start_time: 5 },
      ],
    },
  });
});
afterEach(() => scratch.close());

const settings = (path: string = scratch.path): ExecutorSettings => ({
  databases: [{ schema: 'main', path }],
  temporaryViews: [],
  schema: EVENTS_SCHEMA,
  maxSqlBytes: 16_384,
});

const run = (sql: string, changes: Partial<RunWork> = {}): RunWork => ({
  type: 'run',
  sql,
  allowedParameters: [':now', ':since', ':scan_id', ':since_seq'],
  parameters: {},
  maxRows: 10,
  maxBytes: 10_000,
  enrich: false,
  ...changes,
});

const outcomeOf = (answer: ExecutorAnswer | 'stale') => {
  if (answer === 'stale' || answer.kind !== 'outcome') throw new Error(`no outcome: ${JSON.stringify(answer)}`);
  return answer.outcome;
};

describe('a session', () => {
  it('runs a statement in one snapshot and says which scan that was', () => {
    const session = openSession(settings());
    expect(session.store).toBe('open');
    expect(outcomeOf(session.answer(run("SELECT pid, name FROM processes WHERE exe_path LIKE '/tmp/%'")))).toMatchObject({
      outcome: 'ok',
      rows: [{ pid: 7, name: 'sh' }],
      processes: [],
      truncated: false,
      scanId: expect.any(Number),
    });
  });

  it('adds the processes that the rows name, each once', () => {
    const outcome = outcomeOf(
      openSession(settings()).answer(run('SELECT pid FROM processes UNION ALL SELECT 7 UNION ALL SELECT 99', { enrich: true })),
    );
    expect(outcome).toMatchObject({
      processes: [
        { pid: 1, name: 'init', user: 'root', parentName: null },
        { pid: 7, name: 'sh', exePath: '/tmp/x', argv: ['sh', '-c'], user: 'ana', ppid: 1, parentName: 'init', startTimeMs: 5 },
      ],
    });
  });

  it('binds the parameters that are allowed, integers as integers, and refuses a statement whose value is missing', () => {
    const session = openSession(settings());
    expect(outcomeOf(session.answer(run('SELECT :now / 2 AS half, typeof(:now) AS type', { parameters: { now: 5 } })))).toMatchObject({
      rows: [{ half: 2, type: 'integer' }],
    });
    expect(outcomeOf(session.answer(run('SELECT :since')))).toMatchObject({
      outcome: 'refused',
      refusal: { code: 'parameter', message: expect.stringContaining(':since') },
    });
    expect(outcomeOf(session.answer(run('SELECT :other', { parameters: { other: 1 } })))).toMatchObject({ outcome: 'refused' });
    expect(outcomeOf(session.answer(run('SELECT ?2 AS second', { allowedParameters: 'any', parameters: ['a', 'b'] })))).toMatchObject({
      rows: [{ second: 'b' }],
    });
  });

  it('cuts at the row and byte caps and says so', () => {
    const session = openSession(settings());
    expect(outcomeOf(session.answer(run('SELECT pid FROM processes', { maxRows: 1 })))).toMatchObject({
      truncated: true,
      rows: [expect.anything()],
    });
    expect(outcomeOf(session.answer(run('SELECT pid FROM processes', { maxBytes: 5 })))).toMatchObject({ truncated: true, rows: [] });
  });

  it.each([
    ['SELECT pid,\n  exe_pth FROM processes', { code: 'column', position: { line: 2, column: 3 } }],
    ['SELECT p.nothing FROM processes p', { position: { line: 1, column: expect.any(Number) } }],
    ['SELECT * FROM secrets', { code: 'table' }],
    ['SELECT pid FROM processes GROUP BY max(pid)', { message: expect.stringMatching(/aggregate|misuse/i) }],
    ['SELECT substr() FROM processes', { message: expect.stringContaining('substr') }],
  ])('refuses %j with what and where, for judging and running alike', (sql, expected) => {
    const session = openSession(settings());
    const judged = session.answer({ type: 'validate', sql, allowedParameters: [] });
    expect(judged).toMatchObject({ kind: 'validation', validation: { ok: false, refusal: expected } });
    expect(outcomeOf(session.answer(run(sql)))).toMatchObject({ outcome: 'refused', refusal: expected });
  });

  it('tells the columns of what it accepts', () => {
    const answer = openSession(settings()).answer({
      type: 'validate',
      sql: 'SELECT pid, count(*) AS n FROM processes GROUP BY pid',
      allowedParameters: [],
    });
    expect(answer).toEqual({
      kind: 'validation',
      validation: { ok: true, columns: ['pid', 'n'], tables: ['processes'], scope: 'everything' as const },
    });
  });

  it.each([0, -1, 1.5, Number.NaN, '1; DROP TABLE scan', null])('takes no scan of the past that is no whole number: %j', (asOfScan) => {
    const session = openSession({ ...settings(), asOfScan: asOfScan as number });
    expect(session.store).toMatch(/^internal\.bug: .*no whole number/);
    expect(outcomeOf(session.answer(run('SELECT pid FROM processes')))).toMatchObject({ outcome: 'failed' });
  });

  it('says why the store cannot be read, and lets another executor try once that is old', async () => {
    const session = openSession(settings(`${scratch.path}.none`));
    expect(session.store).toMatch(/^store\.missing: /);
    expect(outcomeOf(session.answer(run('SELECT pid FROM processes')))).toMatchObject({
      outcome: 'failed',
      message: expect.stringMatching(/^store\.missing: /),
    });
    expect(session.answer({ type: 'validate', sql: 'SELECT pid FROM processes', allowedParameters: [] })).toMatchObject({
      kind: 'failed',
      code: 'store.missing',
    });
    await expect.poll(() => session.answer(run('SELECT pid FROM processes')), { timeout: 10_000 }).toBe('stale');
    // What is wrong with the statement alone needs no store.
    expect(outcomeOf(session.answer(run('SELECT * FROM secrets')))).toMatchObject({ outcome: 'refused' });
  });

  it('is stale once the file was replaced by another', () => {
    const session = openSession(settings());
    copyFileSync(scratch.path, `${scratch.path}.new`);
    rmSync(scratch.path);
    renameSync(`${scratch.path}.new`, scratch.path);
    expect(session.answer(run('SELECT pid FROM processes'))).toBe('stale');
  });
});
