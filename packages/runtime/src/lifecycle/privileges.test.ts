import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseThreadStatus, provePrivileges, SYS_PTRACE_MASK, threadPrivileges, type ThreadPrivileges } from './privileges.ts';

const isRoot = process.getuid?.() === 0;

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
