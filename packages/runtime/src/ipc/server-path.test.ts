import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endProgram, startProgram, type Program } from '../lifecycle/fixtures/program.fixture.ts';
import { connectRaw } from './fixtures/raw-peer.fixture.ts';
import { serveSocket, type SocketServer } from './server.ts';

const isRoot = process.getuid?.() === 0;

let directory = '';
let path = '';
const servers: SocketServer[] = [];
const programs: Program[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-path-'));
  path = join(directory, 's.sock');
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
  await Promise.all(programs.splice(0).map(endProgram));
  rmSync(directory, { recursive: true });
});

async function serve(at = path): Promise<SocketServer> {
  const server = await serveSocket({
    path: at,
    role: 'sentinelcli',
    permitted: new Set(['health']),
    credentialsOf: null,
    admits: () => true,
    answer: async () => 'new',
    onRefused: () => undefined,
  });
  servers.push(server);
  return server;
}

async function answers(): Promise<unknown> {
  const client = await connectRaw(path);
  client.send({ request: 'health' });
  const reply = await client.next();
  client.socket.destroy();
  return reply;
}

/** Leaves a socket file that nobody listens on: its owner was killed. */
async function leaveStale(): Promise<void> {
  const program = startProgram([
    process.execPath,
    '-e',
    `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`,
  ]);
  programs.push(program);
  await program.line();
  await endProgram(program);
}

describe('the socket', () => {
  it.each([0o000, 0o022, 0o777])('has mode 0660 whatever the umask, which stays: %o', async (mask) => {
    const before = process.umask(mask);
    try {
      await serve();
      expect(process.umask(mask)).toBe(mask);
    } finally {
      process.umask(before);
    }
    expect(lstatSync(path).mode & 0o777).toBe(0o660);
    expect(await answers()).toEqual({ ok: true, body: 'new' });
  });

  it('takes the place of one that nobody listens on', async () => {
    await leaveStale();
    expect(lstatSync(path).isSocket()).toBe(true);
    await serve();
    expect(await answers()).toEqual({ ok: true, body: 'new' });
  });

  it('says so where the one that nobody listens on cannot be removed', async () => {
    await leaveStale();
    chmodSync(path, 0o666);
    chmodSync(directory, 0o555);
    // Root may remove it from there all the same; whose socket it is goes by the real user.
    if (isRoot) process.seteuid?.(61_205);
    try {
      await expect(serve()).rejects.toMatchObject({
        code: 'state.unusable',
        message: expect.stringContaining('cannot be removed: EACCES'),
      });
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(directory, 0o700);
    }
    expect(lstatSync(path).isSocket()).toBe(true);
  });

  it('does not displace a live one', async () => {
    await serve();
    const { ino } = statSync(path);
    await expect(serve()).rejects.toMatchObject({ code: 'state.held', message: expect.stringContaining(path) });
    expect(statSync(path).ino).toBe(ino);
    expect(await answers()).toEqual({ ok: true, body: 'new' });
  });

  it('does not displace one whose queue is full', async ({ skip }) => {
    // One that listens and never accepts, and as many clients as its queue takes.
    const script = `import socket, time\ns = socket.socket(socket.AF_UNIX)\ns.bind(${JSON.stringify(path)})\ns.listen(0)\nprint('up', flush=True)\ntime.sleep(1000)`;
    const program = startProgram(['python3', '-c', script]);
    programs.push(program);
    const up = await program.line().catch(() => null);
    if (up === null) return skip('no python3 to listen without accepting');
    const clients = [await connectRaw(path)];
    await expect(serve()).rejects.toMatchObject({ code: 'state.held' });
    expect(existsSync(path)).toBe(true);
    for (const client of clients) client.socket.destroy();
    return undefined;
  });

  it.each<[string, (at: string) => void]>([
    ['a file', (at) => writeFileSync(at, 'precious')],
    ['a directory', (at) => mkdirSync(at)],
    ['a link', (at) => symlinkSync('/dev/null', at)],
    ['a pipe', (at) => void execFileSync('mkfifo', [at])],
  ])('does not remove %s in its way', async (_what, make) => {
    make(path);
    const before = lstatSync(path);
    await expect(serve()).rejects.toMatchObject({
      code: 'state.unusable',
      message: `${path} is in the way: not a socket of this user`,
      hint: expect.any(String),
    });
    expect(lstatSync(path).ino).toBe(before.ino);
  });

  it("does not follow a link to another's live socket", async () => {
    await serve(join(directory, 'other.sock'));
    symlinkSync('other.sock', path);
    await expect(serve()).rejects.toMatchObject({ code: 'state.unusable' });
    expect(readdirSync(directory).toSorted()).toEqual(['other.sock', 's.sock']);
  });

  it.skipIf(!isRoot)("does not remove another user's socket, live or not (needs root)", async () => {
    await leaveStale();
    execFileSync('chown', ['61205', path]);
    await expect(serve()).rejects.toMatchObject({ code: 'state.unusable' });
    expect(lstatSync(path).uid).toBe(61_205);
  });

  it('must not be longer than a socket path may be', async () => {
    const room = 107 - directory.length - 1;
    await serve(join(directory, 'x'.repeat(room)));
    const long = join(directory, 'x'.repeat(room + 1));
    await expect(serve(long)).rejects.toMatchObject({
      code: 'state.unusable',
      message: expect.stringContaining('107 bytes'),
      hint: expect.any(String),
    });
    // Bytes count, not letters.
    await expect(serve(join(directory, 'ü'.repeat(room / 2 + 1)))).rejects.toMatchObject({ code: 'state.unusable' });
    expect(readdirSync(directory)).toHaveLength(1);
  });

  it('needs its directory', async () => {
    await expect(serve(join(directory, 'none', 's.sock'))).rejects.toMatchObject({ code: 'state.unusable', hint: expect.any(String) });
  });

  it.skipIf(isRoot)('needs a directory that it may write (needs an unprivileged user)', async () => {
    chmodSync(directory, 0o500);
    await expect(serve()).rejects.toMatchObject({ code: 'state.unusable', message: expect.stringContaining('EACCES') });
    chmodSync(directory, 0o700);
  });

  it('is not removed by the end of a server that had it before', async () => {
    const old = await new Promise<Server>((resolve) => {
      const server = createServer().listen(path, () => resolve(server));
    });
    unlinkSync(path);
    await serve();
    // Node removes whatever is at the path when a server closes: the lock above keeps two from meeting here.
    await new Promise((resolve) => old.close(resolve));
    expect(existsSync(path)).toBe(false);
  });
});
