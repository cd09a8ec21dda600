import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { RuleOutcome } from '@sentineld/model/rule';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExecutorClient, ExecutorEvent } from './executor-client.ts';
import { createTestDatabases, startTestExecutor, type TestDatabases } from './fixtures/databases.ts';

const rowsOf = (outcome: RuleOutcome): readonly unknown[] => {
  if (outcome.outcome !== 'ok') throw new Error(JSON.stringify(outcome));
  return outcome.rows;
};

/** Runs until it is killed: the validator takes one cross join, the data makes it endless. */
const ENDLESS = 'SELECT count(*) FROM process_snapshots a, process_snapshots b JOIN process_snapshots c ON c.pid <> b.pid';
const GREEDY = 'SELECT a.note FROM process_snapshots a, process_snapshots b ORDER BY a.note || b.note || b.pid';

describe('executor', () => {
  let test: TestDatabases;
  let client: ExecutorClient;
  const events: ExecutorEvent[] = [];

  beforeAll(async () => {
    test = createTestDatabases();
    client = startTestExecutor({ ...test, onEvent: (event) => events.push(event) });
    await client.ready;
  });
  afterAll(async () => {
    await client.close();
    test.remove();
  });

  it('says what confines it', async () => {
    const ready = await client.ready;
    expect(ready).toMatchObject({ store: 'open', pid: expect.any(Number), spawnerPid: expect.any(Number) });
    expect(ready.detail.length).toBeGreaterThan(0);
    expect(ready.confined).toBe(ready.detail.every((text) => text.startsWith('spawner: ') || /^(limit|filter)/.test(text)));
    const environment = readFileSync(`/proc/${ready.pid}/environ`, 'utf8')
      .split('\0')
      .filter((entry) => entry !== '');
    expect(new Set(environment.map((entry) => entry.split('=')[0]))).toEqual(new Set(['LANG', 'PATH']));
  });

  it('validates with the names of the columns', async () => {
    expect(await client.validate('SELECT pid, name AS n, count(*) OVER () FROM processes WHERE start_time < :now')).toEqual({
      ok: true,
      columns: ['pid', 'n', 'count(*) OVER ()'],
      tables: ['processes'],
      scope: 'everything',
    });
    expect(await client.validate('SELECT title FROM alerts')).toEqual({
      ok: true,
      columns: ['title'],
      tables: ['alerts'],
      scope: 'everything',
    });
  });

  it.each([
    ['SELECT pid,\n  nme FROM processes', 'column', 'There is no column nme. Did you mean name?', 2, 3],
    ['SELECT p.pid FROM processes p WHERE p.exe_pth IS NULL', 'column', 'Did you mean exe_path?', 1, 37],
    ['SELECT "text" FROM alerts', 'column', 'between single quotes', 1, 8],
    ['SELECT secret_column FROM alerts', 'column', 'alerts has: title', 1, 8],
    ['SELECT pid FROM processes a JOIN processes b ON a.pid = b.ppid', 'column', 'ambiguous column name: pid', 1, 8],
    ['SELECT lower() FROM alerts', 'sqlite', 'wrong number of arguments', 1, 8],
    ['SELECT count(*) OVER (ORDER BY count(*) OVER ()) FROM alerts', 'sqlite', 'misuse', 1, 8],
    ['SELECT 1 FROM alerts GROUP BY 5', 'sqlite', 'GROUP BY term out of range', null, null],
  ])('says where %j is wrong', async (sql, code, message, line, column) => {
    const position = line === null ? null : { line, column };
    expect(await client.validate(sql)).toEqual({ ok: false, refusal: { code, message: expect.stringContaining(message), position } });
    expect(await client.run({ sql })).toMatchObject({ outcome: 'refused', refusal: { code, position } });
  });

  it('runs in one snapshot with the scan and the processes that rows are about', async () => {
    const outcome = await client.run({
      sql: 'SELECT pid FROM processes WHERE pid >= :since ORDER BY pid DESC',
      parameters: { since: 100 },
      enrich: true,
    });
    expect(outcome).toMatchObject({ outcome: 'ok', scanId: 2, rows: [{ pid: 200 }, { pid: 100 }], truncated: false });
    expect(outcome.outcome === 'ok' ? outcome.processes : []).toEqual([
      {
        pid: 200,
        startTimeMs: 3000,
        name: 'bash',
        exePath: null,
        argv: null,
        user: null,
        ppid: 100,
        parentName: 'sshd',
        parentExe: '/usr/sbin/sshd',
        parentCmdline: 'sshd -D',
      },
      {
        pid: 100,
        startTimeMs: 2000,
        name: 'sshd',
        exePath: '/usr/sbin/sshd',
        argv: ['sshd', '-D'],
        user: 'root',
        ppid: 1,
        parentName: 'init',
        parentExe: '/sbin/init',
        parentCmdline: '/sbin/init',
      },
    ]);
    const counted =
      'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5), m AS (SELECT pid FROM processes) SELECT count(*) AS c FROM n, m';
    expect(rowsOf(await client.run({ sql: counted }))).toEqual([{ c: 15 }]);
    const many = await client.run({ sql: 'SELECT pid FROM process_snapshots', enrich: true });
    expect(many).toMatchObject({ processes: [{ pid: 1 }, { pid: 100 }], truncated: true });
    expect(rowsOf(await client.run({ sql: 'SELECT pid FROM processes WHERE pid < 0', enrich: true }))).toEqual([]);
  });

  it('wants a value for every parameter', async () => {
    expect(await client.run({ sql: 'SELECT :now, :since FROM alerts', parameters: { now: 1 } })).toMatchObject({
      outcome: 'refused',
      refusal: { code: 'parameter', message: 'No value was given for :since.' },
    });
    expect(await client.run({ sql: 'SELECT :pid FROM alerts', parameters: { pid: 1 } })).toMatchObject({
      outcome: 'refused',
      refusal: { code: 'parameter' },
    });
    expect(
      rowsOf(await client.run({ sql: 'SELECT :a AS a, $a AS b FROM alerts', parameters: { a: "'; --" }, allowedParameters: 'any' })),
    ).toEqual([{ a: "'; --", b: "'; --" }]);
    expect(rowsOf(await client.run({ sql: 'SELECT ?2 AS a, ?1 AS b FROM alerts', parameters: [1, 2], allowedParameters: 'any' }))).toEqual([
      { a: 2, b: 1 },
    ]);
  });

  it('returns hostile values as they are, large integers and BLOBs as text', async () => {
    test.main.exec(
      `INSERT INTO process_snapshots(pid, scan_id, note) VALUES (9007199254740993, 3, CAST(x'ff00fe' AS TEXT)), (-9223372036854775808, 3, x'00ff'), (9007199254740991, 3, char(27, 8238, 0, 10, 65279) || '"\\'), (1e400, 3, '${'漢'.repeat(100_000)}')`,
    );
    const rows = rowsOf(await client.run({ sql: 'SELECT pid, note FROM process_snapshots WHERE scan_id = 3' }));
    expect(rows).toEqual([
      { pid: '9007199254740993', note: '\ufffd\u0000\ufffd' },
      { pid: '-9223372036854775808', note: '00ff' },
      { pid: 9007199254740991, note: '\u001b\u202e\u0000\n\ufeff"\\' },
      { pid: 'Inf', note: '漢'.repeat(100_000) },
    ]);
    // The schema of answers leaves out __proto__, which could be mistaken for something else further on.
    expect(rowsOf(await client.run({ sql: 'SELECT 1 AS a, 2 AS a, 3 AS __proto__ FROM alerts' }))).toEqual([{ a: 1, 'a:1': 2 }]);
  });

  it('cuts results by rows and by bytes, and refuses values that grow without end', async () => {
    expect(rowsOf(await client.run({ sql: 'SELECT pid FROM process_snapshots' }))).toHaveLength(1_000);
    expect(await client.run({ sql: 'SELECT note FROM process_snapshots WHERE scan_id = 2', maxBytes: 2_200 })).toMatchObject({
      outcome: 'ok',
      truncated: true,
      rows: Array.from({ length: 10 }, () => ({ note: 'x'.repeat(200) })),
    });
    const grown = `SELECT ${'replace('.repeat(6)}note${`, 'x', '${'x'.repeat(30)}')`.repeat(6)} FROM process_snapshots`;
    expect(await client.run({ sql: grown })).toMatchObject({ outcome: 'failed', message: expect.stringContaining('too big') });
  });

  it('refuses without asking SQLite what the validator refuses', async () => {
    const statements = [
      'SELECT 1; DROP TABLE alerts',
      "ATTACH '/tmp/x.db' AS x",
      'PRAGMA query_only = 0',
      "SELECT load_extension('x')",
      'SELECT hex(randomblob(1e9))',
      'SELECT v FROM secrets',
      'x'.repeat(20_000_000),
    ];
    for (const sql of statements) expect(await client.run({ sql })).toMatchObject({ outcome: 'refused' });
    expect(await client.validate('WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c')).toMatchObject({
      ok: false,
      refusal: { code: 'recursion' },
    });
  });

  it('kills what takes too long, and what needs too much memory; the next request finds a fresh executor', async () => {
    events.length = 0;
    const slow = client.run({ sql: ENDLESS, deadlineMs: 300 });
    const next = client.run({ sql: 'SELECT title FROM alerts' });
    expect(await slow).toMatchObject({ outcome: 'timeout', message: expect.stringContaining('300 ms') });
    const { durationMs } = await slow;
    expect(durationMs).toBeLessThan(800);
    expect(rowsOf(await next)).toEqual([{ title: 'first' }]);
    expect(await client.run({ sql: GREEDY })).toMatchObject({ outcome: 'memory', message: expect.stringContaining('64 MB') });
    expect(rowsOf(await client.run({ sql: 'SELECT title FROM alerts' }))).toEqual([{ title: 'first' }]);
    expect(events.map((event) => (event.kind === 'executor_died' ? event.reason : event.kind))).toEqual([
      'timeout',
      'executor_ready',
      'memory',
      'executor_ready',
    ]);
  });

  it('starts another executor when one is killed from outside, idle or at work', async () => {
    const pidOf = (): number => events.findLast((event) => event.kind === 'executor_ready')?.ready.pid ?? 0;
    const running = client.run({ sql: ENDLESS, deadlineMs: 10_000 });
    const firstPid = pidOf();
    const isRunning = (): boolean => readFileSync(`/proc/${firstPid}/stat`, 'latin1').includes(') R ');
    await expect.poll(isRunning, { interval: 10 }).toBe(true);
    process.kill(firstPid, 'SIGKILL');
    expect(await running).toMatchObject({ outcome: 'crashed', message: expect.stringContaining('SIGKILL') });
    expect(rowsOf(await client.run({ sql: 'SELECT title FROM alerts' }))).toEqual([{ title: 'first' }]);
    const secondPid = pidOf();
    expect(secondPid).not.toBe(firstPid);
    process.kill(secondPid, 'SIGKILL');
    await expect.poll(pidOf).not.toBe(secondPid);
    expect(rowsOf(await client.run({ sql: 'SELECT title FROM alerts' }))).toEqual([{ title: 'first' }]);
  });

  it('answers in order, and refuses a queue without end', async () => {
    const slow = client.run({ sql: ENDLESS, deadlineMs: 200 });
    const outcomes = await Promise.all(
      Array.from({ length: 300 }, () => client.run({ sql: 'SELECT title FROM alerts', deadlineMs: 20_000 })),
    );
    expect(await slow).toMatchObject({ outcome: 'timeout' });
    expect(outcomes.filter(({ outcome }) => outcome === 'ok').length).toBeGreaterThanOrEqual(256);
    expect(outcomes.filter(({ outcome }) => outcome === 'failed').length).toBeGreaterThan(0);
  });
});

