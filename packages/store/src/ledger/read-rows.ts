/**
 * Rows of a ledger beside its entries: checkpoints, bodies and the seal. Rows are not trusted: texts are read as bytes,
 * numbers as what they are.
 */
import type { DatabaseSync } from 'node:sqlite';
import { SentinelError, messageOf } from '@sentineld/model/error';
import { keyPeriodsFromJson, type KeyPeriod } from '@sentineld/ledger/keys';
import type { CheckpointRow, LedgerSeal } from '@sentineld/ledger/ledger-row';
import { decodeRange, type CompactRange } from '@sentineld/ledger/merkle';

/** Schema that the ledger is attached as; 'main' where it is the database itself. */
export type LedgerSchemaName = 'main' | 'ledger';

/** A checkpoint with the tree that it was made of; null where the columns have no such tree. */
export type StoredCheckpoint = CheckpointRow & { readonly range: CompactRange | null };

type Row = Readonly<Record<string, unknown>>;

const HASH_BYTES = 32;
const CHECKPOINTS_A_PAGE = 500;
const SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** Keeps a byte order mark and refuses what is not UTF-8. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const CHECKPOINT_COLUMNS_SQL = [
  'epoch, tree_size, timestamp, root_hash, tree_range',
  ...['key_id', 'note'].map((name) => `CASE typeof(${name}) WHEN 'text' THEN CAST(${name} AS BLOB) END AS ${name}`),
].join(', ');

/** Whether the ledger has this table: those of earlier releases have no checkpoints, bodies and seal. */
export function hasLedgerTable(
  db: DatabaseSync,
  schema: LedgerSchemaName,
  name: 'audit_checkpoint' | 'audit_body' | 'audit_seal',
): boolean {
  return ask(db, `SELECT 1 AS found FROM ${schema}.sqlite_schema WHERE type = 'table' AND name = ?`, name) !== null;
}

/**
 * Checkpoints in the order of their epochs, in short statements; none where the ledger has no such table.
 * @throws SentinelError ledger.broken with context.sequence, for a row that is none.
 */
export function* readCheckpoints(
  db: DatabaseSync,
  options: { readonly schema?: LedgerSchemaName; readonly afterEpoch?: number; readonly throughEpoch?: number } = {},
): Generator<StoredCheckpoint, void, undefined> {
  const { schema = 'main', afterEpoch, throughEpoch = Number.MAX_SAFE_INTEGER } = options;
  if (!hasLedgerTable(db, schema, 'audit_checkpoint')) return;
  const sql = `SELECT ${CHECKPOINT_COLUMNS_SQL} FROM ${schema}.audit_checkpoint WHERE epoch > ? AND epoch <= ? ORDER BY epoch LIMIT ${CHECKPOINTS_A_PAGE}`;
  let after = afterEpoch === undefined ? -(2n ** 63n) : BigInt(afterEpoch);
  for (;;) {
    const rows = orCorrupt(() => {
      const page = db.prepare(sql);
      page.setReadBigInts(true);
      return page.all(after, throughEpoch);
    });
    for (const row of rows) yield checkpointOf(row);
    const last = rows.at(-1)?.['epoch'];
    if (rows.length < CHECKPOINTS_A_PAGE || typeof last !== 'bigint') return;
    after = last;
  }
}

/** The newest checkpoint of at most so many entries, or null. */
export function checkpointUpTo(db: DatabaseSync, treeSize: number, schema: LedgerSchemaName = 'main'): StoredCheckpoint | null {
  if (!hasLedgerTable(db, schema, 'audit_checkpoint')) return null;
  const sql = `SELECT ${CHECKPOINT_COLUMNS_SQL} FROM ${schema}.audit_checkpoint WHERE tree_size <= ? ORDER BY epoch DESC LIMIT 1`;
  const row = ask(db, sql, treeSize);
  return row === null ? null : checkpointOf(row);
}

/** The checkpoint of an epoch, or null. */
export function checkpointOfEpoch(db: DatabaseSync, epoch: number, schema: LedgerSchemaName = 'main'): StoredCheckpoint | null {
  if (!hasLedgerTable(db, schema, 'audit_checkpoint')) return null;
  const row = ask(db, `SELECT ${CHECKPOINT_COLUMNS_SQL} FROM ${schema}.audit_checkpoint WHERE epoch = ?`, epoch);
  return row === null ? null : checkpointOf(row);
}

/** Details that are kept beside their entry, by their hash (hex); null where they are not there. */
export function readBody(db: DatabaseSync, hash: string, schema: LedgerSchemaName = 'main'): string | null {
  if (!hasLedgerTable(db, schema, 'audit_body')) return null;
  const sql = `SELECT CASE typeof(body) WHEN 'text' THEN CAST(body AS BLOB) END AS body FROM ${schema}.audit_body WHERE blake3 = ?`;
  const row = ask(db, sql, Buffer.from(hash, 'hex'));
  return row === null ? null : textOf(row, 'body');
}

