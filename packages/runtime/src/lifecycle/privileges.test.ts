import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { endProgram, startProgram, type Program } from './fixtures/program.fixture.ts';
import {
  becomeThroughSetpriv,
  parseThreadStatus,
  provePrivileges,
  SYS_PTRACE_MASK,
  threadPrivileges,
  type ThreadPrivileges,
} from './privileges.ts';
import { reachableBy } from './staging.ts';

const BECOME = new URL('fixtures/become.fixture.ts', import.meta.url);
const UID = 61_201;
const GID = 61_202;
const isRoot = process.getuid?.() === 0;
const canBecome =
  isRoot &&
  existsSync('/usr/bin/setpriv') &&
  reachableBy(process.execPath, UID, []) &&
  reachableBy(dirname(fileURLToPath(BECOME)), UID, []);
if (!canBecome)
  console.log('privileges.test.ts: not root, no setpriv, or a checkout that other users cannot read: giving up root is not tried');

/** The lines that are read of /proc/PID/status, as Linux 6.18 writes them, tabs and the space after no groups included. */
const STATUS = (ids: string, groups: string, caps: readonly [string, string, string, string, string], more = ''): string =>
  `Name:\tnode\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t100\nPid:\t101\nUid:\t${ids}\nGid:\t${ids}\nFDSize:\t64\nGroups:\t${groups}\nNStgid:\t100\n` +
  `CapInh:\t${caps[0]}\nCapPrm:\t${caps[1]}\nCapEff:\t${caps[2]}\nCapBnd:\t${caps[3]}\nCapAmb:\t${caps[4]}\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n${more}`;
const NONE = '0000000000000000';
const PTRACE = '0000000000080000';
const FULL = '000001ffffffffff';

const dropped = (changes: Partial<ThreadPrivileges> = {}): ThreadPrivileges => ({
  ...parseThreadStatus(101, STATUS('61184\t61184\t61184\t61184', '61184 61186 ', [PTRACE, PTRACE, PTRACE, PTRACE, PTRACE])),
  ...changes,
});
const user = (changes: Partial<ThreadPrivileges> = {}): ThreadPrivileges => ({
  ...dropped(),
  inheritable: 0n,
  permitted: 0n,
  effective: 0n,
  ambient: 0n,
  bounding: 0x1ff_ffff_ffffn,
  ...changes,
});

describe('parseThreadStatus', () => {
  it('reads a process that gave up root', () => {
    expect(dropped()).toEqual({
      tid: 101,
      uids: [61_184, 61_184, 61_184, 61_184],
      gids: [61_184, 61_184, 61_184, 61_184],
      groups: [61_184, 61_186],
      inheritable: SYS_PTRACE_MASK,
      permitted: SYS_PTRACE_MASK,
      effective: SYS_PTRACE_MASK,
      bounding: SYS_PTRACE_MASK,
      ambient: SYS_PTRACE_MASK,
      noNewPrivileges: true,
      seccompMode: 2,
    });
  });

  it('reads no groups as none, not as the next line', () => {
    expect(parseThreadStatus(1, STATUS('0\t0\t0\t0', ' ', [NONE, FULL, FULL, FULL, NONE])).groups).toEqual([]);
    expect(parseThreadStatus(1, STATUS('0\t0\t0\t0', '', [NONE, FULL, FULL, FULL, NONE])).groups).toEqual([]);
  });

  it('takes a set that is missing for a full one', () => {
    const all = 0xffff_ffff_ffff_ffffn;
    expect(parseThreadStatus(1, 'Name:\tx\n')).toMatchObject({
      permitted: all,
      effective: all,
      ambient: all,
      noNewPrivileges: false,
      seccompMode: 0,
      uids: [],
    });
    expect(() => provePrivileges(0n, [parseThreadStatus(1, '')])).toThrow(expect.objectContaining({ code: 'privilege.refused' }));
  });
});

describe('threadPrivileges', () => {
  it('reads every thread of this process', () => {
    const threads = threadPrivileges();
    expect(threads.length).toBeGreaterThan(1);
    expect(threads.map(({ tid }) => tid)).toContain(process.pid);
    for (const { uids, gids } of threads) {
      expect(uids).toEqual(Array.from({ length: 4 }, () => process.getuid?.()));
      expect(gids).toEqual(Array.from({ length: 4 }, () => process.getgid?.()));
    }
    const others = (ids: readonly number[]): number[] => ids.filter((id) => id !== process.getgid?.()).toSorted();
    expect(others(threads[0]?.groups ?? [])).toEqual(others(process.getgroups?.() ?? []));
  });

  it('leaves out a thread that ended while it was listed, and nothing else', () => {
    const directory = mkdtempSync(join(tmpdir(), 'sentineld-task-'));
    mkdirSync(join(directory, '7'));
    expect(threadPrivileges(directory)).toEqual([]);
    mkdirSync(join(directory, '8/status'), { recursive: true });
    expect(() => threadPrivileges(directory)).toThrow(expect.objectContaining({ code: 'EISDIR' }));
    rmSync(join(directory, '8'), { recursive: true });
    writeFileSync(join(directory, '7/status'), STATUS('5\t5\t5\t5', '', [NONE, NONE, NONE, NONE, NONE]));
    expect(threadPrivileges(directory)).toMatchObject([{ tid: 7, uids: [5, 5, 5, 5] }]);
    rmSync(directory, { recursive: true });
  });
});

