/**
 * Statements that nobody here wrote: those that have to run, and attacks that have to be refused or bounded. The corpus
 * is not part of the project; SENTINELD_CORPORA says where it is.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import type { RuleOutcome } from '@sentineld/model/rule';
import type { ReadableSchema, ReadableTable } from '@sentineld/model/schema';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExecutorClient } from './executor-client.ts';
import { startTestExecutor } from './fixtures/databases.ts';
import { validateSql } from './validate.ts';
import { ownMemoryBytes } from './watchdog.ts';

type Entry = { readonly id: string; readonly sql: string; readonly params?: Record<string, string | number> | (string | number)[] };

const corpora = process.env['SENTINELD_CORPORA'] ?? fileURLToPath(new URL('../../../../../shared/corpora', import.meta.url));
const isThere = existsSync(join(corpora, 'sql/schema.sql'));
if (!isThere) console.log(`SKIPPED: no SQL corpus at ${corpora}; set SENTINELD_CORPORA`);

const read = (name: string): readonly Entry[] => (isThere ? (JSON.parse(readFileSync(join(corpora, 'sql', name), 'utf8')) as Entry[]) : []);
const DEADLINE_MS = 2_000;
const MEMORY_BYTES = 64 * 1024 * 1024;
const SECRET = 'deadbeef';

describe.skipIf(!isThere)('SQL corpus', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'sentineld-corpus-'));
  const home = mkdtempSync(join(tmpdir(), 'sentineld-corpus-db-'));
  let schema: ReadableSchema;
  let writer: DatabaseSync;
  let client: ExecutorClient;
  let executorPid = 0;

  beforeAll(async () => {
    writer = new DatabaseSync(join(home, 'corpus.db'));
    writer.exec(`PRAGMA journal_mode = WAL; ${readFileSync(join(corpora, 'sql/schema.sql'), 'utf8')}`);
    const tables = tablesOf(writer);
    // The published attacks speak of the product's tables too: they have to be there, or nothing would be tested.
    for (const { name, columns } of EVENTS_SCHEMA.tables.filter((table) => tables.every((known) => known.name !== table.name))) {
      writer.exec(`CREATE TABLE ${name}(${columns.map((column) => `${column.name} ${column.type}`).join(', ')})`);
    }
    writer.exec(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO process_snapshots(pid, ppid, name) SELECT i, i / 2, 'name' || i FROM n",
    );
    schema = { tables: tablesOf(writer), hiddenTables: [] };
    client = startTestExecutor({
      databases: [{ schema: 'main', path: join(home, 'corpus.db') }],
      schema,
      allowedParameters: 'any',
      limits: { deadlineMs: DEADLINE_MS, memoryBytes: MEMORY_BYTES },
      onEvent: (event) => {
        if (event.kind === 'executor_ready') executorPid = event.ready.pid;
      },
    });
    await client.ready;
  });
  afterAll(async () => {
    await client.close();
    writer.close();
    for (const directory of [scratch, home]) rmSync(directory, { recursive: true });
  });

  it('accepts and runs every detection query', async () => {
    const refused: unknown[] = [];
    for (const { id, sql, params = {} } of read('detection.json')) {
      if (!validateSql(sql, { schema, parameters: 'any' }).ok) refused.push([id, 'validator']);
      const outcome = await client.run({ sql, parameters: params });
      if (outcome.outcome !== 'ok') refused.push([id, outcome]);
    }
    console.log(`detection.json: ${read('detection.json').length - refused.length} of ${read('detection.json').length} ran`);
    expect(refused).toEqual([]);
  });

  it.each(['attacks.json', 'attacks-published.json'])('refuses or bounds every statement of %s', async (name) => {
    const wrong: unknown[] = [];
    const counts: Record<string, number> = {};
    for (const { id, sql } of read(name)) {
      const baseline = ownMemoryBytes(executorPid);
      let peak = baseline;
      const sampling = setInterval(() => (peak = Math.max(peak, ownMemoryBytes(executorPid))), 5);
      const startedAt = performance.now();
      const outcome = await client.run({ sql: sql.replaceAll('@TMP@', scratch) });
      clearInterval(sampling);
      counts[outcome.outcome] = (counts[outcome.outcome] ?? 0) + 1;
      const isBounded = performance.now() - startedAt < DEADLINE_MS + 500 && peak - baseline <= MEMORY_BYTES;
      if (!isBounded || JSON.stringify(outcome).includes(SECRET) || isLeak(outcome)) wrong.push([id, outcome, peak - baseline]);
    }
    console.log(`${name}: ${read(name).length - wrong.length} of ${read(name).length} stopped or bounded: ${JSON.stringify(counts)}`);
    expect(wrong).toEqual([]);
    expect(readdirSync(scratch)).toEqual([]);
    expect(readdirSync(home).toSorted()).toEqual(['corpus.db', 'corpus.db-shm', 'corpus.db-wal']);
  });
});

/** What a statement of the schema's disclosure would return. */
function isLeak(outcome: RuleOutcome): boolean {
  return outcome.outcome === 'ok' && /CREATE TABLE|sqlite_|corpus\.db/i.test(JSON.stringify(outcome.rows));
}

/** Every table but the secret one, with its columns, as SQLite knows them. */
function tablesOf(database: DatabaseSync): readonly ReadableTable[] {
  const rows = database
    .prepare(
      "SELECT t.name AS name, group_concat(c.name) AS columns FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name <> 'secrets' GROUP BY t.name",
    )
    .all();
  return rows.map(({ name, columns }) => ({
    name: String(name),
    description: '',
    columns: String(columns)
      .split(',')
      .map((column) => ({ name: column, type: 'TEXT', description: '' })),
  }));
}
