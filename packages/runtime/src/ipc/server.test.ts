import type { Request } from '@sentineld/model/request';
import { afterEach, describe, expect, it } from 'vitest';
import { SentinelError } from '@sentineld/model/error';
import { startServer, type TestServer } from './fixtures/raw-peer.fixture.ts';
import { peerCredentialsReader } from './peer-credentials.ts';
import type { Peer, ServerOptions } from './server.ts';

const credentialsOf = peerCredentialsReader();
if (credentialsOf === null) console.log('server.test.ts: no addon: peers have no credentials');
const OWN = credentialsOf === null ? null : { pid: process.pid, uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 };

const servers: TestServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function start(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const server = await startServer(options);
  servers.push(server);
  return server;
}

const health = { request: 'health' };
const rules = (offset: number): Request => ({ request: 'rules', offset });
const ok = (body: unknown): unknown => ({ ok: true, body });

describe('a request', () => {
  it('is answered, as it is permitted, and the peer is who the kernel says', async () => {
    const peers: Peer[] = [];
    const server = await start({
      role: 'sentinelagent',
      answer: async (request, peer) => {
        peers.push(peer);
        return request;
      },
    });
    const client = await server.connect();
    client.send(health);
    expect(await client.next()).toEqual(ok(health));
    expect(peers).toEqual([{ role: 'sentinelagent', credentials: OWN }]);
    expect(server.refused).toEqual([]);
  });

  it('is answered in the order of asking, though answers take different times', async () => {
    const late = Promise.withResolvers<undefined>();
    const server = await start({
      answer: async (request) => {
        if (request.request === 'health') await late.promise;
        return request;
      },
    });
    const client = await server.connect();
    client.send(health, rules(1), rules(2));
    const other = await server.connect();
    other.send(rules(3));
    // The second connection does not wait for the first.
    expect(await other.next()).toEqual(ok(rules(3)));
    expect(client.received).toEqual([]);
    late.resolve(undefined);
    expect([await client.next(), await client.next(), await client.next()]).toEqual([ok(health), ok(rules(1)), ok(rules(2))]);
  });

  it('that fails is answered with the code of its error, and the connection goes on', async () => {
    const errors = [
      new SentinelError('state.held', { message: 'taken', hint: 'not for the peer' }),
      new TypeError('x is null'),
      new Error(''),
    ];
    const server = await start({
      answer: async () => {
        throw errors.shift() ?? new Error('no more');
      },
    });
    const client = await server.connect();
    client.send(health, health, health);
    expect(await client.next()).toEqual({ ok: false, error: { code: 'state.held', message: 'taken' } });
    expect(await client.next()).toEqual({ ok: false, error: { code: 'internal.bug', message: 'x is null' } });
    expect(await client.next()).toEqual({ ok: false, error: { code: 'internal.bug', message: '' } });
    expect(server.refused).toEqual([]);
  });

  it('whose reply is larger than a frame is told so', async () => {
    const server = await start({ answer: async () => 'x'.repeat(70_000) });
    const client = await server.connect();
    client.send(health);
    expect(await client.next()).toEqual({ ok: false, error: { code: 'ipc.protocol', message: expect.stringContaining('larger than') } });
  });
});

describe('a request that is nested as deep as a frame allows', () => {
  it('is refused, and the server goes on', async () => {
    const server = await start({ permitted: new Set(['audit.queue', 'health']) });
    const client = await server.connect();
    const depth = 30_000;
    const body = Buffer.from(`{"request":"audit.queue","event":{"action":"start","data":{"a":${'['.repeat(depth)}${']'.repeat(depth)}}}}`);
    const header = Buffer.alloc(4);
    header.writeUInt32BE(body.length);
    client.socket.write(Buffer.concat([header, body]));
    await client.closed;
    expect(server.refused.map((one) => one.reason)).toEqual(['unknown request']);
    const other = await server.connect();
    other.send(health);
    expect(await other.next()).toEqual(ok(health));
  });
});