describe('provePrivileges', () => {
  // What must fail is really tried elsewhere: here this process may well be root.
  beforeEach(() => {
    for (const name of ['setuid', 'setgid', 'setgroups'] as const) {
      vi.spyOn(process, name).mockImplementation(() => {
        throw Object.assign(new Error('refused'), { code: 'EPERM' });
      });
    }
  });
  afterEach(() => vi.restoreAllMocks());

  it('says what a plain user has', () => {
    expect(provePrivileges(0n, [user(), user({ tid: 102 })])).toEqual({
      uid: 61_184,
      gid: 61_184,
      groups: [61_184, 61_186],
      threads: 2,
      effective: '0',
      bounding: '1ffffffffff',
      noNewPrivileges: true,
      seccomp: true,
      refused: ['setuid(0): EPERM', 'setgroups([0]): EPERM'],
    });
  });

  it('says no_new_privs and seccomp only where every thread has them', () => {
    expect(provePrivileges(0n, [user(), user({ noNewPrivileges: false, seccompMode: 0 })])).toMatchObject({
      noNewPrivileges: false,
      seccomp: false,
    });
  });

  it.each<[string, Partial<ThreadPrivileges>]>([
    ['thread 102 has effective capabilities 0x200000 beyond 0x80000', { effective: SYS_PTRACE_MASK | (1n << 21n) }],
    ['thread 102 has permitted capabilities 0x1', { permitted: 1n }],
    ['thread 102 has inheritable capabilities 0x10000000000', { inheritable: 1n << 40n }],
    ['thread 102 has ambient capabilities 0x4', { ambient: SYS_PTRACE_MASK | 4n }],
    ['thread 102 has bounding set 0x1ffffffffff', { bounding: 0x1ff_ffff_ffffn }],
    ['thread 102 has uid 0', { uids: [61_184, 61_184, 0, 61_184] }],
    ['thread 102 has group 0', { gids: [61_184, 61_184, 61_184, 0] }],
    ['thread 102 has group 0', { groups: [61_184, 0] }],
  ])('%s, one of many', (message, changes) => {
    const threads = [dropped(), dropped({ tid: 103 }), dropped({ tid: 102, ...changes }), dropped({ tid: 104 })];
    expect(() => provePrivileges(SYS_PTRACE_MASK, threads)).toThrow(
      expect.objectContaining({
        code: 'privilege.refused',
        message: expect.stringContaining(message),
        context: { tid: 102 },
        hint: expect.any(String),
      }),
    );
  });

  it('refuses the one capability that is kept where none is', () => {
    expect(() => provePrivileges(0n, [user({ effective: SYS_PTRACE_MASK })])).toThrow(/effective capabilities 0x80000 beyond 0x0/);
    expect(() => provePrivileges(0n, [user({ permitted: SYS_PTRACE_MASK })])).toThrow(/permitted capabilities/);
  });

  it("leaves a plain user's groups and bounding set alone", () => {
    expect(() => provePrivileges(0n, [user({ groups: [0], gids: [0, 0, 0, 0] })])).not.toThrow();
  });

  it('refuses a process of which no thread can be read', () => {
    expect(() => provePrivileges(0n, [])).toThrow(expect.objectContaining({ code: 'privilege.refused', hint: 'is /proc mounted?' }));
  });

  it.each(['setuid', 'setgroups'] as const)('refuses where %s still works', (name) => {
    vi.spyOn(process, name).mockImplementation(() => undefined);
    expect(() => provePrivileges(0n, [user()])).toThrow(
      expect.objectContaining({ code: 'privilege.refused', message: expect.stringContaining(`${name}(`) }),
    );
  });

  it.skipIf(!isRoot)('refuses where a file of root can still be opened after root was given up (needs root)', () => {
    expect(() => provePrivileges(SYS_PTRACE_MASK, [dropped()])).toThrow('open(/etc/shadow) still works after root was given up');
  });

  it.skipIf(isRoot)('proves an ordinary user of this machine (needs an unprivileged user)', () => {
    vi.restoreAllMocks();
    expect(provePrivileges(0n)).toMatchObject({
      uid: process.getuid?.(),
      effective: '0',
      refused: expect.arrayContaining(['setuid(0): EPERM']),
    });
  });
});

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
