/**
 * A daemon's side of a Unix socket. Who is at the other end is the kernel's word; what may be asked is a table.
 * Whatever is not permitted, not understood, too large, too slow or too often closes the connection and is told to
 * `onRefused`. The socket's directory and mode decide who can connect at all.
 */
import { lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { SentinelError, errnoOf, messageOf } from '@sentineld/model/error';
import { RequestSchema, type PeerCredentials, type Reply, type Request, type SocketRole } from '@sentineld/model/request';
import { createFrameReader, encodeFrame } from './frame.ts';

/** sun_path of unix(7) holds 108 bytes with its terminator. */
const MAX_PATH_BYTES = 107;
const FRAME_DEADLINE_MS = 2000;
const IDLE_MS = 30_000;
const MAX_CONNECTIONS = 64;
const MAX_CONNECTIONS_PER_UID = 16;
const REQUESTS_PER_SECOND = 200;
const REQUEST_BURST = 400;
const MAX_UNSENT_BYTES = 1_048_576;

/** Someone who connected. `credentials` is null only where the addon is missing. */
export type Peer = { readonly role: SocketRole; readonly credentials: PeerCredentials | null };

export type Refused = { readonly peer: Peer; readonly reason: string };

export type ServerOptions = {
  readonly path: string;
  readonly role: SocketRole;
  /** Requests that this socket answers. */
  readonly permitted: ReadonlySet<Request['request']>;
  /** Reads SO_PEERCRED of a descriptor; null where that is not possible here. */
  readonly credentialsOf: ((fd: number) => PeerCredentials) | null;
  /** Whether this user may use the socket at all. */
  readonly admits: (credentials: PeerCredentials) => boolean;
  readonly answer: (request: Request, peer: Peer) => Promise<unknown>;
  /** Events that a new subscriber is told right after the reply; none where it is left out. */
  readonly greeting?: () => readonly unknown[];
  readonly onRefused: (refused: Refused) => void;
  /** A connection on which nothing happens for so many milliseconds is ended; 30 s where it is left out. */
  readonly idleMs?: number;
};

export type SocketServer = {
  /** Sends an event to every subscriber; one that does not read is dropped. Returns how many got it. */
  readonly publish: (event: unknown) => number;
  readonly close: () => Promise<void>;
};

/** Binds the socket with mode 0660 and serves it. Throws 'state.held' where a live server has the path. */
export async function serveSocket(options: ServerOptions): Promise<SocketServer> {
  if (Buffer.byteLength(options.path) > MAX_PATH_BYTES) {
    throw new SentinelError('state.unusable', {
      message: `${options.path}: longer than the ${MAX_PATH_BYTES} bytes a socket path may have`,
      hint: 'give a state directory with a shorter path',
    });
  }
  await clearStaleSocket(options.path);
  const subscribers = new Set<Socket>();
  const connections = new Map<Socket, PeerCredentials | null>();
  const server = createServer((socket) => {
    const peer = admit(socket, connections, options);
    if (peer !== null) serveConnection(socket, peer, subscribers, options);
  });
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, options.path);
  return {
    publish: (event) => {
      const frame = encodeFrame(event);
      let reached = 0;
      for (const socket of subscribers) {
        if (socket.writableLength > MAX_UNSENT_BYTES) {
          subscribers.delete(socket);
          socket.destroy();
        } else {
          socket.write(frame);
          reached++;
        }
      }
      return reached;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of connections.keys()) socket.destroy();
      }),
  };
}

function admit(socket: Socket, connections: Map<Socket, PeerCredentials | null>, options: ServerOptions): Peer | null {
  const refuse = (credentials: PeerCredentials | null, reason: string): null => {
    options.onRefused({ peer: { role: options.role, credentials }, reason });
    socket.destroy();
    return null;
  };
  socket.on('error', () => socket.destroy());
  let credentials: PeerCredentials | null = null;
  if (options.credentialsOf !== null) {
    try {
      credentials = options.credentialsOf(descriptorOf(socket));
    } catch (cause) {
      return refuse(null, `peer credentials: ${messageOf(cause)}`);
    }
    const uid = credentials.uid;
    if (!options.admits(credentials)) return refuse(credentials, `uid ${uid} may not use this socket`);
    const ofSameUser = [...connections.values()].filter((other) => other?.uid === uid).length;
    if (ofSameUser >= MAX_CONNECTIONS_PER_UID) return refuse(credentials, `more than ${MAX_CONNECTIONS_PER_UID} connections of uid ${uid}`);
  }
  connections.set(socket, credentials);
  socket.on('close', () => connections.delete(socket));
  return { role: options.role, credentials };
}

