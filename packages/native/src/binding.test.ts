import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadNative, type ConfinementProfile, type Native } from './addon.ts';
import { isAddon } from './binding.ts';
import { compileRawSyscall, loadRawSyscall, type RawSyscall } from './fixtures/raw-syscall.ts';
import { EXAMINED } from './syscalls.ts';

const availability = loadNative();
const SEALED: ConfinementProfile = { socketFamilies: 'none', exec: false, writeFiles: false, signalOthers: false };

function fixture(name: string): string {
  return fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
}

/** The descriptor of a connected socket. Node has no public way to it. */
function descriptorOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  return typeof handle === 'object' && handle !== null ? Number(Reflect.get(handle, 'fd')) : -1;
}

describe('isAddon', () => {
  it('refuses what lacks something', () => {
    expect(isAddon({})).toBe(false);
    expect(isAddon({ limitNumbers: {}, peerCredentials: () => 0 })).toBe(false);
  });
});

describe.runIf(availability.available)('the addon', () => {
  let native: Native;
  let directory: string;
  beforeAll(() => {
    if (!availability.available) throw new Error(availability.reason);
    native = availability.native;
    directory = mkdtempSync(join(tmpdir(), 'sentineld-binding-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  describe('peerCredentials', () => {
    it('names the process at the other end', async () => {
      const path = join(directory, 'peer.sock');
      const server: Server = createServer();
      await new Promise<void>((resolve) => server.listen(path, resolve));
      const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
      const peer = execFile(process.execPath, ['-e', 'require("node:net").connect(process.argv[1]).resume()', path]);
      const socket = await accepted;
      expect(native.peerCredentials(descriptorOf(socket))).toEqual({ pid: peer.pid, uid: process.getuid?.(), gid: process.getgid?.() });
      socket.end();
      await new Promise((resolve) => server.close(resolve));
    });

    it('says why there are none', async () => {
      const file = openSync('/dev/null', 'r');
      expect(() => native.peerCredentials(file)).toThrow(
        expect.objectContaining({ code: 'ENOTSOCK', message: expect.stringMatching(/^getsockopt: ./) }),
      );
      closeSync(file);
      expect(() => native.peerCredentials(2 ** 31 - 1)).toThrow(expect.objectContaining({ code: 'EBADF' }));

      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = server.address();
      const client = connect(typeof address === 'object' ? (address?.port ?? 0) : 0, '127.0.0.1');
      await new Promise<void>((resolve) => client.once('connect', resolve));
      expect(() => native.peerCredentials(descriptorOf(client))).toThrow(expect.objectContaining({ code: 'ENOTCONN' }));
      client.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
  });

  describe('notify', () => {
    afterEach(() => {
      delete process.env['NOTIFY_SOCKET'];
    });

    it('does nothing without a service manager', () => {
      expect(native.notify('READY=1')).toBe(false);
      process.env['NOTIFY_SOCKET'] = '';
      expect(native.notify('READY=1')).toBe(false);
    });

    it.each([
      ['ENOENT', '/nonexistent/notify'],
      ['ECONNREFUSED', '@sentineld-test-nobody-listens'],
      ['EAFNOSUPPORT', 'vsock:2:1234'],
      ['ERR_INVALID_ARG_VALUE', `/${'x'.repeat(108)}`],
    ])('throws %s for the address %s', (code, address) => {
      process.env['NOTIFY_SOCKET'] = address;
      expect(() => native.notify('READY=1')).toThrow(expect.objectContaining({ code }));
    });

    it('delivers to paths and abstract addresses', ({ skip }) => {
      const file = compileRawSyscall(directory);
      if (file === null) return skip();
      const rawSyscall = loadRawSyscall(file);
      for (const address of [join(directory, 'notify.sock'), `@sentineld-test-${process.pid}`]) {
        const fd = bindDatagramSocket(rawSyscall, address);
        process.env['NOTIFY_SOCKET'] = address;
        expect(native.notify('READY=1\nSTATUS=größer')).toBe(true);
        expect(receive(rawSyscall, fd)).toBe('READY=1\nSTATUS=größer');
        expect(native.notify('x'.repeat(4096))).toBe(true);
        expect(receive(rawSyscall, fd)).toHaveLength(4096);
        expect(() => native.notify('x'.repeat(4097))).toThrow(TypeError);
        closeSync(fd);
      }
    });
  });

  it('limits resources, and privileges of every thread', () => {
    const result: unknown = JSON.parse(execFileSync(process.execPath, [fixture('limited-child.ts')], { encoding: 'utf8' }));
    expect(result).toEqual({
      core: ['0', '0'],
      openFiles: '200',
      cpu: ['100', 'unlimited'],
      readBack: { soft: 100, hard: 'unlimited' },
      noNewPrivileges: ['1'],
    });
    expect(() => native.setResourceLimit('NOFILE', 10, 9)).toThrow(
      expect.objectContaining({ code: 'EINVAL', message: 'setrlimit: Invalid argument' }),
    );
  });

  it('locks a file for one holder at a time', () => {
    const path = join(directory, 'lock');
    const [first, second] = [openSync(path, 'w'), openSync(path, 'r')];
    expect(native.lockFile(first)).toBe(true);
    expect(native.lockFile(first)).toBe(true);
    expect(native.lockFile(second)).toBe(false);
    closeSync(first);
    expect(native.lockFile(second)).toBe(true);
    closeSync(second);
    expect(() => native.lockFile(second)).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });

  it('does not confine a process that would be aborted, or could get round it', ({ skip }) => {
    if (!native.holdsIoUring()) {
      console.warn('Skipped: this kernel gives Node no io_uring, so there is nothing to refuse');
      return skip();
    }
    expect(() => native.confine(SEALED)).toThrow(expect.objectContaining({ code: 'EBUSY' }));
  });

  it.each([
    ['nothing', {}],
    ['a missing key', { socketFamilies: 'none', exec: false, writeFiles: false }],
    ['a key too many', { ...SEALED, network: false }],
    ['an unknown family', { ...SEALED, socketFamilies: 'ip' }],
    ['an inherited name', { ...SEALED, socketFamilies: 'constructor' }],
    ['a number', { ...SEALED, exec: 0 }],
  ])('takes no profile with %s', (_name, profile) => {
    expect(() => Reflect.apply(native.confine, undefined, [profile])).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
  });

  it('survives garbage in every argument', () => {
    const file = fileURLToPath(new URL(`../prebuilt/linux-${process.arch}.node`, import.meta.url));
    const ended = spawnSync(process.execPath, [fixture('garbage-child.ts'), file], { encoding: 'utf8' });
    expect(ended).toMatchObject({ stdout: 'survived', stderr: '', signal: null, status: 0 });
  });
});

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;

function numberOf(call: readonly [number, number | null]): number {
  return call[process.arch === 'x64' ? 0 : 1] ?? -1;
}

/** An AF_UNIX datagram socket, which Node does not have. A leading @ stands for NUL, as in $NOTIFY_SOCKET. */
function bindDatagramSocket(rawSyscall: RawSyscall, address: string): number {
  const fd = rawSyscall(numberOf(EXAMINED.socket), AF_UNIX, SOCK_DGRAM, 0);
  const name = Buffer.from(`\u0001\0${address.replace(/^@/, '\0')}`, 'latin1');
  expect(rawSyscall(numberOf(EXAMINED.bind), fd, name, name.length)).toBe(0);
  return fd;
}

function receive(rawSyscall: RawSyscall, fd: number): string {
  const buffer = new Uint8Array(8192);
  const length = rawSyscall(numberOf([45, 207]), fd, buffer, buffer.length, MSG_DONTWAIT, 0, 0);
  return Buffer.from(buffer.subarray(0, length)).toString();
}
