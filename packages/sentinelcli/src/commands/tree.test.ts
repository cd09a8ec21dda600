import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NOW_MS, createInstallation, type Installation, type Ran } from '../fixtures/installation.ts';

const MINUTE_MS = 60_000;
const DOCKER = 'ab12'.repeat(16);

let installation: Installation;
beforeAll(() => {
  installation = createInstallation();
  const init = { pid: 1, name: 'init', user: 'root', argv: ['/sbin/init'] };
  const shell = { pid: 20, ppid: 1, name: 'bash', argv: ['-bash'] };
  const child = { pid: 30, ppid: 20, name: 'sleep', argv: ['sleep', '9 9'] };
  const server = { pid: 40, ppid: 1, name: 'nginx', container: DOCKER };
  const worker = { pid: 41, ppid: 40, name: 'e\u001b[2Jvil\n', argv: ['\u202egnp'], container: DOCKER };
  const kernel = { pid: 2, name: 'kthreadd', argv: [], isKernelThread: true };
  const orphan = { pid: 50, ppid: 1, name: 'nohup', startMs: NOW_MS - 5 * MINUTE_MS };
  const began = { pid: 50, atMs: NOW_MS - 5 * MINUTE_MS, ppid: 45, command: { name: 'nohup' }, parent: { name: 'cron' } };
  const short = { pid: 60, atMs: NOW_MS - 2 * MINUTE_MS, ppid: 1, command: { name: 'short' } };
  installation.makeHistory([
    { atMs: NOW_MS - 20 * MINUTE_MS, processes: [init, kernel, shell, child] },
    { atMs: NOW_MS - 10 * MINUTE_MS, processes: [init, kernel, shell, child, server, worker] },
    // The shell is gone, and init took its child over.
    { atMs: NOW_MS - MINUTE_MS, events: [began, short], processes: [init, kernel, { ...child, ppid: 1 }, server, worker, orphan] },
  ]);
});
afterAll(() => installation.close());

const tree = (words: readonly string[] = [], environment: Record<string, string> = { LANG: 'en_US.UTF-8' }): Promise<Ran> =>
  installation.run(['tree', ...words], { environment });
/** Without the columns beside the tree. */
const shapes = (out: string): string[] =>
  out
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.replace(/^.*?\d\d:\d\d:\d\d {2}/, ''));
const json = async (...words: string[]): Promise<{ readonly scan: unknown; readonly processes: readonly Record<string, unknown>[] }> =>
  JSON.parse((await tree([...words, '--json'])).out) as never;

describe('tree', () => {
  it('shows everything that runs, safe to look at, within the width', async () => {
    const { status, out, err } = await tree();
    expect([status, err]).toEqual([0, '']);
    expect(shapes(out)).toEqual([
      'init  /sbin/init',
      "├─ sleep (from 20 bash)  sleep '9 9'",
      '├─ nginx {docker ab12ab12ab12}  nginx',
      expect.stringMatching(/^│ {2}└─ e\\x1b\[2Jvil\\n \{docker ab12ab12ab12\}/),
      '└─ nohup (from 45 cron)  nohup',
      '[kthreadd]',
    ]);
    expect(out.split('\n')[0]).toMatch(/^pid {2}user {2}started +process$/);
    expect(out.split('\n').every((line) => line.length <= 80)).toBe(true);
  });

  it('draws with ASCII where the terminal has nothing else', async () => {
    for (const environment of [{ LANG: 'C' }, { LANG: 'en_US.UTF-8', LC_ALL: 'POSIX' }, { LANG: 'C.UTF-8', TERM: 'dumb' }]) {
      const { out } = await tree([], environment);
      expect(shapes(out)[2]).toMatch(/^\|- nginx/);
      expect(shapes(out)[3]).toMatch(/^\| {2}`- e/);
    }
    expect(shapes((await tree([], {})).out)[4]).toMatch(/^└─ nohup/);
  });

  it('shows the past, and says of when', async () => {
    const { out, err } = await tree(['--at', '9 min ago']);
    expect(err).toMatch(/^as of scan 2, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, 60 s before the time asked for\n$/);
    expect(shapes(out).slice(0, 3)).toEqual(['init  /sbin/init', '├─ bash  -bash', "│  └─ sleep  sleep '9 9'"]);
    expect(shapes((await tree(['--at', 'scan 1'])).out)).toHaveLength(4);
  });

  it('shows one process between its ancestors and its descendants', async () => {
    const { out } = await tree(['20', '--at', 'scan 2']);
    expect(
      out
        .split('\n')
        .slice(1, 4)
        .map((line) => line[0]),
    ).toEqual(['^', '>', ' ']);
    expect(shapes(out)).toEqual(['init  /sbin/init', '└─ bash  -bash', "   └─ sleep  sleep '9 9'"]);
    expect(await json('41')).toMatchObject({
      scan: { id: 3, start: new Date(NOW_MS - MINUTE_MS).toISOString() },
      processes: [
        { pid: 1, depth: 0, role: 'ancestor', container: null },
        { pid: 40, depth: 1, role: 'ancestor', container: { id: DOCKER, runtime: 'docker' } },
        { pid: 41, depth: 2, role: 'asked', name: 'e\u001b[2Jvil\n', argv: ['\u202egnp'], former_parents: [] },
      ],
    });
  });

  it('names the parent that ended, from scans or from events', async () => {
    expect((await json('30')).processes.at(-1)).toMatchObject({
      ppid: 1,
      former_parents: [{ pid: 20, name: 'bash', cmdline: '-bash', seen: new Date(NOW_MS - 10 * MINUTE_MS).toISOString() }],
    });
    expect((await json('50')).processes.at(-1)).toMatchObject({ former_parents: [{ pid: 45, name: 'cron' }] });
    expect((await json('30', '--at', 'scan 1')).processes.at(-1)).toMatchObject({ ppid: 20, former_parents: [] });
  });

  it('stops at a depth, and says that there is more', async () => {
    const { out, err } = await tree(['--depth', '1']);
    expect(shapes(out)).toHaveLength(5);
    expect(err).toBe('1 more process is farther away than 1 levels; --depth N shows more\n');
  });

  it('says of a pid that is gone when it was there', async () => {
    expect(await tree(['20'])).toMatchObject({
      status: 2,
      out: '',
      err: expect.stringMatching(
        /^sentinelcli: there is no process 20 in scan 3, of .*\n {2}it was last seen in scan 2, .* \(10 min ago\): bash\n {2}sentinelcli tree 20 --at 'scan 2'\n$/,
      ),
    });
    expect((await tree(['60'])).err).toMatch(
      /last seen between scans, by an event, .*: short\n {2}sentinelcli query 'SELECT \* FROM process_events/,
    );
    expect((await tree(['999'])).err).toContain('no scan and no event that is kept has a process of that pid');
  });
});
