/**
 * Errors of SQLite as errors of the product: a fault of the store, or of the statement. Result codes are from
 * https://sqlite.org/rescode.html; the low byte of an extended code is the primary one.
 */
import { errnoOf, messageOf, SentinelError } from '@sentineld/model/error';
import type { ReadAccess } from './reader-authorizer.ts';

const SQLITE_PERM = 3;
const SQLITE_NOMEM = 7;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

/** What went wrong while opening the database at `path`. */
export function storeError(cause: unknown, path: string): SentinelError {
  if (cause instanceof SentinelError) return cause;
  return environmentError(cause, path) ?? unreadableError(cause, path);
}

/** What went wrong with a statement; `denied` is what the authorizer refused, if anything. */
export function queryError(cause: unknown, denied: ReadAccess | undefined, path: string): SentinelError {
  if (cause instanceof SentinelError) return cause;
  if (denied !== undefined) {
    return new SentinelError('query.refused', {
      message: `The statement may not ${denied.description}`,
      hint: 'Read the documented tables and columns only.',
      cause,
      context: { ...denied },
    });
  }
  // SQLite's errors and node:sqlite's own have a code: what has none was thrown by the authorizer, which is ours.
  if (errnoOf(cause) === undefined) return new SentinelError('internal.bug', { message: messageOf(cause), cause });
  const isOutOfMemory = primaryCode(cause) === SQLITE_NOMEM;
  return (
    environmentError(cause, path) ?? new SentinelError('query.failed', { message: messageOf(cause), cause, context: { isOutOfMemory } })
  );
}

export function unreadableError(cause: unknown, path: string): SentinelError {
  return new SentinelError('store.unreadable', {
    message: `The database ${path} cannot be read: ${messageOf(cause)}`,
    hint: 'Either its writer is not running (a reader cannot start the WAL by itself), or this user is not in the group that may read it.',
    cause,
    context: { path },
  });
}

/** A file without content beside a log with some: opening it would delete the log. */
export function logAloneError(path: string): SentinelError {
  return new SentinelError('store.corrupt', {
    message: `The database ${path} is empty, and its log is not`,
    hint: 'It was not opened, which would delete the log. Restore it from a backup, or move it with its -wal and -shm away.',
    context: { path },
  });
}

/** A fault of the store itself, whatever the statement was; undefined where the statement may be at fault. */
function environmentError(cause: unknown, path: string): SentinelError | undefined {
  const code = primaryCode(cause);
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB) {
    const hint = 'Restore it from a backup, or move it away and let its writer start a new one.';
    return new SentinelError('store.corrupt', {
      message: `The database ${path} is damaged: ${messageOf(cause)}`,
      hint,
      cause,
      context: { path },
    });
  }
  const isUnreadable = code === SQLITE_CANTOPEN || code === SQLITE_READONLY || code === SQLITE_IOERR || code === SQLITE_PERM;
  return isUnreadable ? unreadableError(cause, path) : undefined;
}

function primaryCode(thrown: unknown): number | undefined {
  return typeof thrown === 'object' && thrown !== null && 'errcode' in thrown && typeof thrown.errcode === 'number'
    ? thrown.errcode & 0xff
    : undefined;
}
