/**
 * The one error class of the product, for bugs and broken environments. Ordinary outcomes (a process
 * that went away while it was read, a sink that refused) are returned as unions, never thrown.
 * Codes are stable and documented in docs/errors.md; messages are for people and may change. Every error
 * says three things, each in one line: what happened, why, and what to do.
 */
import { ADVICE_BY_CODE } from './advice.ts';

/** Every code that may be thrown, with the exit status the command line gives it. */
export const EXIT_STATUS_BY_CODE = {
  'usage.invalid': 2,
  'config.unreadable': 3,
  'config.invalid': 3,
  'state.held': 4,
  'state.unusable': 4,
  'store.missing': 4,
  'store.unreadable': 4,
  'store.too_new': 4,
  'store.pragma': 4,
  'store.corrupt': 4,
  'ledger.broken': 4,
  'ledger.input': 2,
  'query.refused': 2,
  'query.failed': 4,
  'privilege.refused': 4,
  'native.unavailable': 4,
  'source.unavailable': 4,
  'ipc.unreachable': 4,
  'ipc.refused': 4,
  'ipc.protocol': 4,
  'executor.failed': 4,
  'internal.bug': 70,
} as const;

export type ErrorCode = keyof typeof EXIT_STATUS_BY_CODE;

export type ErrorDetails = {
  /** What happened and where, in one line. */
  readonly message: string;
  /** Why, in one line; where it is left out, what holds for every error of the code. */
  readonly why?: string;
  /** What to do about it, in one line; where it is left out, what helps with every error of the code. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Values that help to find the place: file, line, key, pid, row. */
  readonly context?: Readonly<Record<string, unknown>>;
};

export class SentinelError extends Error {
  readonly code: ErrorCode;
  readonly why: string;
  readonly hint: string;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, details: ErrorDetails) {
    super(details.message, details.cause === undefined ? {} : { cause: details.cause });
    this.name = 'SentinelError';
    this.code = code;
    this.why = details.why ?? ADVICE_BY_CODE[code].why;
    this.hint = details.hint ?? ADVICE_BY_CODE[code].hint;
    this.context = details.context ?? {};
  }

  /** The exit status a program ends with when this error reaches its top. */
  get exitStatus(): number {
    return EXIT_STATUS_BY_CODE[this.code];
  }
}

/** The message of anything that was thrown, without its stack. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The errno name (ENOENT, EACCES, …) of a system error, or undefined. */
export function errnoOf(thrown: unknown): string | undefined {
  if (typeof thrown === 'object' && thrown !== null && 'code' in thrown && typeof thrown.code === 'string') {
    return thrown.code;
  }
  return undefined;
}

const REASON_BY_ERRNO: Readonly<Record<string, string>> = {
  EACCES: 'this user may not (permission denied)',
  EPERM: 'this user may not (operation not permitted)',
  ENOENT: 'there is no such file or directory',
  ENOTDIR: 'a part of the path is no directory',
  EEXIST: 'something else of that name is in the way',
  EISDIR: 'it is a directory, not a file',
  ELOOP: 'its symbolic links lead in a circle',
  ENAMETOOLONG: 'the path is too long',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of this user is used up',
  EMFILE: 'this process has too many open files',
};

/** Why a call to the system failed, without the path that the sentence around it names; other errors as they say themselves. */
export function reasonOf(thrown: unknown): string {
  const errno = errnoOf(thrown) ?? '';
  return Object.hasOwn(REASON_BY_ERRNO, errno) ? (REASON_BY_ERRNO[errno] ?? errno) : messageOf(thrown);
}
