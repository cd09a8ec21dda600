import { daemonNodeArguments } from '@sentineld/runtime/lifecycle/node-flags';
import { SentinelError } from '@sentineld/model/error';
import type { LoadedConfig } from '@sentineld/runtime/config/load';
import { DEFAULTS } from '@sentineld/runtime/config/config';
import { statePaths } from '@sentineld/runtime/config/state-dir';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

const SYS_PTRACE = 1n << 19n;
const proof = {
  uid: 61_184,
  gid: 61_184,
  groups: [],
  threads: 9,
  effective: '80000',
  bounding: '80000',
  noNewPrivileges: true,
  seccomp: true,
  refused: [],
};

/** What the parts would find and do, and in which order they were asked. */
const world = vi.hoisted(() => ({
  calls: [] as unknown[][],
  addon: true,
  ambient: 0n,
  unconfined: null as string | null,
  effective: '0',
  inherited: null as unknown,
}));
const EVENTS = { tier: 'kernel', descriptors: [9], reasons: [] };
const note =
  (name: string) =>
  (...parameters: unknown[]): void =>
    void world.calls.push([name, ...parameters]);

const native = { refuseIoUring: note('refuseIoUring') };
vi.mock('@sentineld/native/addon', () => ({
  loadNative: () => (world.addon ? { available: true, native } : { available: false, reason: 'no addon' }),
}));
vi.mock('@sentineld/runtime/lifecycle/accounts', () => ({
  daemonAccounts: () => ({ collectorUid: 5, agentUid: 6, operatorsGid: 7, auditorsGid: 8, configured: true }),
}));
vi.mock('@sentineld/runtime/lifecycle/confine', () => ({
  confine: (profile: unknown) => {
    world.calls.push(['confine', profile]);
    return world.unconfined;
  },
}));
vi.mock('@sentineld/runtime/lifecycle/replace-program', () => ({ replaceProgram: note('replaceProgram') }));
vi.mock('@sentineld/runtime/lifecycle/staging', () => ({
  readablePrograms: (...parameters: unknown[]) => {
    world.calls.push(['readablePrograms', ...parameters]);
    return { node: '/stage/node', directory: '/stage/programs', staged: true };
  },
}));
vi.mock('@sentineld/runtime/lifecycle/state-dirs', () => ({ makeStateDirs: note('makeStateDirs') }));
vi.mock('@sentineld/runtime/lifecycle/privileges', () => ({
  SYS_PTRACE_MASK: SYS_PTRACE,
  threadPrivileges: () => [{ ambient: world.ambient }],
  provePrivileges: (allowed: bigint) => {
    world.calls.push(['provePrivileges', allowed]);
    return { ...proof, effective: world.effective };
  },
  becomeThroughSetpriv: (...parameters: unknown[]) => {
    world.calls.push(['becomeThroughSetpriv', ...parameters]);
    throw new SentinelError('privilege.refused', { message: 'did not happen' });
  },
}));

vi.mock('./events/open-events.ts', () => ({
  EVENTS_VARIABLE: 'EVENTS',
  inheritedEvents: () => world.inherited,
  openEvents: (wanted: string) => {
    world.calls.push(['openEvents', wanted]);
    return EVENTS;
  },
  eventsEnvironment: (opened: unknown) => ({ EVENTS: JSON.stringify(opened) }),
}));

const { settlePrivileges } = await import('./settle-privileges.ts');

const paths = statePaths('/state');
const loaded: LoadedConfig = {
  config: { ...DEFAULTS, state_dir: '/state' },
  origins: new Map(),
  files: ['/etc/x.yaml'],
  hash: 'h',
  environment: {},
};
const settle = (wantsEvents = true) => settlePrivileges({ loaded, paths, programArguments: ['run', '--once'], wantsEvents });
const steps = (): unknown[] => world.calls.map(([name]) => name);

