import type { Native } from '@sentineld/native/addon';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

type Loaded = ReturnType<typeof import('@sentineld/native/addon').loadNative>;
const loading = vi.hoisted((): { loaded: unknown } => ({ loaded: null }));
vi.mock('@sentineld/native/addon', () => ({ loadNative: () => loading.loaded }));

const { confine, notifyServiceManager, prepareToConfine } = await import('./confine.ts');
const { confineExecutor, confineSpawner } = await import('./confine-executor.ts');
const { peerCredentialsReader } = await import('../ipc/peer-credentials.ts');
const { DAEMON_NODE_FLAGS, daemonNodeArguments } = await import('./node-flags.ts');
const { replaceProgram } = await import('./replace-program.ts');

const PROFILE = { socketFamilies: 'unix', exec: false, writeFiles: true, signalOthers: false } as const;

/** An addon that notes what is asked of it; what is named in `refused` throws. */
function fakeNative(refused: readonly (keyof Native)[] = [], rings = false): { readonly native: Native; readonly calls: unknown[][] } {
  const calls: unknown[][] = [];
  const call =
    (name: keyof Native, result?: unknown) =>
    (...parameters: unknown[]): never => {
      calls.push([name, ...parameters]);
      if (refused.includes(name)) throw Object.assign(new Error(`${name}: not permitted`), { code: 'EPERM' });
      return result as never;
    };
  const native: Native = {
    peerCredentials: call('peerCredentials', { pid: 1, uid: 2, gid: 3 }),
    notify: call('notify', true),
    getResourceLimit: call('getResourceLimit'),
    setResourceLimit: call('setResourceLimit'),
    noNewPrivileges: call('noNewPrivileges'),
    holdsIoUring: call('holdsIoUring', rings),
    refuseIoUring: call('refuseIoUring'),
    confine: call('confine'),
    lockFile: call('lockFile', true),
    readProcess: call('readProcess', -1),
    blake3: call('blake3'),
    sha256Leaves: call('sha256Leaves'),
    sha256Nodes: call('sha256Nodes'),
    checkEntries: call('checkEntries'),
    hashCalls: {
      blake3: call('blake3'),
      sha256Leaves: call('sha256Leaves'),
      sha256Nodes: call('sha256Nodes'),
      checkEntryPage: call('checkEntries'),
      hashCode: call('hashCalls'),
    },
    listProcesses: call('listProcesses', 0),
    openProcessEvents: call('openProcessEvents'),
    startProcessEvents: call('startProcessEvents'),
    drainProcessEvents: call('drainProcessEvents'),
    countProcessEvents: call('countProcessEvents'),
    stopProcessEvents: call('stopProcessEvents'),
    keepAcrossExec: call('keepAcrossExec'),
    hashFile: call('hashFile'),
    cancelHash: call('cancelHash'),
  };
  return { native, calls };
}

function load(loaded: Loaded): void {
  loading.loaded = loaded;
}

const execArgv = process.execArgv;
// As if started with them: nothing here may replace the process that runs the tests.
beforeEach(() => {
  process.execArgv = [...DAEMON_NODE_FLAGS];
});
afterEach(() => {
  process.execArgv = execArgv;
  vi.restoreAllMocks();
});

describe('without the addon', () => {
  it('says why nothing is confined, and goes on', () => {
    load({ available: false, reason: 'no addon here' });
    expect(confine(PROFILE)).toBe('no addon here');
    expect(confineSpawner()).toEqual({ confined: false, detail: ['no addon here'] });
    const executor = confineExecutor();
    expect(executor).toMatchObject({ confined: false, detail: ['no addon here'] });
    expect(() => executor.allowCpu(1)).not.toThrow();
    expect(() => prepareToConfine()).not.toThrow();
    expect(() => notifyServiceManager('READY=1')).not.toThrow();
    expect(peerCredentialsReader()).toBeNull();
  });
});

