/**
 * The files of a reader, before any is opened: what is missing is said better here than by SQLite.
 */
import { statSync } from 'node:fs';
import { errnoOf, SentinelError } from '@sentineld/model/error';
import { isLogAlone } from './missing-pages.ts';
import { logAloneError, unreadableError } from './reader-errors.ts';

export type ReaderDatabase = { readonly schema: string; readonly path: string };

/** Gives the first, which is `main`. Throws `store.missing` or `store.unreadable`. */
export function requireFiles(databases: readonly ReaderDatabase[]): ReaderDatabase {
  const [main] = databases;
  if (main === undefined || main.schema !== 'main') {
    throw new SentinelError('internal.bug', { message: 'The first database of a reader is named main.' });
  }
  for (const { path } of databases) {
    try {
      statSync(path);
    } catch (cause) {
      if (errnoOf(cause) === 'ENOENT') {
        throw new SentinelError('store.missing', {
          message: `There is no database at ${path}`,
          hint: 'Its writer has not run yet, or the state directory is another one.',
          cause,
          context: { path },
        });
      }
      throw unreadableError(cause, path);
    }
    if (isLogAlone(path)) throw logAloneError(path);
  }
  return main;
}
