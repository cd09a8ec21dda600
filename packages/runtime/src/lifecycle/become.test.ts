import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { endProgram, startProgram, type Program } from './fixtures/program.fixture.ts';
import { becomeThroughSetpriv, SYS_PTRACE_MASK, threadPrivileges } from './privileges.ts';
import { reachableBy } from './staging.ts';

const BECOME = new URL('fixtures/become.fixture.ts', import.meta.url);
const UID = 61_201;
const GID = 61_202;
/** SETGID, SETUID, SETPCAP and SYS_PTRACE: root in a container may lack them. */
const NEEDED = (1n << 6n) | (1n << 7n) | (1n << 8n) | SYS_PTRACE_MASK;
const canBecome =
  process.getuid?.() === 0 &&
  threadPrivileges().every((thread) => (thread.effective & NEEDED) === NEEDED) &&
  existsSync('/usr/bin/setpriv') &&
  reachableBy(process.execPath, UID, []) &&
  reachableBy(dirname(fileURLToPath(BECOME)), UID, []);
if (!canBecome)
  console.log(
    'become.test.ts: not root, not all of its rights, no setpriv, or a checkout that others cannot read: giving up root is not tried',
  );

describe('becomeThroughSetpriv', () => {
  const programs: Program[] = [];
  afterEach(async () => {
    vi.restoreAllMocks();
    await Promise.all(programs.splice(0).map(endProgram));
  });

  it('names setpriv, the identity, and an environment without anything of this one', () => {
    const execve = vi.fn<NonNullable<typeof process.execve>>();
    vi.spyOn(process, 'execve').mockImplementation(execve);
    const become = (groups: readonly number[], keepSysPtrace: boolean): never =>
      becomeThroughSetpriv({ uid: 5, gid: 6, supplementaryGids: groups, keepSysPtrace }, '/bin/node', ['x.js', '--', '-y'], { A: 'b' });
    expect(() => become([7, 8], true)).toThrow(expect.objectContaining({ code: 'privilege.refused' }));
    expect(() => become([], false)).toThrow(expect.objectContaining({ code: 'privilege.refused' }));
    if (!existsSync('/usr/bin/setpriv')) return;
    const caps = (set: string): string[] => ['inh-caps', 'ambient-caps', 'bounding-set'].map((name) => `--${name}=${set}`);
    expect(execve.mock.calls.map(([, argv]) => argv)).toEqual([
      [
        'setpriv',
        '--reuid=5',
        '--regid=6',
        '--groups=7,8',
        ...caps('-all,+sys_ptrace'),
        '--no-new-privs',
        '--',
        '/bin/node',
        'x.js',
        '--',
        '-y',
      ],
      ['setpriv', '--reuid=5', '--regid=6', '--clear-groups', ...caps('-all'), '--no-new-privs', '--', '/bin/node', 'x.js', '--', '-y'],
    ]);
    const passed = Object.keys(execve.mock.calls[0]?.[2] ?? {});
    expect(
      passed.filter(
        (name) => !['PATH', 'LANG', 'A', 'TZ', 'NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID', 'LISTEN_FDS', 'LISTEN_PID'].includes(name),
      ),
    ).toEqual([]);
  });

  async function become(groups: string, keep: 'ptrace' | 'nothing'): Promise<Record<string, unknown>> {
    const env = { LD_PRELOAD: '', NODE_EXTRA: 'secret', SENTINELD_LOG__LEVEL: 'debug', NOTIFY_SOCKET: '/run/n' };
    const program = startProgram(BECOME, [String(UID), String(GID), groups, keep], { env });
    programs.push(program);
    const pid = Number(await program.line());
    const report = JSON.parse(await program.line()) as Record<string, unknown>;
    // The same process went on, and it ended well.
    expect(report['pid']).toBe(pid);
    expect(await program.ended).toEqual({ status: 0, signal: null, stderr: '' });
    return report;
  }

  it.skipIf(!canBecome)('keeps CAP_SYS_PTRACE and nothing else, on every thread, for ever (needs root)', async () => {
    const report = await become(`${GID},61203`, 'ptrace');
    expect(report['kinds']).toEqual([
      {
        uids: [UID, UID, UID, UID],
        gids: [GID, GID, GID, GID],
        groups: [GID, 61_203],
        inheritable: '80000',
        permitted: '80000',
        effective: '80000',
        bounding: '80000',
        ambient: '80000',
        noNewPrivileges: true,
        seccompMode: expect.any(Number),
      },
    ]);
    const refused = {
      readShadow: 'EACCES',
      setuid: 'EPERM',
      seteuid: 'EPERM',
      setgid: 'EPERM',
      setgroups: 'EPERM',
      killParent: 'EPERM',
      exeOfParent: 'ok',
    };
    expect(report['attempts']).toEqual(refused);
    expect(report['proof']).toMatchObject({
      uid: UID,
      gid: GID,
      groups: [GID, 61_203],
      effective: '80000',
      bounding: '80000',
      noNewPrivileges: true,
    });
    expect(report['environment']).toEqual({
      PATH: expect.any(String),
      LANG: 'C.UTF-8',
      NOTIFY_SOCKET: '/run/n',
      SENTINELD_RESOLVED_CONFIG: 'handed on',
      ...pickTimezone(),
    });
  });

  it.skipIf(!canBecome)('keeps nothing where nothing is asked for, not even a group (needs root)', async () => {
    const report = await become('', 'nothing');
    expect(report['kinds']).toMatchObject([{ groups: [], inheritable: '0', permitted: '0', effective: '0', bounding: '0', ambient: '0' }]);
    expect(report['attempts']).toMatchObject({ readShadow: 'EACCES', setuid: 'EPERM', exeOfParent: 'EACCES' });
    expect(report['proof']).toMatchObject({
      groups: [],
      refused: expect.arrayContaining(['open(/etc/shadow): EACCES', 'setgid(0): EPERM']),
    });
  });
});

function pickTimezone(): Record<string, string> {
  return process.env['TZ'] === undefined ? {} : { TZ: process.env['TZ'] };
}
