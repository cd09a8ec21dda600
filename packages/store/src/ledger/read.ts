/**
 * Reads a ledger through node:sqlite, for readers only: a process that loads this module must not load better-sqlite3
 * (docs/adr/0002-storage.md).
 */
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { SentinelError, messageOf } from '@sentineld/model/error';
import { isLogAlone } from '../missing-pages.ts';
import { logAloneError } from '../reader-errors.ts';
import { LEDGER_MIGRATIONS } from './migrations.ts';

export { checkpointOfEpoch, checkpointUpTo, readBody, readCheckpoints, readSeal, type StoredCheckpoint } from './read-rows.ts';
export { readEntries } from './read-entries.ts';
export type { PageChecker } from './read-pages.ts';
export { verifyLedgerFile, type VerifyFileOptions } from './read-verify.ts';

/**
 * Opens ledger.db read-only.
 * @throws SentinelError store.missing, store.unreadable, store.corrupt, store.too_new
 */
export function openLedger(path: string): DatabaseSync {
  if (!existsSync(path)) {
    throw new SentinelError('store.missing', {
      message: `There is no ledger at ${path}, or its directory may not be entered.`,
      hint: "procmond makes it at its first start; reading it needs the auditors' group.",
    });
  }
  if (isLogAlone(path)) throw logAloneError(path);
  const db = openReadOnly(path);
  try {
    refuseNewer(db, path);
  } catch (thrown) {
    db.close();
    throw thrown;
  }
  return db;
}

/** No column that a ledger has comes near it; a file that somebody else made must not fill the memory. */
const MAX_VALUE_BYTES = 8 * 1024 * 1024;

/** A ledger is read from one end to the other, and what fits the processor's own memory is read faster: a tenth of a verification. */
const CACHE_KIB = 200;

function openReadOnly(path: string): DatabaseSync {
  try {
    const db = new DatabaseSync(path, { readOnly: true, timeout: 2_000 });
    db.limits.length = MAX_VALUE_BYTES;
    db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
    return db;
  } catch (thrown) {
    throw new SentinelError('store.unreadable', {
      message: `${path} cannot be read: ${messageOf(thrown)}.`,
      hint: "Reading needs the auditors' group; of a copy, also the -wal file.",
      cause: thrown,
    });
  }
}

function refuseNewer(db: DatabaseSync, path: string): void {
  const version = db.prepare('PRAGMA user_version').get()?.['user_version'];
  if (typeof version !== 'number' || version <= LEDGER_MIGRATIONS.length) return;
  throw new SentinelError('store.too_new', {
    message: `${path} has schema version ${version}; this program knows ${LEDGER_MIGRATIONS.length}.`,
    hint: 'Use the release of SentinelD that wrote it, or a newer one.',
    context: { path, found: version, known: LEDGER_MIGRATIONS.length },
  });
}
