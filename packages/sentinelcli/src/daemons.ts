/**
 * Asking the two daemons over their sockets. That one is not running, or does not talk to this user, is an ordinary
 * answer here, not an error: an operator asks because something may be wrong.
 */
import { SentinelError, messageOf as textOf } from '@sentineld/model/error';
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
    const why = unreachedBy(cause);
    return { reached: false, why, message: messageOf(why, path, cause) };
  }
}

/** What reads an answer: a schema of model/reply. */
export type AnswerSchema<Body> = {
  readonly safeParse: (value: unknown) => { readonly success: true; readonly data: Body } | { readonly success: false };
};

/**
 * Has procmond do what only a running procmond can do, and gives its answer. Throws 'ipc.*' where nobody does it, and what
 * procmond says where it refuses.
 */
export async function requireProcmond<Body>(
  paths: StatePaths,
  request: Request,
  schema: AnswerSchema<Body>,
  patienceMs: number = PATIENCE_MS,
): Promise<Body> {
  const path = paths.procmondSocket;
  let answer: unknown;
  try {
    answer = await askOnce(path, request, patienceMs);
  } catch (cause) {
    throw cause instanceof SentinelError ? demandError(cause, path) : cause;
  }
  const read = schema.safeParse(answer);
  if (read.success) return read.data;
  throw new SentinelError('ipc.protocol', { message: `procmond answered ${request.request} in a form that is not known` });
}

function demandError(cause: SentinelError, path: string): SentinelError {
  if (cause.code === 'ipc.refused') {
    const said = cause.context['code'];
    // What is wrong with the request itself is the asker's to mend; everything else is between procmond and its host.
    const hint = said === 'ledger.input' ? 'docs/ledger-format.md has the forms' : 'sentinelcli health says what state it is in';
    const refusal = said === 'ipc.refused' ? { hint: 'ask as root, or as the user that procmond runs as' } : { hint };
    return new SentinelError(said === 'ledger.input' ? 'ledger.input' : 'ipc.refused', {
      message: 'procmond refuses it',
      why: textOf(cause),
      ...refusal,
      context: cause.context,
    });
  }
  const why = unreachedBy(cause);
  if (why === 'failed') return cause;
  return new SentinelError('ipc.unreachable', {
    message: why === 'absent' ? 'procmond does not run here' : 'this user may not ask procmond',
    why: messageOf(why, path, cause),
    hint:
      why === 'absent'
        ? 'start it (from a checkout: npx -y pnpm@12.21.0 start), or give --state-dir DIR'
        : 'ask as root, or as one of its operators',
    context: cause.context,
  });
}

function unreachedBy(cause: SentinelError): Unreached {
  const errno = cause.context['errno'];
  if (errno === 'ENOENT' || errno === 'ECONNREFUSED' || errno === 'ENOTDIR') return 'absent';
  return errno === 'EACCES' || errno === 'EPERM' ? 'denied' : 'failed';
}

function messageOf(why: Unreached, path: string, cause: SentinelError): string {
  if (why === 'absent') return `nobody listens on ${path}`;
  return why === 'denied' ? `this user may not ask on ${path}` : cause.message;
}
