import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabases, PROGRAMS, SOURCE_ARGUMENTS, startTestExecutor, type TestDatabases } from './fixtures/databases.ts';

const ENDLESS = 'SELECT count(*) FROM process_snapshots a, process_snapshots b JOIN process_snapshots c ON c.pid <> b.pid';

/** Alive and not a zombie. */
const lives = (pid: number): boolean =>
  existsSync(`/proc/${pid}`) && !/^\d+ \(.*\) [ZX] /s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
const isWorking = (pid: number): boolean => readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') R ');

describe('spawner', () => {
  let test: TestDatabases;
  beforeEach(() => {
    test = createTestDatabases();
  });
  afterEach(() => test.remove());

  it('dies with its parent, and its executor too, at work or not', async () => {
    const parent = fileURLToPath(new URL('fixtures/parent.ts', import.meta.url));
    const child = spawn(
      process.execPath,
      [...SOURCE_ARGUMENTS, '--disable-warning=ExperimentalWarning', parent, test.databases[0]?.path ?? '', ENDLESS],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [line]: unknown[] = await once(child.stdout, 'data');
    const { pid, spawnerPid, detail } = JSON.parse(String(line)) as { pid: number; spawnerPid: number; detail: string[] };
    expect(detail.filter((text) => text.includes('not held'))).toEqual([]);
    await expect.poll(() => isWorking(pid)).toBe(true);
    child.kill('SIGKILL');
    await expect.poll(() => [lives(pid), lives(spawnerPid)]).toEqual([false, false]);
  });

  it('tells of its own death: requests that wait and later ones have an outcome, and nothing is left behind', async () => {
    const client = startTestExecutor({ ...test, limits: { deadlineMs: 3_000 } });
    const { pid, spawnerPid } = await client.ready;
    const running = client.run({ sql: ENDLESS });
    await expect.poll(() => isWorking(pid)).toBe(true);
    process.kill(spawnerPid, 'SIGKILL');
    expect(await running).toMatchObject({ outcome: 'crashed', message: expect.stringContaining('spawner') });
    expect(await client.closed).toContain('SIGKILL');
    expect(await client.run({ sql: 'SELECT 1 FROM processes' })).toMatchObject({ outcome: 'crashed' });
    await expect(client.validate('SELECT 1 FROM processes')).rejects.toMatchObject({ code: 'executor.failed' });
    // By the parent-death signal where setpriv is there, otherwise when the statement's CPU time is used up.
    await expect.poll(() => lives(pid), { timeout: 15_000 }).toBe(false);
    await client.close();
  });

  it('says so when there is no executor to start', async () => {
    const client = startTestExecutor({ ...test, programs: { ...PROGRAMS, executor: '/nonexistent/executor.js' } });
    expect(await client.run({ sql: 'SELECT 1 FROM processes' })).toMatchObject({
      outcome: 'failed',
      message: expect.stringContaining('No executor can be started'),
    });
    await client.close();
    await expect(client.ready).rejects.toMatchObject({ code: 'executor.failed' });
  });

  it('says so when it cannot be started itself', async () => {
    const client = startTestExecutor({ ...test, programs: { ...PROGRAMS, spawner: '/nonexistent/spawner.js' } });
    await expect(client.ready).rejects.toMatchObject({ code: 'executor.failed', message: expect.stringContaining('Cannot find module') });
    expect(await client.run({ sql: 'SELECT 1 FROM processes' })).toMatchObject({ outcome: 'crashed' });
    await client.close();
  });

  it('ends at once when it is closed, whatever runs', async () => {
    const client = startTestExecutor(test);
    const { pid, spawnerPid } = await client.ready;
    const running = client.run({ sql: ENDLESS });
    await expect.poll(() => isWorking(pid)).toBe(true);
    await client.close();
    expect(await running).toMatchObject({ outcome: 'crashed' });
    await expect.poll(() => [lives(pid), lives(spawnerPid)]).toEqual([false, false]);
  });
});
