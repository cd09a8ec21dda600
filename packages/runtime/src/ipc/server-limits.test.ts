import { afterEach, describe, expect, it, vi } from 'vitest';
import { startServer, type RawPeer, type TestServer } from './fixtures/raw-peer.fixture.ts';
import { encodeFrame } from './frame.ts';
import type { ServerOptions } from './server.ts';

const servers: TestServer[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function start(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const server = await startServer(options);
  servers.push(server);
  return server;
}

const health = { request: 'health' };
const uidOf = (uid: number) => () => ({ pid: 1, uid, gid: uid });
const connectAll = (server: TestServer, count: number): Promise<RawPeer[]> =>
  Promise.all(Array.from({ length: count }, () => server.connect()));
const reasons = (server: TestServer): string[] => server.refused.map(({ reason }) => reason);

describe('connections', () => {
  it('of one user are sixteen at most, of other users as many again', async () => {
    let uid = 1000;
    const server = await start({ credentialsOf: () => uidOf(uid)() });
    const clients = await connectAll(server, 16);
    for (const client of clients) client.send(health);
    await Promise.all(clients.map((client) => client.next()));
    const refused = await server.connect();
    await refused.closed;
    expect(reasons(server)).toEqual(['more than 16 connections of uid 1000']);
    uid = 1001;
    const other = await server.connect();
    other.send(health);
    await other.next();
    // Room is made by one that ends.
    const left = clients[0]?.closed;
    clients[0]?.socket.end();
    await left;
    uid = 1000;
    await expect
      .poll(async () => {
        const client = await server.connect();
        client.send(health);
        return client.next().then(
          () => 'served',
          () => 'refused',
        );
      })
      .toBe('served');
  });

  it('of all together are sixty-four', async () => {
    let uid = 0;
    const server = await start({ credentialsOf: () => uidOf(uid++ >> 3)() });
    const clients = await connectAll(server, 64);
    for (const client of clients) client.send(health);
    await Promise.all(clients.map((client) => client.next()));
    const refused = await server.connect();
    await refused.closed;
    expect(server.answered).toHaveLength(64);
  });

  it('that end take nothing with them', async () => {
    const server = await start({ credentialsOf: uidOf(1000) });
    // Fewer at once than are allowed: the server may notice an end a little later than the client.
    for (let round = 0; round < 6; round++) {
      const clients = await connectAll(server, 5);
      for (const client of clients) client.socket.end(encodeFrame(health));
      await Promise.all(clients.map((client) => client.closed));
    }
    expect(reasons(server)).toEqual([]);
  });
});

describe('a flood', () => {
  it('is cut off after the burst, and told once', async () => {
    const server = await start();
    const client = await server.connect();
    // In one chunk or a few: well within the second in which the bucket would fill again.
    client.send(...Array.from({ length: 1000 }, () => health));
    await client.closed;
    expect(reasons(server)).toEqual(['too many requests']);
    expect(server.answered.length).toBeGreaterThanOrEqual(400);
    expect(server.answered.length).toBeLessThan(1000);
  });

  it('is no matter where it is spread over time', async () => {
    let nowMs = 1000;
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
    const server = await start();
    const client = await server.connect();
    for (let i = 0; i < 1000; i++) {
      nowMs += 5;
      client.send(health);
      await client.next();
    }
    expect(reasons(server)).toEqual([]);
    // The bucket holds four hundred and not more, however long it was left alone.
    nowMs += 1_000_000;
    client.send(...Array.from({ length: 401 }, () => health));
    await client.closed;
    expect(reasons(server)).toEqual(['too many requests']);
    expect(server.answered.length).toBe(1400);
  });
});

describe('a slow frame', () => {
  it('closes the connection two seconds after its first byte, though byte follows byte', async () => {
    const server = await start();
    const client = await server.connect();
    const frame = encodeFrame({ request: 'rules', offset: 1 });
    client.send(health);
    await client.next();
    let sent = 0;
    const timer = setInterval(() => void client.socket.write(frame.subarray(sent, ++sent)), 100);
    await client.closed;
    clearInterval(timer);
    expect(sent).toBeLessThan(frame.length);
    expect(reasons(server)).toEqual(['frame: too slow']);
  });

  it('leaves the next one its own time', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const server = await start();
      const client = await server.connect();
      const frame = encodeFrame(health);
      for (let round = 0; round < 3; round++) {
        client.socket.write(frame.subarray(round === 0 ? 0 : 2, 6));
        await vi.waitFor(() => expect(vi.getTimerCount()).toBeGreaterThan(0), { interval: 1 });
        vi.advanceTimersByTime(1500);
        // The rest of this one and the beginning of the next.
        client.socket.write(Buffer.concat([frame.subarray(6), frame.subarray(0, 2)]));
        await client.next();
      }
      expect(reasons(server)).toEqual([]);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a connection on which nothing happens', () => {
  it('is ended, but not while it waits for an answer', async () => {
    const late = Promise.withResolvers<undefined>();
    const server = await start({ idleMs: 50, answer: () => late.promise });
    const [waiting, idle] = [await server.connect(), await server.connect()];
    waiting.send(health);
    await idle.closed;
    // Twice its own time.
    await new Promise((resolve) => setTimeout(resolve, 100));
    late.resolve(undefined);
    expect(await waiting.next()).toEqual({ ok: true });
    await waiting.closed;
    expect(server.refused).toEqual([]);
  });
});

describe('a subscriber', () => {
  const subscribed = async (server: TestServer): Promise<RawPeer> => {
    const client = await server.connect();
    client.send({ request: 'subscribe' });
    expect(await client.next()).toEqual({ ok: true, body: { request: 'subscribe' } });
    return client;
  };

  it('gets what is published, and nobody else does', async () => {
    const server = await start();
    const [first, second] = [await subscribed(server), await subscribed(server)];
    const other = await server.connect();
    other.send(health);
    await other.next();
    expect(server.server.publish({ event: 'e', n: 1 })).toBe(2);
    expect([await first.next(), await second.next()]).toEqual([
      { event: 'e', n: 1 },
      { event: 'e', n: 1 },
    ]);
    expect(other.received).toHaveLength(1);
    first.socket.end();
    await first.closed;
    await expect.poll(() => server.server.publish({ event: 'e', n: 2 })).toBe(1);
  });

  it('is told the greeting once, right after the reply', async () => {
    let greeted = 0;
    const server = await start({ greeting: () => [{ event: 'first', n: ++greeted }, { event: 'second' }] });
    const other = await server.connect();
    other.send(health);
    await other.next();
    const client = await subscribed(server);
    expect([await client.next(), await client.next()]).toEqual([{ event: 'first', n: 1 }, { event: 'second' }]);
    client.send({ request: 'subscribe' }, health);
    expect([await client.next(), await client.next()]).toMatchObject([{ ok: true }, { ok: true, body: health }]);
    expect([greeted, other.received.length]).toEqual([1, 1]);
  });

  it('gets each event once though it asked again and again, and leaves nothing that grows', async () => {
    const server = await start();
    const warnings: string[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning.name);
    process.on('warning', onWarning);
    const client = await subscribed(server);
    for (let i = 0; i < 30; i++) {
      client.send({ request: 'subscribe' });
      await client.next();
    }
    expect(server.server.publish({ event: 'once' })).toBe(1);
    expect(await client.next()).toEqual({ event: 'once' });
    client.send(health);
    expect(await client.next()).toEqual({ ok: true, body: health });
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });

  it('that does not read is dropped, and the others are still served', async () => {
    const server = await start();
    const [deaf, hearing] = [await subscribed(server), await subscribed(server)];
    deaf.socket.pause();
    const event = { event: 'e', text: 'x'.repeat(60_000) };
    let reached = 2;
    let published = 0;
    while (reached === 2) {
      reached = server.server.publish(event);
      published++;
      expect(await hearing.next()).toEqual(event);
      // A megabyte and what the kernel keeps: not much more may be held for one that does not read.
      expect(published * 60_000).toBeLessThan(4_000_000);
    }
    expect(reached).toBe(1);
    expect(server.server.publish({ event: 'after' })).toBe(1);
    expect(await hearing.next()).toEqual({ event: 'after' });
    deaf.socket.resume();
    await deaf.closed;
    expect(deaf.received).not.toContainEqual({ event: 'after' });
  });

  it('that asks and does not read the answers is dropped too', async () => {
    const server = await start({ answer: async () => 'x'.repeat(60_000) });
    const client = await server.connect();
    client.socket.pause();
    client.send(...Array.from({ length: 100 }, () => health));
    const other = await server.connect();
    other.send(health);
    await other.next();
    client.socket.resume();
    await client.closed;
    expect(client.received.length).toBeLessThan(100);
  });
});
