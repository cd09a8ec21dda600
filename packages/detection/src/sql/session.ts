/**
 * What an executor does with a request: judge the statement, prepare it behind the authorizer, run it in one snapshot.
 * It trusts the request's frame, not its SQL. Nothing here bounds time or memory: the spawner does, from outside.
 */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { errnoOf, messageOf, SentinelError } from '@sentineld/model/error';
import type { Refusal, RuleOutcome } from '@sentineld/model/rule';
import { viewsAsOf, viewsOfChanges } from '@sentineld/store/events/as-of';
import { openReader, type CappedRows, type PreparedQuery, type Reader } from '@sentineld/store/reader';
import { processesInRows, readAffectedProcesses } from './enrich.ts';
import { AUTHORIZED_FUNCTIONS } from './functions.ts';
import { refusalOfSqlite } from './locate.ts';
import { bindingsOf } from './parameters.ts';
import { EVENTS_TABLE, refusal, TABLE_FUNCTIONS, type ParameterPolicy, type SqlPolicy } from './policy.ts';
import type { ExecutorAnswer, ExecutorSettings, ExecutorWork, RunWork } from './protocol.ts';
import { validateSql, type SqlVerdict } from './validate.ts';

export type Session = {
  /** 'open', or why the databases cannot be read. */
  readonly store: string;
  /** 'stale' where another executor has to try: the databases were replaced, or may be there by now. */
  readonly answer: (work: ExecutorWork) => ExecutorAnswer | 'stale';
};

/** Opened databases, with the identity of the files that they were opened from; or why they could not be. */
type Store =
  | { readonly reader: Reader; readonly changes: Changes | null; readonly identity: string }
  | { readonly failure: SentinelError; readonly atMs: number };

/** A second connection, whose `processes` has what changed after a scan alone: the views of the first need not be made anew for it. */
type Changes = { readonly readAfter: (scan: number) => Reader };

type Accepted = Pick<Extract<SqlVerdict, { ok: true }>, 'parameters' | 'tables' | 'scope'>;
type Judged = ({ readonly ok: true } & Accepted) | { readonly ok: false; readonly refusal: Refusal };

/** How long a failure to open is answered from memory: long enough for the executor that a retry has just started. */
const FAILURE_FRESH_MS = 1_000;
const MAX_JUDGED = 2_000;

export function openSession(settings: ExecutorSettings): Session {
  const store = openStore(settings);
  let shownScan = settings.asOfScan;
  const showScan = (reader: Reader, asOfScan: number | undefined): Reader => {
    if (asOfScan !== shownScan) reader.showViews(pastViews(asOfScan));
    shownScan = asOfScan;
    return reader;
  };
  const judged = new Map<string, Judged>();
  const judge = (sql: string, allowedParameters: ParameterPolicy): Judged => {
    const key = createHash('sha256')
      .update(JSON.stringify([sql, allowedParameters]))
      .digest('hex');
    const known = judged.get(key);
    if (known !== undefined) return known;
    const verdict = validateSql(sql, policyOf(settings, allowedParameters));
    // The tree is not kept: it is many times the size of the text.
    const { ok } = verdict;
    const result: Judged = ok ? { ok, parameters: verdict.parameters, tables: verdict.tables, scope: verdict.scope } : verdict;
    if (judged.size >= MAX_JUDGED) judged.clear();
    judged.set(key, result);
    return result;
  };
  const answer = (work: ExecutorWork): ExecutorAnswer | 'stale' => {
    const startedAt = performance.now();
    const verdict = judge(work.sql, work.allowedParameters);
    if (!verdict.ok) return refused(work, verdict.refusal, startedAt);
    if ('failure' in store) return performance.now() - store.atMs > FAILURE_FRESH_MS ? 'stale' : failed(work, store.failure, startedAt);
    if (identityOf(settings) !== store.identity) return 'stale';
    try {
      return work.type === 'validate'
        ? validated(store.reader, settings, work, verdict)
        : ran(readerFor(store, work, showScan, settings), settings, work, verdict, startedAt);
    } catch (thrown) {
      return failed(work, thrown, startedAt);
    }
  };
  return { store: 'failure' in store ? `${store.failure.code}: ${sentencesOf(store.failure)}` : 'open', answer };
}

