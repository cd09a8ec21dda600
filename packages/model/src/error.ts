/**
 * The one error class of the product, for bugs and broken environments. Ordinary outcomes (a process
 * that went away while it was read, a sink that refused) are returned as unions, never thrown.
 * Codes are stable and documented in docs/errors.md; messages are for people and may change.
 */

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
  'query.refused': 2,
  'query.failed': 4,
  'privilege.refused': 4,
  'native.unavailable': 4,
  'ipc.unreachable': 4,
  'ipc.refused': 4,
  'ipc.protocol': 4,
  'executor.failed': 4,
  'internal.bug': 70,
} as const;

export type ErrorCode = keyof typeof EXIT_STATUS_BY_CODE;

export type ErrorDetails = {
  /** What happened and where, in one sentence. */
  readonly message: string;
  /** What to do about it, in one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Values that help to find the place: file, line, key, pid, row. */
  readonly context?: Readonly<Record<string, unknown>>;
};

export class SentinelError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, details: ErrorDetails) {
    super(details.message, details.cause === undefined ? {} : { cause: details.cause });
    this.name = 'SentinelError';
    this.code = code;
    this.hint = details.hint;
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