/**
 * What was archived, or null where nothing was.
 * @throws SentinelError ledger.broken for a seal that is none.
 */
export function readSeal(db: DatabaseSync, schema: LedgerSchemaName = 'main'): LedgerSeal | null {
  if (!hasLedgerTable(db, schema, 'audit_seal')) return null;
  const texts = ['ledger_id', 'host_id', 'keys'].map(
    (name) => `CASE typeof(${name}) WHEN 'text' THEN CAST(${name} AS BLOB) END AS ${name}`,
  );
  const row = ask(db, `SELECT sequence, epoch, entry_hash, tree_range, ${texts.join(', ')} FROM ${schema}.audit_seal LIMIT 1`);
  if (row === null) return null;
  const sequence = wholeOf(row, 'sequence');
  const epoch = wholeOf(row, 'epoch');
  const entryHash = bytesOf(row, 'entry_hash');
  const treeRange = bytesOf(row, 'tree_range');
  const [ledgerId, hostId, keysText] = [textOf(row, 'ledger_id'), textOf(row, 'host_id'), textOf(row, 'keys')];
  if (sequence === null || sequence === 0 || epoch === null || entryHash?.length !== HASH_BYTES || ledgerId === null || hostId === null)
    throw broken(sequence ?? 0, 'the seal has a column of another type than it must have');
  const range = treeRange === null ? null : decodeRange(sequence, treeRange);
  if (range === null) throw broken(sequence, 'tree_range of the seal is not the range of so many entries');
  const keys = keysOf(keysText, ledgerId, sequence);
  // Keys of later epochs are announced again by the entries after the seal.
  return {
    sequence,
    epoch,
    entryHash,
    range,
    ledgerId,
    hostId,
    keys: keys.filter(({ firstEpoch }) => firstEpoch <= epoch + 1),
    isSigned: true,
  };
}

function keysOf(text: string | null, ledgerId: string, sequence: number): readonly KeyPeriod[] {
  let value: unknown = null;
  try {
    value = JSON.parse(text ?? '');
  } catch {
    throw broken(sequence, 'the keys of the seal are not JSON');
  }
  const keys = keyPeriodsFromJson(value, ledgerId);
  if (typeof keys === 'string') throw broken(sequence, `the keys of the seal: ${keys}`);
  return keys;
}

function checkpointOf(row: Row): StoredCheckpoint {
  const [epoch, treeSize, timestampMs] = [wholeOf(row, 'epoch'), wholeOf(row, 'tree_size'), wholeOf(row, 'timestamp')];
  const [rootHash, keyId, note, treeRange] = [
    bytesOf(row, 'root_hash'),
    textOf(row, 'key_id'),
    textOf(row, 'note'),
    bytesOf(row, 'tree_range'),
  ];
  const wrong = (name: string): SentinelError =>
    broken(treeSize ?? 0, `${name} of the checkpoint of epoch ${epoch ?? 'unknown'} is not what it must be`);
  if (epoch === null) throw wrong('epoch');
  if (treeSize === null) throw wrong('tree_size');
  if (timestampMs === null) throw wrong('timestamp');
  if (rootHash?.length !== HASH_BYTES) throw wrong('root_hash');
  if (keyId === null) throw wrong('key_id');
  if (note === null) throw wrong('note');
  const range = treeRange === null ? null : decodeRange(treeSize, treeRange);
  if (range === null) throw wrong('tree_range');
  return { epoch, treeSize, timestampMs, rootHash, keyId, note, range };
}

function wholeOf(row: Row, name: string): number | null {
  const value = row[name];
  return typeof value === 'bigint' && value >= 0n && value <= SAFE ? Number(value) : null;
}

function bytesOf(row: Row, name: string): Uint8Array | null {
  const value = row[name];
  return value instanceof Uint8Array ? value : null;
}

function textOf(row: Row, name: string): string | null {
  const value = bytesOf(row, name);
  try {
    return value === null ? null : decoder.decode(value);
  } catch {
    return null;
  }
}

function ask(db: DatabaseSync, sql: string, ...values: readonly (number | string | Uint8Array)[]): Row | null {
  return orCorrupt(() => {
    const statement = db.prepare(sql);
    statement.setReadBigInts(true);
    return statement.get(...values) ?? null;
  });
}

/** Errors of SQLite as what they mean for a ledger. @throws SentinelError store.corrupt */
export function orCorrupt<Result>(read: () => Result): Result {
  try {
    return read();
  } catch (thrown) {
    throw new SentinelError('store.corrupt', {
      message: `The ledger cannot be read: ${messageOf(thrown)}.`,
      hint: 'Keep the file as it is and look at the disk; entries before the damage may be readable.',
      cause: thrown,
    });
  }
}

function broken(sequence: number, why: string): SentinelError {
  return new SentinelError('ledger.broken', { message: `Entry ${sequence}: ${why}.`, context: { sequence, what: 'row', why } });
}
