/**
 * Runs rule cases in the sandbox. Its databases are named once, when it starts; so each case's database is put in the
 * place that was named, and the executor, seeing another file there, is replaced by a fresh one.
 */
import { mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecuteCase } from '@sentineld/detection/rules/case';
import type { ExecutorClient } from '@sentineld/detection/sql/executor-client';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { startSandbox } from './sandbox.ts';

export type CaseRunner = { readonly execute: ExecuteCase; readonly close: () => Promise<void> };

const DEADLINE_MS = 30_000;
/** The time of the scan that rows of a case belong to, and the parameters that go with it. */
const SCAN_TIME_MS = 1_767_225_600_000;
const PARAMETERS = { now: SCAN_TIME_MS, since: SCAN_TIME_MS - 30_000, scan_id: 1 } as const;

export function startCaseRunner(): CaseRunner {
  const home = mkdtempSync(join(tmpdir(), 'sentineld-cases-'));
  const place = join(home, 'events.db');
  let client: ExecutorClient | null = null;
  return {
    execute: async (databasePath, sql) => {
      const draft = join(home, 'next');
      symlinkSync(databasePath, draft);
      renameSync(draft, place);
      client ??= startSandbox({ databases: [{ schema: 'main', path: place }], schema: EVENTS_SCHEMA, deadlineMs: DEADLINE_MS });
      return client.run({ sql, parameters: PARAMETERS });
    },
    close: async () => {
      await client?.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
