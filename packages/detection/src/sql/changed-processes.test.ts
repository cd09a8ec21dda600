import { DatabaseSync } from 'node:sqlite';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { createScratch, type Scratch } from '@sentineld/store/scratch';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { RunWork } from './protocol.ts';
import { openSession } from './session.ts';

let scratch: Scratch;
beforeEach(() => {
  scratch = createScratch({ schema: EVENTS_SCHEMA, rows: {} });
});
afterEach(() => scratch.close());

const run = (sql: string, changes: Partial<RunWork> = {}): RunWork => ({
  type: 'run',
  sql,
  allowedParameters: [],
  parameters: {},
  maxRows: 10,
  maxBytes: 10_000,
  enrich: false,
  ...changes,
});

it('lets no statement call the function that says since when', () => {
  const session = openSession({
    databases: [{ schema: 'main', path: scratch.path }],
    temporaryViews: [],
    schema: EVENTS_SCHEMA,
    maxSqlBytes: 16_384,
    readsChanges: true,
  });
  const answer = session.answer(run('SELECT changed_since() AS n', { changedSince: 1 }));
  expect(answer).toMatchObject({
    kind: 'outcome',
    outcome: { outcome: 'refused', refusal: { message: expect.stringContaining('changed_since') } },
  });
  // What is no view of the file's own layout cannot be read that way, and says so.
  expect(session.answer(run('SELECT pid FROM processes', { changedSince: 1 }))).toMatchObject({
    kind: 'outcome',
    outcome: { outcome: 'failed' },
  });
  expect(session.answer(run('SELECT pid FROM processes'))).toMatchObject({ outcome: { outcome: 'ok', rows: [] } });
  expect(new DatabaseSync(scratch.path).prepare('SELECT count(*) AS n FROM processes').get()).toEqual({ n: 0 });
});
