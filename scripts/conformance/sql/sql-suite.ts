/**
 * The suite `sql`: detection queries that have to run, and attacks that have to be refused or bounded, through the
 * validator and the confined executor as they ship.
 */
import { validateSql } from '@sentineld/detection/sql/validate';
import type { SqlValue } from '@sentineld/model/rule';
import { readCorpus } from '../corpora.ts';
import { caseOf, type CaseResult, type Suite } from '../suite.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { CORPUS_SCHEMA_FILE, createCorpusDatabase, type CorpusDatabase } from './corpus-database.ts';
import { judgeAttack, type Attack } from './judge-attack.ts';
import { startWatchedExecutor, type WatchedExecutor } from './watched-executor.ts';

const DETECTION = 'sql/detection.json';
const ATTACKS = ['sql/attacks.json', 'sql/attacks-published.json'] as const;
/** What the corpus says of attacks that may run, within their bounds. Every other word means: refuse. */
const MAY_RUN: ReadonlySet<string | undefined> = new Set(['reject-or-bounded', 'reject-or-harmless', 'allow-or-reject']);
/** Where an attack names a file to write. */
const SCRATCH_WORD = '@TMP@';

type Query = {
  readonly id: string;
  readonly sql: string;
  readonly params?: Readonly<Record<string, SqlValue>> | readonly SqlValue[];
};
type AttackEntry = { readonly id: string; readonly sql: string; readonly expect?: string; readonly expectation?: string };
type SqlCases = { readonly queries: readonly Query[]; readonly attacks: readonly Attack[] };

export const sqlSuite: Suite = {
  name: 'sql',
  summary: 'queries that must run, attacks that must be refused or bounded',
  needs: [CORPUS_SCHEMA_FILE, DETECTION, ...ATTACKS],
  needsPrograms: true,
  run: ({ corpora, programs }) => runSqlCases(readSqlCases(corpora), corpora, programs),
};

function readSqlCases(corpora: string): SqlCases {
  const entries = ATTACKS.flatMap((file) => readCorpus(corpora, file) as readonly AttackEntry[]);
  return {
    queries: readCorpus(corpora, DETECTION) as readonly Query[],
    attacks: entries.map(({ id, sql, expect, expectation }) => ({ id, sql, mustBeRefused: !MAY_RUN.has(expect ?? expectation) })),
  };
}

async function* runSqlCases({ queries, attacks }: SqlCases, corpora: string, programs: string): AsyncGenerator<CaseResult> {
  using scratch = temporaryDirectory('conformance-scratch');
  using home = temporaryDirectory('conformance-sql');
  const database = createCorpusDatabase(corpora, home.path);
  const executor = await startWatchedExecutor({ programs, database, scratch: scratch.path, home: home.path });
  try {
    for (const query of queries) yield await tryQuery(query, executor, database);
    for (const attack of attacks)
      yield await tryAttack({ ...attack, sql: attack.sql.replaceAll(SCRATCH_WORD, scratch.path) }, executor, database);
  } finally {
    await executor.close();
    database.close();
  }
}

/** The validator alone, the executor's verdict, and the rows: a query has to pass all three. */
async function tryQuery({ id, sql, params = {} }: Query, executor: WatchedExecutor, { schema }: CorpusDatabase): Promise<CaseResult> {
  const verdict = validateSql(sql, { schema, parameters: 'any' });
  if (!verdict.ok) return caseOf(id, `the validator refuses it: ${verdict.refusal.code}: ${verdict.refusal.message}`);
  const validation = await executor.validate(sql);
  if (!validation.ok) return caseOf(id, `it cannot be prepared: ${validation.refusal.code}: ${validation.refusal.message}`);
  const outcome = await executor.run({ sql, parameters: params });
  if (outcome.outcome === 'ok') return caseOf(id, undefined, { outcome: 'ok', rows: outcome.rows.length, ms: outcome.durationMs });
  const why = outcome.outcome === 'refused' ? `${outcome.refusal.code}: ${outcome.refusal.message}` : outcome.message;
  return caseOf(id, `it does not run: ${outcome.outcome}: ${why}`);
}

async function tryAttack(attack: Attack, executor: WatchedExecutor, { secrets }: CorpusDatabase): Promise<CaseResult> {
  const observation = await executor.observe({ sql: attack.sql });
  const { outcome, wallMs, grownBytes } = observation;
  return caseOf(attack.id, judgeAttack(attack, observation, secrets), {
    outcome: outcome.outcome,
    ...(outcome.outcome === 'refused' ? { code: outcome.refusal.code } : {}),
    ms: Math.round(wallMs * 10) / 10,
    grownKiB: Math.round(grownBytes / 1024),
  });
}
