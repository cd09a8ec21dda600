/**
 * The other end of a daemon's socket, without the manners of the product's own client: bytes as they are, from whatever
 * user is wanted. The daemon learns that user from the kernel, so as root it is really taken on for the moment.
 */
import { connect, type Socket } from 'node:net';
import type { User } from './programs.ts';

export type Peer = {
  readonly send: (bytes: Buffer) => void;
  readonly socket: Socket;
  /** Settles when the connection is over, with what came until then. */
  readonly closed: Promise<Buffer>;
  readonly isClosed: () => boolean;
  readonly received: () => Buffer;
};

/** Connects as `user` where this process may; null where the daemon does not take the connection. */
export function connectPeer(path: string, user: User | null): Promise<Peer | null> {
  const socket = asUser(user, () => connect({ path, allowHalfOpen: true }));
  const chunks: Buffer[] = [];
  let over = false;
  const closed = new Promise<Buffer>((resolve) => {
    socket.on('close', () => {
      over = true;
      resolve(Buffer.concat(chunks));
    });
  });
  // The daemon's end of its side is the end for us too.
  socket.on('end', () => socket.destroy());
  socket.on('error', () => undefined);
  socket.on('data', (bytes: Buffer) => chunks.push(bytes));
  return new Promise((resolve) => {
    const peer: Peer = {
      send: (bytes) => void (over || socket.write(bytes)),
      socket,
      closed,
      isClosed: () => over,
      received: () => Buffer.concat(chunks),
    };
    socket.once('connect', () => resolve(peer));
    socket.once('close', () => resolve(null));
  });
}

/** SO_PEERCRED is taken when connect(2) is called, which for a Unix socket is within net.connect(). */
function asUser<Result>(user: User | null, work: () => Result): Result {
  if (user === null || process.getuid?.() !== 0) return work();
  process.setegid?.(user.gid);
  process.seteuid?.(user.uid);
  try {
    return work();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}

/** A frame as the product has them: u32 big-endian length and JSON. */
export function frameOf(value: unknown): Buffer {
  return rawFrame(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
}

export function rawFrame(body: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(body.length);
  return Buffer.concat([header, body]);
}
