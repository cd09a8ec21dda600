import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { locateCorpora, missingFiles } from '../corpora.ts';
import { PROGRAMS_DIRECTORY } from '../programs.ts';
import type { CaseResult } from '../suite.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { createCorpusDatabase } from './corpus-database.ts';
import { sqlSuite } from './sql-suite.ts';
import { startWatchedExecutor } from './watched-executor.ts';

const corpora = locateCorpora(undefined);
const isBuilt = existsSync(join(PROGRAMS_DIRECTORY, 'executor.js'));
const hasCorpus = missingFiles(corpora, sqlSuite.needs).length === 0;
if (!isBuilt) console.log(`SKIPPED: no programs in ${PROGRAMS_DIRECTORY}; run pnpm build`);
if (!hasCorpus) console.log(`SKIPPED: no SQL corpus at ${corpora}; set SENTINELD_CORPORA`);

const OWN_SCHEMA = `CREATE TABLE processes (pid INTEGER, name TEXT);
  CREATE TABLE secrets (k TEXT, v TEXT);
  CREATE VIEW leak AS SELECT v AS name FROM secrets;
  INSERT INTO processes VALUES (1, 'init');
  INSERT INTO secrets VALUES ('word', 'open sesame');`;

async function collect(results: AsyncIterable<CaseResult> | Iterable<CaseResult>): Promise<Map<string, string | undefined>> {
  const problems = new Map<string, string | undefined>();
  for await (const { id, problem } of results) problems.set(id, problem);
  return problems;
}

/** A corpus of its own, in the form of the published one. */
const OWN_CORPUS = {
  'detection.json': [
    { id: 'good', sql: 'SELECT pid FROM processes WHERE name = :name', params: { name: 'init' } },
    { id: 'by-number', sql: 'SELECT pid FROM processes WHERE name = ?1', params: ['init'] },
    { id: 'secret', sql: 'SELECT v FROM secrets' },
    { id: 'view', sql: 'SELECT name FROM leak' },
    { id: 'column', sql: 'SELECT no_such_column FROM processes' },
    { id: 'value', sql: 'SELECT pid FROM processes WHERE name = :name' },
  ],
  'attacks.json': [
    { id: 'stopped', sql: "VACUUM INTO '@TMP@/copy.db'", expectation: 'reject' },
    { id: 'ran', sql: 'SELECT 1', expectation: 'reject' },
  ],
  'attacks-published.json': [
    { id: 'harmless', sql: 'SELECT 1', expect: 'reject-or-harmless' },
    { id: 'bounded', sql: 'SELECT 1', expect: 'reject-or-bounded' },
    { id: 'new-word', sql: 'SELECT 1', expect: 'some-new-word' },
    { id: 'no-word', sql: 'SELECT 1' },
  ],
};

describe.skipIf(!isBuilt)(`the SQL suite with cases of its own${isBuilt ? '' : ' (needs pnpm build)'}`, () => {
  const own = temporaryDirectory('conformance-own');
  beforeAll(() => {
    mkdirSync(join(own.path, 'sql'));
    writeFileSync(join(own.path, 'sql/schema.sql'), OWN_SCHEMA);
    for (const [file, entries] of Object.entries(OWN_CORPUS)) writeFileSync(join(own.path, 'sql', file), JSON.stringify(entries));
  });
  afterAll(() => own[Symbol.dispose]());

  it('sees queries that are refused, and attacks that run', async () => {
    const problems = await collect(sqlSuite.run({ corpora: own.path, programs: PROGRAMS_DIRECTORY }));
    const passed = [...problems].filter(([, problem]) => problem === undefined).map(([id]) => id);
    expect(passed).toEqual(['good', 'by-number', 'stopped', 'harmless', 'bounded']);
    expect(problems.get('secret')).toMatch(/^the validator refuses it: table: /);
    expect(problems.get('view')).toMatch(/^the validator refuses it: table: /);
    expect(problems.get('column')).toMatch(/^it cannot be prepared: column: /);
    expect(problems.get('value')).toMatch(/^it does not run: refused: parameter: /);
    const ran = 'it ran and gave 1 rows, it has to be refused';
    expect(['ran', 'new-word', 'no-word'].map((id) => problems.get(id))).toEqual([ran, ran, ran]);
  });

  it('measures time and memory of what runs, and goes on after it was ended', async () => {
    using scratch = temporaryDirectory('conformance-scratch');
    using home = temporaryDirectory('conformance-sql');
    const database = createCorpusDatabase(own.path, home.path);
    const executor = await startWatchedExecutor({ programs: PROGRAMS_DIRECTORY, database, scratch: scratch.path, home: home.path });
    try {
      const sql = `SELECT a.name || b.name || hex(a.name) AS n FROM process_snapshots a, process_snapshots b ORDER BY n DESC LIMIT 1 OFFSET 80000`;
      const sorted = await executor.observe({ sql });
      expect(sorted).toMatchObject({ outcome: { outcome: 'ok' }, newFiles: [], wentOn: true });
      expect(sorted.grownBytes).toBeGreaterThan(1024 * 1024);
      const ended = await executor.observe({ sql, deadlineMs: 1 });
      expect(ended).toMatchObject({ outcome: { outcome: 'timeout' }, wentOn: true });
    } finally {
      await executor.close();
      database.close();
    }
  });

  it('says so where there are no programs', async () => {
    await expect(collect(sqlSuite.run({ corpora: own.path, programs: own.path }))).rejects.toThrow(/spawner\.js is missing/);
  });
});

describe.skipIf(!isBuilt || !hasCorpus)(
  `the SQL suite with the corpus${isBuilt && hasCorpus ? '' : ' (needs pnpm build and the corpora)'}`,
  () => {
    // Less than two seconds: nothing is gained by a sample.
    // Attacks are held to a wall-clock time: on a machine that is busy for a moment they get another chance.
    it('passes', { retry: 2 }, async () => {
      const problems = await collect(sqlSuite.run({ corpora, programs: PROGRAMS_DIRECTORY }));
      expect([...problems].filter(([, problem]) => problem !== undefined)).toEqual([]);
      expect(problems.size).toBeGreaterThanOrEqual(37 + 56 + 88);
    });
  },
);