function openStore(settings: ExecutorSettings): Store {
  try {
    const identity = identityOf(settings);
    const { databases, temporaryViews, schema, asOfScan } = settings;
    const reader = openReader({ databases, temporaryViews, schema, functions: AUTHORIZED_FUNCTIONS, tableFunctions: TABLE_FUNCTIONS });
    if (asOfScan !== undefined) reader.showViews(pastViews(asOfScan));
    return { identity, reader, changes: settings.readsChanges === true ? openChanges(settings) : null };
  } catch (thrown) {
    if (!(thrown instanceof SentinelError)) throw thrown;
    return { failure: thrown, atMs: performance.now() };
  }
}

function openChanges({ databases, schema }: ExecutorSettings): Changes {
  let since = 0;
  const reader = openReader({
    databases,
    temporaryViews: viewsOfChanges(),
    schema,
    functions: AUTHORIZED_FUNCTIONS,
    tableFunctions: TABLE_FUNCTIONS,
    changedSince: () => since,
  });
  return {
    readAfter: (scan) => {
      since = scan;
      return reader;
    },
  };
}

type ShowScan = (reader: Reader, asOfScan: number | undefined) => Reader;

function readerFor(
  { reader, changes }: Extract<Store, { reader: Reader }>,
  work: RunWork,
  showScan: ShowScan,
  settings: ExecutorSettings,
): Reader {
  if (work.changedSince !== undefined && changes !== null) return changes.readAfter(work.changedSince);
  return showScan(reader, work.asOfScan ?? settings.asOfScan);
}

/** Views that hide those of now. The number becomes a part of their text, so nothing but a whole number may be one. */
function pastViews(asOfScan: number | undefined): ExecutorSettings['temporaryViews'] {
  if (asOfScan === undefined) return [];
  if (Number.isSafeInteger(asOfScan) && asOfScan > 0) return viewsAsOf(asOfScan);
  throw new SentinelError('internal.bug', { message: 'The scan that statements are to see is no whole number above 0' });
}

/** Device and inode of every database: a writer that starts a new file leaves readers with the old one. */
function identityOf({ databases }: ExecutorSettings): string {
  return databases
    .map(({ path }) => {
      try {
        const { dev, ino } = statSync(path);
        return `${dev}:${ino}`;
      } catch (thrown) {
        return errnoOf(thrown) ?? 'unknown';
      }
    })
    .join(' ');
}

function policyOf({ schema, maxSqlBytes }: ExecutorSettings, parameters: ParameterPolicy): SqlPolicy {
  return { schema, parameters, bounds: { maxSqlBytes } };
}

function validated(reader: Reader, settings: ExecutorSettings, work: ExecutorWork, { tables, scope }: Accepted): ExecutorAnswer {
  const prepared = prepare(reader, settings, work);
  return {
    kind: 'validation',
    validation: 'code' in prepared ? { ok: false, refusal: prepared } : { ok: true, columns: prepared.columns, tables, scope },
  };
}

function ran(reader: Reader, settings: ExecutorSettings, work: RunWork, accepted: Accepted, startedAt: number): ExecutorAnswer {
  const bindings = bindingsOf(accepted.parameters, work.parameters);
  if (typeof bindings === 'string') return refused(work, refusal('parameter', `No value was given for ${bindings}.`, null), startedAt);
  const result = reader.transaction(() => {
    const prepared = prepare(reader, settings, work);
    return 'code' in prepared ? prepared : readSnapshot(reader, settings, work, accepted, prepared.rows(bindings, work));
  });
  if ('code' in result) return refused(work, result, startedAt);
  return outcome({ outcome: 'ok', ...result, durationMs: performance.now() - startedAt });
}