describe('executor without its databases', () => {
  it('says so, and finds them when they are there or replaced', async () => {
    const test = createTestDatabases();
    const [main] = test.databases;
    const path = main?.path ?? '';
    const aside = join(test.home, 'aside.db');
    test.main.exec('PRAGMA journal_mode = DELETE');
    test.main.close();
    renameSync(path, aside);
    const client = startTestExecutor({ databases: [{ schema: 'main', path }] });
    expect(await client.ready).toMatchObject({ store: expect.stringContaining('store.missing') });
    expect(await client.run({ sql: 'SELECT pid FROM processes' })).toMatchObject({
      outcome: 'failed',
      message: expect.stringContaining('store.missing'),
    });
    await expect(client.validate('SELECT pid FROM processes')).rejects.toMatchObject({ code: 'store.missing' });
    // A statement that no database could make right is refused without one.
    expect(await client.validate('SELECT v FROM secrets')).toMatchObject({ ok: false, refusal: { code: 'table' } });
    expect(existsSync(path)).toBe(false);

    renameSync(aside, path);
    await expect
      .poll(() => client.run({ sql: 'SELECT max(pid) AS pid FROM processes' }))
      .toMatchObject({ outcome: 'ok', rows: [{ pid: 200 }] });
    rmSync(path);
    const other = new DatabaseSync(path);
    other.exec("CREATE TABLE processes(pid INTEGER, name TEXT); INSERT INTO processes VALUES (7, 'x')");
    other.close();
    expect(await client.run({ sql: 'SELECT pid FROM processes' })).toMatchObject({ outcome: 'ok', rows: [{ pid: 7 }], scanId: null });
    expect(await client.run({ sql: 'SELECT note FROM process_snapshots' })).toMatchObject({
      outcome: 'failed',
      message: expect.stringContaining('store.missing'),
    });
    await client.close();
    expect(readdirSync(test.home).filter((name) => name.startsWith('events'))).toEqual(['events.db']);
    rmSync(test.home, { recursive: true });
  });
});