beforeEach(() => {
  Object.assign(world, { calls: [], addon: true, ambient: 0n, unconfined: null, effective: '0', inherited: null });
});
afterEach(() => vi.restoreAllMocks());

describe('an unprivileged start', () => {
  beforeEach(() => void vi.spyOn(process, 'getuid').mockReturnValue(1000));

  it('makes directories of its own, then closes off, then proves', () => {
    expect(settle()).toEqual({ proof: { ...proof, effective: '0' }, seesOtherUsers: false, unconfined: null, native, events: EVENTS });
    expect(steps()).toEqual(['replaceProgram', 'makeStateDirs', 'openEvents', 'confine', 'provePrivileges']);
    expect(world.calls).toContainEqual(['makeStateDirs', paths, null]);
    expect(world.calls).toContainEqual(['confine', { socketFamilies: 'unix', exec: false, writeFiles: true, signalOthers: false }]);
    expect(world.calls).toContainEqual(['provePrivileges', SYS_PTRACE]);
  });

  it('leaves the directories to root where it has the one capability, and sees other users', () => {
    Object.assign(world, { ambient: SYS_PTRACE, effective: '80000' });
    expect(settle().seesOtherUsers).toBe(true);
    expect(steps()).toEqual(['replaceProgram', 'openEvents', 'confine', 'provePrivileges']);
  });

  it('goes on where nothing can be closed off, and says why', () => {
    Object.assign(world, { unconfined: 'confine: ENOSYS' });
    expect(settle().unconfined).toBe('confine: ENOSYS');
    Object.assign(world, { addon: false, unconfined: 'no addon', calls: [] });
    expect(settle()).toMatchObject({ unconfined: 'no addon', native: null });
    expect(steps()).toEqual(['makeStateDirs', 'openEvents', 'confine', 'provePrivileges']);
  });

  it('takes the events that were opened before root was given up, and opens none where nobody reads them', () => {
    world.inherited = { tier: 'trace', descriptors: [4, 5], reasons: [] };
    expect(settle().events).toBe(world.inherited);
    expect(steps()).not.toContain('openEvents');
    world.inherited = null;
    settle();
    settle(false);
    expect(world.calls.filter(([name]) => name === 'openEvents')).toEqual([
      ['openEvents', 'auto'],
      ['openEvents', 'off'],
    ]);
  });
});

describe('a start as root', () => {
  beforeEach(() => void vi.spyOn(process, 'getuid').mockReturnValue(0));

  it('makes the directories, stages what must be readable, and becomes the collector with its configuration', () => {
    const before = process.argv;
    process.argv = ['node', '/checkout/build/programs/procmond.js', 'run', '--once'];
    try {
      expect(() => settle()).toThrow('did not happen');
    } finally {
      process.argv = before;
    }
    expect(steps()).toEqual(['makeStateDirs', 'refuseIoUring', 'readablePrograms', 'openEvents', 'becomeThroughSetpriv']);
    expect(world.calls[0]?.[2]).toMatchObject({ collectorUid: 5 });
    expect(world.calls[2]?.slice(1)).toEqual(['/checkout/build/programs', 5, [7, 8], '/state/programs']);
    expect(world.calls[4]?.slice(1)).toEqual([
      { uid: 5, gid: 7, supplementaryGids: [7, 8], keepSysPtrace: true },
      '/stage/node',
      [...daemonNodeArguments(), '/stage/programs/procmond.js', 'run', '--once'],
      { SENTINELD_RESOLVED_CONFIG: expect.stringContaining('"files":["/etc/x.yaml"]'), EVENTS: JSON.stringify(EVENTS) },
    ]);
  });

  it('needs to know its own path', () => {
    const before = process.argv;
    process.argv = ['node'];
    try {
      expect(() => settle()).toThrow(expect.objectContaining({ code: 'internal.bug' }));
    } finally {
      process.argv = before;
    }
    expect(steps()).not.toContain('becomeThroughSetpriv');
  });
});
