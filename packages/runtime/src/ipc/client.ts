/**
 * The asking side of a Unix socket: one question, a connection kept for many, or a subscription.
 */
import { connect, type Socket } from 'node:net';
import { SentinelError, errnoOf, messageOf } from '@sentineld/model/error';
import type { Reply, Request } from '@sentineld/model/request';
import { createFrameReader, encodeFrame } from './frame.ts';

const DEFAULT_TIMEOUT_MS = 5000;

export type Connection = {
  /** Sends a request and waits for the body of its reply, to be read through a schema of model/reply. Throws 'ipc.unreachable' where the connection ends or time runs out, 'ipc.refused' where the daemon says no. */
  readonly ask: (request: Request, timeoutMs?: number) => Promise<unknown>;
  /** Settles when the connection has ended, with the reason. */
  readonly ended: Promise<string>;
  readonly close: () => void;
};

/** Opens a connection. `onEvent` gets what the daemon sends by itself after a subscription. Throws 'ipc.unreachable'. */
export async function openConnection(path: string, onEvent?: (event: unknown) => void): Promise<Connection> {
  const socket = await connected(path);
  const waiting: { readonly resolve: (reply: Reply) => void; readonly reject: (error: Error) => void }[] = [];
  let endReason = '';
  let reportEnd: (reason: string) => void = () => undefined;
  const ended = new Promise<string>((resolve) => {
    reportEnd = resolve;
  });
  const reader = createFrameReader((value) => {
    if (isReply(value)) waiting.shift()?.resolve(value);
    else onEvent?.(value);
  });
  socket.on('data', (bytes: Buffer) => {
    const problem = reader.push(bytes);
    if (problem === null) return;
    endReason = `frame: ${problem}`;
    socket.destroy();
  });
  socket.on('error', (cause) => {
    endReason = messageOf(cause);
  });
  socket.on('close', () => {
    if (endReason === '') endReason = 'the daemon closed the connection';
    for (const waiter of waiting.splice(0)) waiter.reject(unreachable(path, endReason));
    reportEnd(endReason);
  });
  const ask = async (request: Request, timeoutMs: number = DEFAULT_TIMEOUT_MS): Promise<unknown> => {
    const reply = await new Promise<Reply>((resolve, reject) => {
      if (socket.destroyed) return reject(unreachable(path, endReason === '' ? 'the connection was closed' : endReason));
      // First of all: a request that is too large must not leave a waiter for the reply to the next one.
      const frame = encodeFrame(request);
      const timer = setTimeout(() => {
        // A late reply would be taken for the answer to the next question.
        endReason = `no reply within ${timeoutMs} ms`;
        socket.destroy();
      }, timeoutMs);
      waiting.push({
        resolve: (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      socket.write(frame);
      return undefined;
    });
    if (!reply.ok) throw new SentinelError('ipc.refused', { message: reply.error.message, context: { code: reply.error.code, path } });
    return reply.body;
  };
  return { ask, ended, close: () => socket.destroy() };
}

/** Asks one question on a connection of its own. */
export async function askOnce(path: string, request: Request, timeoutMs?: number): Promise<unknown> {
  const connection = await openConnection(path);
  try {
    return await connection.ask(request, timeoutMs);
  } finally {
    connection.close();
  }
}

function connected(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (cause) => reject(unreachable(path, messageOf(cause), errnoOf(cause))));
  });
}

function unreachable(path: string, reason: string, errno?: string): SentinelError {
  const hint =
    errno === 'EACCES'
      ? 'join the operators group of this installation, or ask as its user'
      : 'is it running? "sentinelcli health" says what is';
  return new SentinelError('ipc.unreachable', { message: `${path}: ${reason}`, hint, context: { path, errno } });
}

function isReply(value: unknown): value is Reply {
  if (typeof value !== 'object' || value === null || !('ok' in value)) return false;
  return value.ok === true || (value.ok === false && 'error' in value && hasMessage(value.error));
}

function hasMessage(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'message' in error && typeof error.message === 'string';
}
