import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readlinkSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadNative, type NativeAvailability } from '@sentineld/native/addon';
import { describe, expect, it } from 'vitest';
import { attachEvents, closeEvents, EVENTS_VARIABLE, eventsEnvironment, inheritedEvents, openEvents } from './open-events.ts';

const NO_ADDON: NativeAvailability = { available: false, reason: 'there is none here' };
const UNMOUNTED = { traceRoots: ['/nonexistent/tracing'] };
const HAND_OVER = fileURLToPath(new URL('fixtures/hand-over.fixture.ts', import.meta.url));

const kernel = openEvents('auto', UNMOUNTED);
closeEvents(kernel);
const isAddonHere = loadNative().available;

function handOver(wanted: string, ...before: readonly string[]): { readonly stdout: string; readonly stderr: string } {
  const [command, ...words] = [...before, process.execPath, '--conditions=sentineld-source', HAND_OVER, wanted];
  return spawnSync(command, words, { encoding: 'utf8', env: { PATH: process.env['PATH'] } });
}

describe('openEvents', () => {
  it('opens nothing where nothing is wanted', () => {
    expect(openEvents('off')).toEqual({ tier: 'off', descriptors: [], reasons: [] });
  });

  it('says what the addon is needed for', () => {
    const reasons = ['events need the native addon: there is none here'];
    expect(openEvents('auto', { availability: NO_ADDON })).toEqual({ tier: 'off', descriptors: [], reasons });
    for (const wanted of ['kernel', 'trace'] as const) {
      expect(() => openEvents(wanted, { availability: NO_ADDON })).toThrow(expect.objectContaining({ code: 'native.unavailable' }));
    }
  });

  it.skipIf(!isAddonHere)('says how to get a trace file system', () => {
    expect(() => openEvents('trace', UNMOUNTED)).toThrow(
      expect.objectContaining({ code: 'privilege.refused', why: expect.stringContaining('mount -t tracefs tracefs /nonexistent/tracing') }),
    );
  });

  it.skipIf(!isAddonHere)('says of a trace file system that cannot be used why', () => {
    const directory = mkdtempSync(join(tmpdir(), 'sentineld-open-events-'));
    try {
      spawnSync('mkdir', ['-p', join(directory, 'instances/sentineld')]);
      expect(() => openEvents('trace', { traceRoots: [directory] })).toThrow(
        expect.objectContaining({ why: expect.stringContaining(`${directory}/instances/sentineld cannot be used: there is no such file`) }),
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it.skipIf(kernel.tier !== 'kernel').for<readonly [namespaces: readonly string[], reason: string]>([
    [['--net'], 'does not reach into a network namespace'],
    [['--pid', '--fork', '--mount-proc'], 'the kernel did not answer'],
    [['--user', '--map-root-user'], 'the kernel did not answer'],
  ])('says why nothing is heard within unshare %j', ([namespaces, reason], { skip }) => {
    if (spawnSync('unshare', [...namespaces, 'true']).status !== 0) {
      console.warn(`Skipped: unshare ${namespaces.join(' ')} is not permitted here`);
      return skip();
    }
    const { stdout, stderr } = handOver('auto', 'unshare', ...namespaces);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject({ tier: null, reasons: [expect.stringContaining(reason), expect.any(String)], leftOpen: [] });
  });
});

describe('handing over', () => {
  it.skipIf(kernel.tier !== 'kernel')('reaches the program that this one is replaced by', () => {
    const { stdout, stderr } = handOver('kernel');
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({ tier: 'kernel', reasons: [], kinds: ['fork', 'exec', 'exit'], leftOpen: [] });
  });

  it('says nothing where nothing was said', () => {
    expect(inheritedEvents({})).toBeNull();
    const off = openEvents('off');
    expect(inheritedEvents(eventsEnvironment(off))).toEqual(off);
    expect(attachEvents(off, { argvLimitBytes: 4096, native: null })).toBeNull();
  });

  const given = (opened: unknown): Record<string, string> => ({
    [EVENTS_VARIABLE]: typeof opened === 'string' ? opened : JSON.stringify(opened),
  });
  it.each([
    ['no JSON', '12'],
    ['no object', 'null'],
    ['nothing', ''],
    ['too much', 'x'.repeat(65_537)],
    ['another tier', { tier: 'bpf', descriptors: [7], reasons: [] }],
    ['a key too many', { tier: 'off', descriptors: [], reasons: [], more: 1 }],
    ['a key too few', { tier: 'off', descriptors: [] }],
    ['two sockets', { tier: 'kernel', descriptors: [7, 8], reasons: [] }],
    ['no socket', { tier: 'kernel', descriptors: [], reasons: [] }],
    ['a descriptor of nothing', { tier: 'off', descriptors: [7], reasons: [] }],
    ['a standard stream', { tier: 'kernel', descriptors: [2], reasons: [] }],
    ['no number', { tier: 'kernel', descriptors: ['7'], reasons: [] }],
    ['half a number', { tier: 'kernel', descriptors: [7.5], reasons: [] }],
    ['a number twice', { tier: 'trace', descriptors: [7, 7], reasons: [] }],
    ['reasons that are none', { tier: 'off', descriptors: [], reasons: [1] }],
    ['what is not open', { tier: 'kernel', descriptors: [2 ** 20 - 1], reasons: [] }],
    ['what is not open, traced', { tier: 'trace', descriptors: [2 ** 20 - 1], reasons: [] }],
    ['no trace', { tier: 'trace', descriptors: [], reasons: [] }],
  ])('takes no %s', (_what, opened) => {
    expect(() => inheritedEvents(given(opened))).toThrow(expect.objectContaining({ code: 'privilege.refused' }));
  });

  it('takes no file for a socket, nor for a trace, nor another socket for that of the kernel', async () => {
    const file = openSync('/dev/null', 'r');
    const link = readlinkSync(`/proc/self/fd/${file}`);
    for (const tier of ['kernel', 'trace']) {
      expect(() => inheritedEvents(given({ tier, descriptors: [file], reasons: [] }))).toThrow(
        expect.objectContaining({ code: 'privilege.refused', message: expect.stringContaining(link) }),
      );
    }
    closeSync(file);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const handle: unknown = Reflect.get(server, '_handle');
    const opened = inheritedEvents(given({ tier: 'kernel', descriptors: [Reflect.get(Object(handle), 'fd')], reasons: [] }));
    const addon = loadNative();
    expect(() => opened !== null && attachEvents(opened, { argvLimitBytes: 4096, native: addon.available ? addon.native : null })).toThrow(
      expect.objectContaining({ code: addon.available ? 'privilege.refused' : 'native.unavailable' }),
    );
    await new Promise((resolve) => server.close(resolve));
  });
});
