/**
 * Asking the two daemons over their sockets. That one is not running, or does not talk to this user, is an ordinary
 * answer here, not an error: an operator asks because something may be wrong.
 */
import { SentinelError } from '@sentineld/model/error';
import type { Request } from '@sentineld/model/request';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { askOnce } from '@sentineld/runtime/ipc/client';

export type Daemon = 'procmond' | 'sentinelagent';

export type Asked =
  | { readonly reached: true; readonly body: Readonly<Record<string, unknown>> }
  /** 'absent': nobody listens; 'denied': this user may not ask; 'failed': it listens and gave no good answer. */
  | { readonly reached: false; readonly why: 'absent' | 'denied' | 'failed'; readonly message: string };

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
    const why = errno === 'ENOENT' || errno === 'ECONNREFUSED' || errno === 'ENOTDIR' ? 'absent' : errno === 'EACCES' || errno === 'EPERM' ? 'denied' : 'failed';
    return { reached: false, why, message: why === 'absent' ? `${daemon} is not running (nobody listens on ${path})` : cause.message };
  }
}

/** Reads a field of an answer; answers come from another process and may be of another release. */
export function textField(body: Readonly<Record<string, unknown>>, name: string): string | null {
  const value = body[name];
  return typeof value === 'string' ? value : null;
}

export function numberField(body: Readonly<Record<string, unknown>>, name: string): number | null {
  const value = body[name];
  return typeof value === 'number' ? value : null;
}

export function recordField(body: Readonly<Record<string, unknown>>, name: string): Readonly<Record<string, unknown>> {
  const value = body[name];
  return isRecord(value) ? value : {};
}

export function listField(body: Readonly<Record<string, unknown>>, name: string): readonly unknown[] {
  const value = body[name];
  return Array.isArray(value) ? value : [];
}

export function textsField(body: Readonly<Record<string, unknown>>, name: string): readonly string[] {
  return listField(body, name).filter((value) => typeof value === 'string');
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
