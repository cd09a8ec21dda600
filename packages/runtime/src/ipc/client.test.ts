import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Request } from '@sentineld/model/request';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { askOnce, openConnection, type Connection } from './client.ts';
import { createFrameReader, encodeFrame } from './frame.ts';

const health: Request = { request: 'health' };
const rules = (offset: number): Request => ({ request: 'rules', offset });

let directory = '';
let path = '';
const listening: Server[] = [];
const open: Connection[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-client-'));
  path = join(directory, 's.sock');
});
afterEach(async () => {
  for (const connection of open.splice(0)) connection.close();
  await Promise.all(listening.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  rmSync(directory, { recursive: true });
});

/** A daemon that does with each connection and each request what the test says. */
async function daemon(
  onRequest: (socket: Socket, request: unknown) => void,
  onConnect: (socket: Socket) => void = () => undefined,
): Promise<void> {
  const server = createServer((socket) => {
    const reader = createFrameReader((value) => onRequest(socket, value));
    socket.on('data', (bytes: Buffer) => void reader.push(bytes));
    socket.on('error', () => undefined);
    onConnect(socket);
  });
  listening.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
}

async function connection(onEvent?: (event: unknown) => void): Promise<Connection> {
  const opened = await openConnection(path, onEvent);
  open.push(opened);
  return opened;
}

const echo = (socket: Socket, request: unknown): void => void socket.write(encodeFrame({ ok: true, body: request }));
const unreachable = (reason: string): unknown =>
  expect.objectContaining({ code: 'ipc.unreachable', message: `${path}: ${reason}`, exitStatus: 4 });

describe('a connection', () => {
  it('gives each request its reply, many at once', async () => {
    await daemon(echo);
    const { ask } = await connection();
    const requests = Array.from({ length: 50 }, (_, i) => rules(i));
    expect(await Promise.all(requests.map((request) => ask(request)))).toEqual(requests);
  });

  it('reads replies however they are cut, and events between them', async () => {
    const events: unknown[] = [];
    await daemon((socket, request) => {
      const bytes = Buffer.concat([
        encodeFrame({ event: 'before' }),
        encodeFrame({ ok: true, body: request }),
        encodeFrame({ event: 'after' }),
      ]);
      for (const byte of bytes) socket.write(Buffer.of(byte));
    });
    const { ask } = await connection((event) => events.push(event));
    expect(await ask(rules(1))).toEqual(rules(1));
    await expect.poll(() => events).toEqual([{ event: 'before' }, { event: 'after' }]);
  });

  it('throws what the daemon refuses, and goes on', async () => {
    await daemon((socket, request) => {
      const refusal = { ok: false, error: { code: 'ledger.broken', message: 'entry 3' } };
      socket.write(encodeFrame(JSON.stringify(request) === JSON.stringify(health) ? refusal : { ok: true, body: 1 }));
    });
    const { ask } = await connection();
    await expect(ask(health)).rejects.toMatchObject({ code: 'ipc.refused', message: 'entry 3', context: { code: 'ledger.broken', path } });
    expect(await ask(rules(0))).toBe(1);
  });

  it('ends where no reply comes in time: a late one would be taken for the next', async () => {
    await daemon(() => undefined);
    const { ask, ended } = await connection();
    const [first, second] = [ask(health, 20), ask(rules(1), 60_000)];
    await expect(first).rejects.toEqual(unreachable('no reply within 20 ms'));
    await expect(second).rejects.toEqual(unreachable('no reply within 20 ms'));
    expect(await ended).toBe('no reply within 20 ms');
    await expect(ask(health)).rejects.toEqual(unreachable('no reply within 20 ms'));
  });

  it('rejects what waits when the daemon closes it', async () => {
    await daemon((socket) => socket.destroy());
    const { ask, ended } = await connection();
    await expect(Promise.all([ask(health), ask(rules(1))])).rejects.toEqual(unreachable('the daemon closed the connection'));
    expect(await ended).toBe('the daemon closed the connection');
    await expect(ask(health)).rejects.toEqual(unreachable('the daemon closed the connection'));
  });

  it('tells that it ended though nothing was asked', async () => {
    await daemon(echo, (socket) => socket.destroy());
    const { ended } = await connection();
    expect(await ended).toBe('the daemon closed the connection');
  });

  it('ends where what comes is no frame', async () => {
    await daemon((socket) => void socket.write(Buffer.from('HTTP/1.1 400 Bad Request\r\n')));
    const { ask, ended } = await connection();
    await expect(ask(health)).rejects.toEqual(unreachable('frame: oversize'));
    expect(await ended).toBe('frame: oversize');
  });

  it('takes no reply that nobody waits for', async () => {
    await daemon(echo, (socket) => void socket.write(encodeFrame({ ok: true, body: 'unasked' })));
    const events: unknown[] = [];
    const { ask } = await connection((event) => events.push(event));
    expect(await ask(rules(1))).toEqual(expect.anything());
    expect(events).toEqual([]);
  });

  it.each<unknown>([{ ok: false }, { ok: false, error: null }, { ok: false, error: 'no' }, { ok: 'yes' }, { body: 1 }, 'ok', null])(
    'does not take %j for a reply',
    async (value) => {
      await daemon((socket, request) => void socket.write(Buffer.concat([encodeFrame(value), encodeFrame({ ok: true, body: request })])));
      const events: unknown[] = [];
      const { ask } = await connection((event) => events.push(event));
      expect(await ask(rules(1))).toEqual(rules(1));
      expect(events).toEqual([value]);
    },
  );

  it('is not confused by a request that is too large to send', async () => {
    await daemon(echo);
    const { ask } = await connection();
    const large: Request = { request: 'audit.queue', event: { action: 'start', data: { text: 'x'.repeat(70_000) } } };
    await expect(ask(large)).rejects.toThrow(RangeError);
    expect(await ask(rules(1), 2000)).toEqual(rules(1));
  });

  it('closed by this side says so', async () => {
    await daemon(echo);
    const { ask, close } = await connection();
    close();
    await expect(ask(health)).rejects.toEqual(unreachable('the connection was closed'));
  });
});

describe('openConnection', () => {
  it.each<[string, () => void, string]>([
    ['no socket', () => undefined, 'ENOENT'],
    ['a file', () => writeFileSync(path, ''), 'ECONNREFUSED'],
  ])('says that there is %s, and what to do', async (_what, prepare, errno) => {
    prepare();
    await expect(openConnection(path)).rejects.toMatchObject({
      code: 'ipc.unreachable',
      message: expect.stringContaining(errno),
      hint: expect.stringContaining('is it running?'),
      context: { path, errno },
    });
  });

  it('says that the path is too long', async () => {
    await expect(openConnection(join(directory, 'x'.repeat(200)))).rejects.toMatchObject({ code: 'ipc.unreachable' });
  });
});

describe('askOnce', () => {
  it('asks and closes, whether or not there is an answer', async () => {
    let closed = 0;
    let reply: unknown = { ok: true, body: 'yes' };
    await daemon(
      (socket) => void socket.write(encodeFrame(reply)),
      (socket) => void socket.on('close', () => closed++),
    );
    expect(await askOnce(path, health)).toBe('yes');
    reply = { ok: false, error: { code: 'internal.bug', message: 'no' } };
    await expect(askOnce(path, health)).rejects.toMatchObject({ code: 'ipc.refused' });
    reply = { event: 'something else' };
    await expect(askOnce(path, health, 20)).rejects.toMatchObject({ code: 'ipc.unreachable' });
    await expect.poll(() => closed).toBe(3);
  });
});
