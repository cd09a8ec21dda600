/**
 * Brings a database to the newest schema that this program knows: forward only, one transaction per step, so
 * that an interrupted upgrade goes on where it stopped. The number of the last step is PRAGMA user_version.
 */
import { randomBytes } from 'node:crypto';
import { SentinelError } from '@sentineld/model/error';
import type Database from 'better-sqlite3';
import { SYSTEM_METADATA_SQL, writeMetadata } from './system-metadata.ts';

/** One step. Versions count from 1 without gaps; a step that was released is never changed. */
export type Migration = {
  readonly version: number;
  readonly name: string;
  /** SQL statements; without BEGIN, COMMIT or pragmas. */
  readonly up: string;
};

/**
 * Runs the steps that the file lacks. A new file also gets system_metadata and a random store_generation.
 * Foreign keys must be off on the connection; each step checks them before it commits.
 * @throws SentinelError store.too_new, store.corrupt (a database that is not ours); what SQLite throws as it is.
 */
export function migrate(db: Database.Database, migrations: readonly Migration[], nowMs: number): void {
  requireDense(migrations);
  refuseNewer(db, migrations);
  const version = userVersion(db);
  if (version === 0) refuseForeignFile(db);
  for (const migration of migrations.slice(version)) step(db, migration, nowMs);
}

/** To be asked before anything is set on the connection: a file of a newer release is left as it is. Throws store.too_new. */
export function refuseNewer(db: Database.Database, migrations: readonly Migration[]): void {
  const version = userVersion(db);
  if (version > migrations.length) {
    throw new SentinelError('store.too_new', {
      message: `${db.name} has schema version ${version}; this program knows ${migrations.length}.`,
      hint: 'Install the release of SentinelD that wrote it, or a newer one; the schema is never taken back.',
      context: { path: db.name, found: version, known: migrations.length },
    });
  }
}

function step(db: Database.Database, migration: Migration, nowMs: number): void {
  const run = db.transaction(() => {
    if (migration.version === 1) {
      db.exec(SYSTEM_METADATA_SQL);
      writeMetadata(db, 'store_generation', randomBytes(16).toString('hex'), nowMs);
    }
    db.exec(migration.up);
    const dangling = db.prepare<[], { table: string }>('PRAGMA foreign_key_check').get();
    if (dangling !== undefined) {
      throw new SentinelError('store.corrupt', {
        message: `Migration ${migration.version} (${migration.name}) of ${db.name} leaves a row of ${dangling.table} without its parent.`,
        hint: 'Nothing was changed. Restore the file from a backup, or move it away to start a new one.',
        context: { path: db.name, migration: migration.version },
      });
    }
    db.pragma(`user_version = ${migration.version}`);
    writeMetadata(db, 'schema_version', String(migration.version), nowMs);
  });
  run.immediate();
}

function userVersion(db: Database.Database): number {
  return Number(db.pragma('user_version', { simple: true }));
}

function refuseForeignFile(db: Database.Database): void {
  const found = db.prepare<[], { name: string }>('SELECT name FROM sqlite_schema LIMIT 1').get();
  if (found === undefined) return;
  throw new SentinelError('store.corrupt', {
    message: `${db.name} is a database of something else: it has the table ${found.name} and no schema version.`,
    hint: 'Move the file away.',
    context: { path: db.name },
  });
}

function requireDense(migrations: readonly Migration[]): void {
  migrations.forEach((migration, index) => {
    if (migration.version !== index + 1) {
      throw new SentinelError('internal.bug', {
        message: `Migration '${migration.name}' has version ${migration.version}, not ${index + 1}.`,
      });
    }
  });
}
