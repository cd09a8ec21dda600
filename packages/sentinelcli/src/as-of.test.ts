import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NOW_MS, createInstallation, type Installation, type Ran } from './fixtures/installation.ts';

const MINUTE_MS = 60_000;

let installation: Installation;
beforeAll(() => {
  installation = createInstallation();
  const at = (minutes: number, pids: readonly number[], kind: 'exec' | 'exit') => ({
    atMs: NOW_MS - minutes * MINUTE_MS,
    processes: pids.map((pid) => ({ pid, ppid: pid === 1 ? 0 : 1, name: `p${pid}` })),
    events: [{ atMs: NOW_MS - minutes * MINUTE_MS - 10, pid: pids.at(-1) ?? 0, kind, command: { name: `p${pids.at(-1) ?? 0}` } }],
  });
  installation.makeHistory([at(30, [1, 20], 'exec'), at(20, [1, 20, 30], 'exec'), at(10, [1, 30], 'exit')]);
});
afterAll(() => installation.close());

const query = (...words: string[]): Promise<Ran> => installation.run(['query', '--csv', ...words]);
const csv = async (sql: string, ...words: string[]): Promise<string> => (await query(sql, ...words)).out.replaceAll('\r\n', ' ').trim();

describe('query --at', () => {
  it.each([
    ['scan 1', 'pid 1 20'],
    ['scan 2', 'pid 1 20 30'],
    ['15 min ago', 'pid 1 20 30'],
    ['10 min ago', 'pid 1 30'],
    [String(NOW_MS - 30 * MINUTE_MS), 'pid 1 20'],
  ])('%s answers for then', async (moment, expected) => {
    expect(await csv('SELECT pid FROM processes ORDER BY pid', '--at', moment)).toBe(expected);
    expect(await csv('SELECT pid FROM process_tree ORDER BY pid', '--at', moment)).toBe(expected);
  });

  it('hides every scan and event that came later', async () => {
    const sql = `SELECT (SELECT count(*) FROM scan_metadata) AS scans, (SELECT count(*) FROM coverage) AS coverages,
      (SELECT count(DISTINCT scan_id) FROM process_snapshots) AS snapshots, (SELECT count(*) FROM process_events) AS events`;
    expect(await csv(sql)).toBe('scans,coverages,snapshots,events 3,3,3,3');
    expect(await csv(sql, '--at', '15 min ago')).toBe('scans,coverages,snapshots,events 2,2,2,2');
  });

  it('says on standard error which scan that was and how long before', async () => {
    const { err } = await query('SELECT 1 AS one', '--at', '19 min ago');
    expect(err).toMatch(/^as of scan 2, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, 60 s before the time asked for\n/);
    expect((await query('SELECT 1 AS one', '--at', '20 min ago')).err).toMatch(/^as of scan 2, .*, the time asked for\n/);
    expect((await query('SELECT 1 AS one', '--at', 'scan 3')).err).toMatch(/^as of scan 3, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n/);
  });

  it('gives :now, :since and :scan_id of that moment, and of now without it', async () => {
    const sql = 'SELECT :now AS now, :since AS since, :scan_id AS scan';
    const minutesAgo = (minutes: number): number => NOW_MS - minutes * MINUTE_MS;
    expect(await csv(sql, '--at', '15 min ago')).toBe(`now,since,scan ${minutesAgo(15)},${minutesAgo(30)},2`);
    expect(await csv(sql, '--at', 'scan 1')).toBe(`now,since,scan ${minutesAgo(30)},0,1`);
    expect(await csv(sql)).toBe(`now,since,scan ${NOW_MS},${minutesAgo(20)},3`);
    expect(await csv(sql, '--param', 'now=5')).toBe(`now,since,scan 5,${minutesAgo(20)},3`);
  });

  it('says what is kept where nothing is of that time', async () => {
    expect(await query('SELECT 1', '--at', '2 days ago')).toMatchObject({
      status: 2,
      out: '',
      err: expect.stringMatching(
        /--at 2 days ago: nothing is kept of that time\n {2}the oldest scan that is kept is scan 1, of .* \(30 min ago\)\n/,
      ),
    });
    expect(await query('SELECT 1', '--at', 'scan 99')).toMatchObject({ status: 2, err: expect.stringContaining('scans 1 to 3 are kept') });
  });
});