type Snapshot = Omit<Extract<RuleOutcome, { outcome: 'ok' }>, 'outcome' | 'durationMs'>;

/** What belongs to the rows, from the snapshot that they were read in. */
function readSnapshot(
  reader: Reader,
  { schema }: ExecutorSettings,
  { enrich }: RunWork,
  { tables }: Accepted,
  { rows, truncated }: CappedRows,
): Snapshot {
  const readsEvents = tables.includes(EVENTS_TABLE);
  const processes = !enrich ? [] : readsEvents ? processesInRows(rows) : readAffectedProcesses(reader, schema, rows);
  return { scanId: newestScan(reader, schema), rows, processes, truncated, eventSeq: readsEvents ? newestEvent(reader) : null };
}

/** By order and limit: the view joins other tables, and max() would read all of it. */
function newestEvent(reader: Reader): number | null {
  const seq = reader.internal(`SELECT seq FROM ${EVENTS_TABLE} ORDER BY seq DESC LIMIT 1`)[0]?.['seq'];
  return typeof seq === 'number' ? seq : null;
}

function newestScan(reader: Reader, { tables }: ExecutorSettings['schema']): number | null {
  if (!tables.some(({ name }) => name === 'scan_metadata')) return null;
  try {
    const id = reader.internal('SELECT max(id) AS id FROM scan_metadata')[0]?.['id'];
    return typeof id === 'number' ? id : null;
  } catch (thrown) {
    if (thrown instanceof SentinelError && thrown.code === 'query.failed') return null;
    throw thrown;
  }
}

/** Layer 4. A refusal where the statement is at fault; throws what is the store's fault. */
function prepare(reader: Reader, settings: ExecutorSettings, work: ExecutorWork): PreparedQuery | Refusal {
  try {
    return reader.prepare(work.sql);
  } catch (thrown) {
    if (!(thrown instanceof SentinelError)) throw thrown;
    if (thrown.code === 'query.refused') return refusal('authorizer', `${thrown.message}.`, null);
    if (thrown.code !== 'query.failed' || thrown.context['isOutOfMemory'] === true) throw thrown;
    // The validator has let through only tables of the schema: one that is not there is not there yet.
    if (thrown.message.startsWith('no such table: ')) {
      throw new SentinelError('store.missing', {
        message: `The databases have ${thrown.message}`,
        hint: 'Their writer has not set them up yet.',
        cause: thrown,
      });
    }
    const verdict = validateSql(work.sql, policyOf(settings, work.allowedParameters));
    return verdict.ok ? refusalOfSqlite(thrown.message, verdict.statement, policyOf(settings, work.allowedParameters)) : verdict.refusal;
  }
}

function refused(work: ExecutorWork, reason: Refusal, startedAt: number): ExecutorAnswer {
  if (work.type === 'validate') return { kind: 'validation', validation: { ok: false, refusal: reason } };
  return outcome({ outcome: 'refused', refusal: reason, durationMs: performance.now() - startedAt });
}

function failed(work: ExecutorWork, thrown: unknown, startedAt: number): ExecutorAnswer {
  const code = thrown instanceof SentinelError ? thrown.code : 'internal.bug';
  if (work.type === 'validate') return { kind: 'failed', code, message: sentencesOf(thrown) };
  const isOutOfMemory = thrown instanceof SentinelError && thrown.context['isOutOfMemory'] === true;
  const durationMs = performance.now() - startedAt;
  return outcome({ outcome: isOutOfMemory ? 'memory' : 'failed', message: `${code}: ${sentencesOf(thrown)}`, durationMs });
}

function outcome(result: RuleOutcome): ExecutorAnswer {
  return { kind: 'outcome', outcome: result };
}

function sentencesOf(thrown: unknown): string {
  const hint = thrown instanceof SentinelError ? thrown.hint : undefined;
  return hint === undefined ? messageOf(thrown) : `${messageOf(thrown)}. ${hint}`;
}
