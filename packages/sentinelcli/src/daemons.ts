/**
 * Asking the two daemons over their sockets. That one is not running, or does not talk to this user, is an ordinary
 * answer here, not an error: an operator asks because something may be wrong.
 */
import { SentinelError } from '@sentineld/model/error';
import type { Request } from '@sentineld/model/request';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { askOnce } from '@sentineld/runtime/ipc/client';
import { isRecord } from './fields.ts';

export type Daemon = 'procmond' | 'sentinelagent';

export type Asked =
  | { readonly reached: true; readonly body: Readonly<Record<string, unknown>> }
  /** 'absent': nobody listens; 'denied': this user may not ask; 'failed': it listens and gave no good answer. */
  | { readonly reached: false; readonly why: Unreached; readonly message: string };

export type Unreached = 'absent' | 'denied' | 'failed';

const PATIENCE_MS = 3000;

/** Asks one question. Throws nothing. */
export async function askDaemon(daemon: Daemon, paths: StatePaths, request: Request): Promise<Asked> {
  const path = daemon === 'procmond' ? paths.procmondSocket : paths.agentSocket;
  try {
    const body = await askOnce(path, request, PATIENCE_MS);
    if (isRecord(body)) return { reached: true, body };
    return { reached: false, why: 'failed', message: `${daemon} gave an answer that is none` };
  } catch (cause) {
    if (!(cause instanceof SentinelError)) throw cause;
    const errno = cause.context['errno'];
    const why =
      errno === 'ENOENT' || errno === 'ECONNREFUSED' || errno === 'ENOTDIR'
        ? 'absent'
        : errno === 'EACCES' || errno === 'EPERM'
          ? 'denied'
          : 'failed';
    return { reached: false, why, message: messageOf(why, path, cause) };
  }
}

function messageOf(why: Unreached, path: string, cause: SentinelError): string {
  if (why === 'absent') return `nobody listens on ${path}`;
  return why === 'denied' ? `this user may not ask on ${path}` : cause.message;
}
