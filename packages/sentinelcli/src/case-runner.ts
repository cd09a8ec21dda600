/**
 * Runs rule cases in the sandbox. Its databases are named once, when it starts, and starting one costs more than a
 * case does; so each case's database is written over the one before, in a file that nothing reads between two cases.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecuteCase } from '@sentineld/detection/rules/case';
import type { ExecutorClient } from '@sentineld/detection/sql/executor-client';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { startSandbox } from './sandbox.ts';

export type CaseRunner = { readonly execute: ExecuteCase; readonly close: () => Promise<void> };

const DEADLINE_MS = 30_000;

/** Offsets in the header of a database file (https://sqlite.org/fileformat.html, 1.3). */
const CHANGE_COUNTER_AT = 24;
const VERSION_VALID_FOR_AT = 92;

export function startCaseRunner(): CaseRunner {
  const home = mkdtempSync(join(tmpdir(), 'sentineld-cases-'));
  const place = join(home, 'events.db');
  let client: ExecutorClient | null = null;
  let written = 0;
  return {
    execute: async (databasePath, sql, parameters) => {
      written += 1;
      writeFileSync(place, withChangeCounter(readFileSync(databasePath), written), { mode: 0o600 });
      client ??= startSandbox({ databases: [{ schema: 'main', path: place }], schema: EVENTS_SCHEMA, deadlineMs: DEADLINE_MS });
      return client.run({ sql, parameters });
    },
    close: async () => {
      await client?.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** SQLite keeps pages of a file as long as its change counter stays the same; every database here is made anew. */
function withChangeCounter(database: Buffer, counter: number): Buffer {
  database.writeUInt32BE(counter, CHANGE_COUNTER_AT);
  database.writeUInt32BE(counter, VERSION_VALID_FOR_AT);
  return database;
}
