/**
 * Entries of the ledger as an operator looks at them: chosen by SQL with bound values, read page by page so that a long
 * answer holds nobody up, and shown. Nothing is verified here; `audit verify` does that.
 */
import type { ResultRow, SqlValue } from '@sentineld/model/rule';
import { openLedger } from '@sentineld/store/ledger/read';
import { LEDGER_SCHEMA } from '@sentineld/store/ledger/readable';
import { openReader, type Reader } from '@sentineld/store/reader';

export type EntryFilter = {
  readonly actor: string | null;
  /** Any where the list is empty. */
  readonly actions: readonly string[];
  /** Milliseconds since 1970; the first belongs to it, the second does not. */
  readonly sinceMs: number | null;
  readonly untilMs: number | null;
  /** Numbers of entries, both belong to it. */
  readonly from: number | null;
  readonly to: number | null;
  readonly limit: number;
};

/** An entry as it is stored; what somebody changed may have any value. */
export type LoggedEntry = {
  readonly sequence: number;
  readonly timestampMs: number;
  readonly actor: string;
  readonly action: string;
  readonly formatVersion: number;
  readonly epoch: number;
  readonly keyId: string;
  /** Hex. */
  readonly payloadHash: string;
  readonly prevHash: string;
  readonly entryHash: string;
  readonly signature: string | null;
  readonly eventData: string;
  /** Details that are kept beside the entry; null where there are none. */
  readonly body: string | null;
};

export type EntryLog = {
  /** No entry that matches has a larger number. */
  readonly newest: number;
  /** True where older ones match too, and the limit leaves them out. */
  readonly isCut: boolean;
  /** Oldest first, in pages. */
  readonly pages: () => Generator<readonly LoggedEntry[], void, undefined>;
};

const PAGE_ROWS = 100;
const WHERE = `sequence >= ?1 AND sequence <= ?2 AND (?3 IS NULL OR actor = ?3) AND (?4 IS NULL OR action IN (SELECT value FROM json_each(?4)))
  AND (?5 IS NULL OR timestamp >= ?5) AND (?6 IS NULL OR timestamp < ?6)`;
/** From the newest down, so that a few entries of a long ledger are found at once. */
const BEGINNING_SQL = `SELECT sequence FROM main.audit_ledger WHERE ${WHERE} ORDER BY sequence DESC LIMIT 2 OFFSET ?7`;
const NEWEST_SQL = 'SELECT max(sequence) AS sequence FROM main.audit_ledger WHERE sequence <= ?1';
const PAGE_SQL = `SELECT sequence, timestamp, actor, action, format_version, epoch, key_id, payload_hash, prev_hash, entry_hash, signature, event_data
  FROM main.audit_ledger WHERE ${WHERE} ORDER BY sequence LIMIT ${PAGE_ROWS}`;
const BODY_SQL = 'SELECT body FROM main.audit_body WHERE blake3 = unhex(?1)';

/** Opens the ledger for reading. Throws 'store.*'. */
export function openLogReader(path: string): Reader {
  // Refuses what is no ledger, or one of a release to come.
  openLedger(path).close();
  return openReader({ databases: [{ schema: 'main', path }], schema: LEDGER_SCHEMA, functions: new Set() });
}

/** The newest entries that match, as many as the limit. */
export function findEntries(reader: Reader, filter: EntryFilter): EntryLog {
  const from = filter.from ?? 0;
  const to = filter.to ?? Number.MAX_SAFE_INTEGER;
  const rest: readonly SqlValue[] = [
    filter.actor,
    filter.actions.length === 0 ? null : JSON.stringify(filter.actions),
    filter.sinceMs,
    filter.untilMs,
  ];
  // The oldest of them that is shown, and one that is not.
  const [oldest, older] = reader.internal(BEGINNING_SQL, [from, to, ...rest, filter.limit - 1]);
  const [newest] = reader.internal(NEWEST_SQL, [to]);
  const first = oldest === undefined ? from : numberOf(oldest['sequence']);
  const hasBodies = reader.internal("SELECT 1 AS one FROM main.sqlite_schema WHERE name = 'audit_body'").length > 0;
  return {
    newest: numberOf(newest?.['sequence']),
    isCut: older !== undefined,
    pages: function* pages() {
      for (let next = first; ;) {
        const rows = [...reader.internal(PAGE_SQL, [next, to, ...rest])];
        if (rows.length === 0) return;
        const entries = rows.map((row) => entryOf(row, hasBodies ? (hash) => bodyOf(reader, hash) : () => null));
        yield entries;
        if (rows.length < PAGE_ROWS) return;
        next = (entries.at(-1)?.sequence ?? to) + 1;
      }
    },
  };
}

/** The hash that event_data has where its details are kept beside it. */
function bodyHashIn(eventData: string): string | null {
  const [, hash = null] = /^\{"body":\{"blake3":"([0-9a-f]{64})"/.exec(eventData) ?? [];
  return hash;
}

function bodyOf(reader: Reader, hash: string): string | null {
  const [row] = reader.internal(BODY_SQL, [hash]);
  return typeof row?.['body'] === 'string' ? row['body'] : null;
}

function entryOf(row: ResultRow, bodyBy: (hash: string) => string | null): LoggedEntry {
  const eventData = textOf(row['event_data']);
  const bodyHash = bodyHashIn(eventData);
  return {
    sequence: numberOf(row['sequence']),
    timestampMs: numberOf(row['timestamp']),
    actor: textOf(row['actor']),
    action: textOf(row['action']),
    formatVersion: numberOf(row['format_version']),
    epoch: numberOf(row['epoch']),
    keyId: textOf(row['key_id']),
    payloadHash: textOf(row['payload_hash']),
    prevHash: textOf(row['prev_hash']),
    entryHash: textOf(row['entry_hash']),
    signature: typeof row['signature'] === 'string' ? row['signature'] : null,
    eventData,
    body: bodyHash === null ? null : bodyBy(bodyHash),
  };
}

function numberOf(value: SqlValue | undefined): number {
  return typeof value === 'number' ? value : Number.NaN;
}

function textOf(value: SqlValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