describe('with an addon', () => {
  it('passes on what it is asked', () => {
    const { native, calls } = fakeNative();
    load({ available: true, native });
    expect(confine(PROFILE)).toBeNull();
    notifyServiceManager('READY=1');
    prepareToConfine();
    expect(peerCredentialsReader()?.(7)).toEqual({ pid: 1, uid: 2, gid: 3 });
    expect(calls).toEqual([['confine', PROFILE], ['notify', 'READY=1'], ['holdsIoUring'], ['peerCredentials', 7]]);
  });

  it('says what the kernel refused, and goes on', () => {
    load({ available: true, native: fakeNative(['confine']).native });
    expect(confine(PROFILE)).toBe('confine: not permitted');
    expect(confineSpawner()).toEqual({
      confined: false,
      detail: ['no io_uring for children', expect.stringMatching(/^not held: filter.*not permitted/)],
    });
    const { confined, detail } = confineExecutor();
    expect(confined).toBe(false);
    expect(detail.filter((text) => text.startsWith('not held'))).toEqual([expect.stringContaining('filter')]);
  });

  it('gives an executor its limits, and CPU time up to its share', () => {
    const { native, calls } = fakeNative();
    load({ available: true, native });
    const { confined, allowCpu } = confineExecutor({ cpuSeconds: 100, addressSpaceHeadroomBytes: 0 });
    expect(confined).toBe(true);
    const limits = new Map(
      calls.filter(([name]) => name === 'setResourceLimit').map(([, resource, soft, hard]) => [resource, [soft, hard]]),
    );
    expect(Object.fromEntries(limits)).toMatchObject({ CPU: [100, 100], CORE: [0, 0], NOFILE: [64, 64], FSIZE: [0, 0] });
    expect(limits.get('AS')?.[0]).toBeGreaterThan(100_000_000);
    calls.length = 0;
    allowCpu(5);
    allowCpu(1000);
    const used = Math.ceil((process.cpuUsage().user + process.cpuUsage().system) / 1e6);
    expect(calls).toEqual([
      ['setResourceLimit', 'CPU', expect.any(Number), 100],
      ['setResourceLimit', 'CPU', 100, 100],
    ]);
    expect(Number(calls[0]?.[2])).toBeLessThanOrEqual(used + 5);
  });
});

describe('replaceProgram', () => {
  it('does nothing where there is no ring and every flag', () => {
    const { native, calls } = fakeNative();
    const execve = vi.spyOn(process, 'execve').mockImplementation(() => undefined as never);
    replaceProgram(native);
    expect(calls).toEqual([['holdsIoUring']]);
    expect(execve).not.toHaveBeenCalled();
    process.execArgv = DAEMON_NODE_FLAGS.slice(1);
    replaceProgram(native);
    expect(execve).toHaveBeenCalledOnce();
  });

  it('forbids new rings before it starts the program again, with its arguments', () => {
    const { native, calls } = fakeNative([], true);
    const execve = vi.spyOn(process, 'execve').mockImplementation((...parameters) => void calls.push(['execve', ...parameters]) as never);
    const before = process.argv;
    process.argv = ['node', '/programs/procmond.js', 'run', '--set', 'a=b c'];
    try {
      replaceProgram(native);
    } finally {
      process.argv = before;
    }
    expect(execve).toHaveBeenCalledOnce();
    expect(calls.map(([name]) => name)).toEqual(['holdsIoUring', 'refuseIoUring', 'execve']);
    const [, file, argv, environment] = calls[2] ?? [];
    expect(file).toBe(process.execPath);
    expect(argv).toEqual([process.execPath, ...daemonNodeArguments(), '/programs/procmond.js', 'run', '--set', 'a=b c']);
    expect(environment).toEqual(process.env);
  });

  it('says so where it cannot start itself again', () => {
    const before = process.argv;
    process.argv = ['node'];
    try {
      expect(() => replaceProgram(fakeNative([], true).native)).toThrow(expect.objectContaining({ code: 'privilege.refused' }));
    } finally {
      process.argv = before;
    }
  });
});