function serveConnection(socket: Socket, peer: Peer, subscribers: Set<Socket>, options: ServerOptions): void {
  const refuse = (reason: string): void => {
    if (!socket.destroyed) options.onRefused({ peer, reason });
    socket.destroy();
  };
  const takeToken = tokenBucket();
  const replies = replyInOrder(socket, peer, options);
  let deadline: NodeJS.Timeout | undefined;
  const reader = createFrameReader((value) => {
    // This frame is whole; the next one has a time of its own.
    clearTimeout(deadline);
    deadline = undefined;
    // What came in one chunk with something that was refused is not looked at.
    if (socket.destroyed) return undefined;
    if (!takeToken()) return refuse('too many requests');
    const parsed = RequestSchema.safeParse(value);
    if (!parsed.success) return refuse('unknown request');
    const request = parsed.data;
    if (!options.permitted.has(request.request)) return refuse(`request ${request.request} is not permitted here`);
    const isNewSubscriber = request.request === 'subscribe' && !subscribers.has(socket);
    if (isNewSubscriber) {
      subscribers.add(socket);
      socket.on('close', () => subscribers.delete(socket));
      socket.setTimeout(0);
    }
    replies.add(request, isNewSubscriber ? options.greeting : undefined);
    return undefined;
  });
  // One that waits for an answer is not idle; the answer begins its time anew.
  socket.on('timeout', () => void (replies.areOwed() || socket.destroy()));
  socket.setTimeout(options.idleMs ?? IDLE_MS);
  socket.on('close', () => clearTimeout(deadline));
  socket.on('data', (bytes: Buffer) => {
    const problem = reader.push(bytes);
    if (problem !== null) return refuse(`frame: ${problem}`);
    // From its first byte on: one that comes byte by byte gets no more time.
    if (reader.isPartial()) deadline ??= setTimeout(() => refuse('frame: too slow'), FRAME_DEADLINE_MS);
    return undefined;
  });
}

/** Replies keep the order of the requests. `greeting` gives what is told right after one. */
function replyInOrder(socket: Socket, peer: Peer, options: ServerOptions) {
  let queue: Promise<void> = Promise.resolve();
  let owed = 0;
  return {
    areOwed: () => owed > 0,
    add: (request: Request, greeting: ServerOptions['greeting']): void => {
      owed += 1;
      queue = queue.then(async () => {
        send(socket, await answerSafely(options, request, peer));
        owed -= 1;
        for (const event of greeting?.() ?? []) send(socket, event);
      });
    },
  };
}

async function answerSafely(options: ServerOptions, request: Request, peer: Peer): Promise<Reply> {
  try {
    return { ok: true, body: await options.answer(request, peer) };
  } catch (cause) {
    if (cause instanceof SentinelError) return { ok: false, error: { code: cause.code, message: cause.message } };
    return { ok: false, error: { code: 'internal.bug', message: messageOf(cause) } };
  }
}

function send(socket: Socket, message: unknown): void {
  if (socket.destroyed) return;
  try {
    socket.write(encodeFrame(message));
  } catch (cause) {
    socket.write(encodeFrame({ ok: false, error: { code: 'ipc.protocol', message: messageOf(cause) } } satisfies Reply));
  }
  if (socket.writableLength > MAX_UNSENT_BYTES) socket.destroy();
}

function tokenBucket(): () => boolean {
  let tokens = REQUEST_BURST;
  let lastMs = performance.now();
  return () => {
    const nowMs = performance.now();
    tokens = Math.min(REQUEST_BURST, tokens + ((nowMs - lastMs) * REQUESTS_PER_SECOND) / 1000);
    lastMs = nowMs;
    tokens -= 1;
    return tokens >= 0;
  };
}

/** The descriptor under a socket. Node has no public way to it. */
function descriptorOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  if (typeof fd !== 'number' || fd < 0) throw new Error('socket has no descriptor');
  return fd;
}

/** Removes a socket nobody listens on, and nothing else: not a file, not one of another user, not a live one. */
async function clearStaleSocket(path: string): Promise<void> {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return;
  if (!status.isSocket() || status.uid !== process.getuid?.()) {
    throw new SentinelError('state.unusable', {
      message: `${path} is in the way: not a socket of this user`,
      hint: 'remove it and start again',
    });
  }
  const outcome = await new Promise<string>((resolve) => {
    const probe = connect(path);
    probe.on('connect', () => {
      probe.destroy();
      resolve('alive');
    });
    probe.on('error', (cause) => resolve(errnoOf(cause) ?? 'unknown'));
  });
  // EAGAIN: so many are waiting to be accepted that no more can.
  if (outcome === 'alive' || outcome === 'EAGAIN')
    throw new SentinelError('state.held', { message: `${path}: another server listens there`, hint: 'stop it first' });
  if (outcome === 'ECONNREFUSED') removeStale(path);
}

function removeStale(path: string): void {
  try {
    unlinkSync(path);
  } catch (cause) {
    throw new SentinelError('state.unusable', {
      message: `${path} is left over from a server that is gone, and cannot be removed: ${messageOf(cause)}`,
      hint: 'make its directory writable for its owner, and its file system if that is read-only',
      cause,
    });
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const before = process.umask(0o117);
    const fail = (cause: Error): void =>
      reject(
        new SentinelError('state.unusable', {
          message: `${path}: cannot listen: ${messageOf(cause)}`,
          hint: 'check the owner and mode of its directory',
          cause,
        }),
      );
    server.once('error', fail);
    server.listen(path, () => {
      server.off('error', fail);
      resolve();
    });
    // libuv binds within listen(), so the mask need not stay longer.
    process.umask(before);
  });
}