describe('what is refused', () => {
  it.each<[string, unknown, string]>([
    [
      'a request for another socket',
      { request: 'audit.queue', event: { action: 'start', data: {} } },
      'request audit.queue is not permitted here',
    ],
    ['a request that there is not', { request: 'shutdown' }, 'unknown request'],
    ['a request with more than belongs to it', { request: 'health', as: 'root' }, 'unknown request'],
    ['a wrong parameter', { request: 'rules', offset: -1 }, 'unknown request'],
    ['a word', 'health', 'unknown request'],
    ['nothing', null, 'unknown request'],
    ['a list', [health], 'unknown request'],
    ['a prototype', JSON.parse('{"__proto__":{"request":"health"}}'), 'unknown request'],
  ])('%s closes the connection and is told', async (_what, request, reason) => {
    const server = await start();
    const client = await server.connect();
    client.send(request);
    await client.closed;
    expect(client.received).toEqual([]);
    expect(server.answered).toEqual([]);
    expect(server.refused).toEqual([{ peer: { role: 'sentinelcli', credentials: OWN }, reason }]);
  });

  it.each<[string, Buffer, string]>([
    ['an oversize length', Buffer.of(0xff, 0xff, 0xff, 0xff), 'frame: oversize'],
    ['an empty frame', Buffer.alloc(4), 'frame: empty'],
    ['bytes that are not UTF-8', Buffer.of(0, 0, 0, 1, 0xff), 'frame: not_utf8'],
    ['text that is not JSON', Buffer.concat([Buffer.of(0, 0, 0, 3), Buffer.from('{a}')]), 'frame: not_json'],
    ['a web browser', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), 'frame: oversize'],
  ])('%s closes the connection and is told', async (_what, bytes, reason) => {
    const server = await start();
    const client = await server.connect();
    client.socket.write(bytes);
    await client.closed;
    expect(server.refused.map((one) => one.reason)).toEqual([reason]);
  });

  it('takes what comes behind it in the same chunk with it, and is told once', async () => {
    const server = await start();
    const client = await server.connect();
    client.send({ request: 'shutdown' }, rules(1), { request: 'shutdown' }, rules(2));
    await client.closed;
    expect(server.answered).toEqual([]);
    expect(server.refused).toHaveLength(1);
  });

  it('leaves other connections alone', async () => {
    const server = await start();
    const [bad, good] = [await server.connect(), await server.connect()];
    bad.send(null);
    await bad.closed;
    good.send(health);
    expect(await good.next()).toEqual(ok(health));
  });
});

describe.skipIf(credentialsOf === null)('who may connect (needs the addon)', () => {
  it('a user who is not admitted gets no answer and is told', async () => {
    const server = await start({ admits: ({ uid }) => uid !== OWN?.uid });
    const client = await server.connect();
    client.send(health);
    await client.closed;
    expect([client.received, server.answered]).toEqual([[], []]);
    expect(server.refused).toEqual([
      { peer: { role: 'sentinelcli', credentials: OWN }, reason: `uid ${OWN?.uid} may not use this socket` },
    ]);
  });

  it('nobody whose credentials cannot be read', async () => {
    const server = await start({
      credentialsOf: () => {
        throw new Error('getsockopt: ENOTCONN');
      },
    });
    const client = await server.connect();
    await client.closed;
    expect(server.refused).toEqual([
      { peer: { role: 'sentinelcli', credentials: null }, reason: 'peer credentials: getsockopt: ENOTCONN' },
    ]);
  });
});

describe('without the addon', () => {
  it('peers have no credentials, and are served', async () => {
    const peers: Peer[] = [];
    const server = await start({
      credentialsOf: null,
      admits: () => false,
      answer: async (request, peer) => {
        peers.push(peer);
        return request;
      },
    });
    const client = await server.connect();
    client.send(health);
    expect(await client.next()).toEqual(ok(health));
    expect(peers).toEqual([{ role: 'sentinelcli', credentials: null }]);
  });
});

describe('close', () => {
  it('ends every connection and removes the socket', async () => {
    const server = await startServer();
    const clients = [await server.connect(), await server.connect()];
    await server.close();
    await Promise.all(clients.map((client) => client.closed));
    await expect(server.connect()).rejects.toThrow('ENOENT');
  });
});
