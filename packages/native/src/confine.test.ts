import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadNative, type ConfinementProfile } from './addon.ts';
import { compileRawSyscall } from './fixtures/raw-syscall.ts';
import { ALWAYS_REFUSED, CHANGES_FILES, EXAMINED, numbersOf, type Arch } from './syscalls.ts';

const available = loadNative().available;
const arch: Arch = process.arch === 'arm64' ? 'arm64' : 'x64';

const SEALED: ConfinementProfile = { socketFamilies: 'none', exec: false, writeFiles: false, signalOthers: false };
const PROFILES: Readonly<Record<string, ConfinementProfile | null>> = {
  'no profile': null,
  'the tightest': SEALED,
  'a collector': { socketFamilies: 'unix', exec: false, writeFiles: true, signalOthers: false },
  'a network client': { socketFamilies: 'unix_and_ip', exec: false, writeFiles: true, signalOthers: false },
  'a starter of processes': { socketFamilies: 'unix', exec: true, writeFiles: false, signalOthers: true },
  'the loosest': { socketFamilies: 'unix_and_ip', exec: true, writeFiles: true, signalOthers: true },
};

type Results = Readonly<Record<string, string>>;

/** What each attempt of fixtures/confined-child.ts must come to. */
function expectedResults(profile: ConfinementProfile | null): { readonly thread: Results; readonly main: Results; readonly pool: Results } {
  const write = profile?.writeFiles === false ? 'EPERM' : 'ok';
  const families = profile?.socketFamilies ?? 'unix_and_ip';
  const unix = families === 'none' ? 'EAFNOSUPPORT' : 'ok';
  const ip = families === 'unix_and_ip' ? 'ok' : 'EAFNOSUPPORT';
  const writing = ['openToCreate', 'openToUpdate', 'truncate', 'mkdir', 'rename', 'link', 'symlink', 'chmod', 'chown', 'utimes', 'unlink'];
  const thread: Results = {
    read: 'ok',
    ...Object.fromEntries(writing.map((name) => [name, write])),
    spawn: profile?.exec === false ? 'EPERM' : 'ok',
    signalParent: profile?.signalOthers === false ? 'EPERM' : 'ok',
    signalSelf: 'ok',
  };
  const alive: Results = { timer: 'ok', startThread: 'ok', openDatabase: 'ok', newDatabase: 'ok' };
  const sockets: Results = { connectUnix: unix, connectIpv4: ip, connectIpv6: ip, listenUnix: unix === 'ok' ? write : unix };
  return { thread, main: { ...thread, ...alive, ...sockets }, pool: { read: 'ok', openToCreate: write, mkdir: write } };
}

type Ended = { readonly stdout: string; readonly stderr: string; readonly signal: NodeJS.Signals | null; readonly status: number | null };

/** Runs a program of fixtures/ to its end. */
function run(fixture: string, parameters: readonly string[]): Promise<Ended> {
  const program = fileURLToPath(new URL(`fixtures/${fixture}`, import.meta.url));
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [program, ...parameters], { timeout: 15_000 }, (_error, stdout, stderr) => {
      resolve({ stdout, stderr, signal: child.signalCode, status: child.exitCode });
    });
  });
}

describe.runIf(available)('confine', () => {
  let directory: string;
  let server: Server;
  let database: DatabaseSync;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sentineld-confine-'));
    for (const thread of ['main', 'pool', 'worker']) {
      for (const part of ['victim', 'movable', 'removable']) writeFileSync(join(directory, `${thread}-${part}`), 'text');
    }
    database = new DatabaseSync(join(directory, 'wal.db'));
    database.exec('PRAGMA journal_mode = WAL; CREATE TABLE rows (n INTEGER); INSERT INTO rows VALUES (1)');
    server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(join(directory, 'server.sock'), resolve));
  });

  afterEach(async () => {
    database.close();
    await new Promise((resolve) => server.close(resolve));
    rmSync(directory, { recursive: true });
  });

  it.each(Object.entries(PROFILES))('lets through what %s allows, and nothing else, on every thread', async (_name, profile) => {
    const ended = await run('confined-child.ts', [directory, JSON.stringify(profile)]);
    expect({ ...ended, stdout: '' }).toEqual({ stdout: '', stderr: '', signal: null, status: 0 });
    const expected = expectedResults(profile);
    const results: unknown = JSON.parse(ended.stdout);
    expect(results).toMatchObject({ main: expected.main, pool: expected.pool, worker: expected.thread });
    if (profile !== null) expect(results).toMatchObject({ threads: ['1/2'] });
  });

  it('refuses in the kernel what Node cannot ask for, on an older thread too', async ({ skip }) => {
    const addon = compileRawSyscall(directory);
    if (addon === null) return skip();
    const refused = [...numbersOf(ALWAYS_REFUSED, arch), ...numbersOf(CHANGES_FILES, arch)];
    const examined = {
      openat: -1,
      openat2: -38,
      clone: -1,
      clone3: -38,
      socket: -97,
      socketpair: -97,
      kill: -1,
      tgkill: -1,
      prlimit64: -1,
      bind: -1,
    };
    const numbers = [
      ...refused,
      ...Object.keys(examined).map((name) => EXAMINED[name as keyof typeof examined][arch === 'x64' ? 0 : 1]),
      470,
    ];
    const expected = [...refused.map(() => -1), ...Object.values(examined), -38];

    const ended = await run('raw-child.ts', [addon, JSON.stringify(SEALED), JSON.stringify(numbers)]);
    expect(ended).toMatchObject({ stderr: '', status: 0 });
    expect(JSON.parse(ended.stdout)).toEqual({ main: expected, worker: expected });
  });

  it.runIf(arch === 'x64')('kills a caller of the x32 ABI', async ({ skip }) => {
    const addon = compileRawSyscall(directory);
    if (addon === null) return skip();
    const getpid = 0x4000_0000 + 39;
    const ended = await run('raw-child.ts', [addon, JSON.stringify(SEALED), JSON.stringify([getpid])]);
    expect(ended.signal).toBe('SIGSYS');
  });
});
