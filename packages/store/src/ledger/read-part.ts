/**
 * A part of a ledger: from the newest checkpoint before its first entry to the first one that covers its last, so that
 * both ends are signed.
 */
import type { DatabaseSync } from 'node:sqlite';
import { SentinelError } from '@sentineld/model/error';
import { announceKey, KEY_ACTIONS, type KeyTimeline } from '@sentineld/ledger/keys';
import { parseCheckpoint } from '@sentineld/ledger/checkpoint';
import type { CheckpointRow, LedgerSeal, LedgerStart } from '@sentineld/ledger/ledger-row';
import { ledgerIdOf } from '@sentineld/ledger/walk';
import { ENTRY_COLUMNS_SQL, entryFromRow } from './entry-row.ts';
import { checkpointUpTo, hasLedgerTable, orCorrupt, type LedgerSchemaName, type StoredCheckpoint } from './read-rows.ts';

/** Numbers of entries, both inclusive; null for the first and the newest. */
export type LedgerPart = { readonly from: number | null; readonly to: number | null };

/** What is to be read, and from where it is known. */
export type LedgerRange = {
  readonly start: LedgerStart;
  readonly anchor: CheckpointRow | null;
  readonly seal: LedgerSeal | null;
  readonly lastSequence: number;
  readonly lastEpoch: number;
};

/** @throws SentinelError usage.invalid for numbers that are not in the ledger. */
export function partOf(db: DatabaseSync, schema: LedgerSchemaName, { from, to }: LedgerPart, whole: LedgerRange): LedgerRange {
  const first = whole.start.sequence + 1;
  const last = whole.lastSequence;
  for (const [name, number] of [
    ['from', from],
    ['to', to],
  ] as const) {
    if (number !== null && (number < first || number > last)) throw outside(name, number, first, last);
  }
  const end = to === null ? null : firstCheckpointFrom(db, schema, to);
  const range = {
    ...whole,
    lastSequence: Math.max(to ?? last, end?.treeSize ?? (to === null ? last : to)),
    lastEpoch: end?.epoch ?? whole.lastEpoch,
  };
  const checkpoint = from === null ? null : checkpointUpTo(db, from - 1, schema);
  const isAfterStart = checkpoint !== null && checkpoint.treeSize > whole.start.sequence;
  return isAfterStart
    ? { ...range, start: startFrom(db, schema, checkpoint, whole), anchor: checkpoint, seal: null }
    : { ...range, anchor: sealAnchor(db, schema, whole) };
}

function sealAnchor(db: DatabaseSync, schema: LedgerSchemaName, { seal, start }: LedgerRange): StoredCheckpoint | null {
  return seal === null ? null : checkpointUpTo(db, start.sequence, schema);
}

/** What the checkpoint says of the past, as far as it can be asked without reading it: the walk holds it against the note. */
function startFrom(
  db: DatabaseSync,
  schema: LedgerSchemaName,
  { treeSize, epoch, note, range }: StoredCheckpoint,
  { start }: LedgerRange,
): LedgerStart {
  const ledgerId = start.ledgerId ?? firstLedgerId(db, schema);
  return {
    sequence: treeSize,
    entryHash: chainOf(note),
    range: range ?? { size: treeSize, nodes: [] },
    epoch,
    ledgerId,
    keys: keysUpTo(db, schema, treeSize, ledgerId, start),
    isSigned: true,
  };
}

/** Of the checkpoint; what is no checkpoint has none, and is found by whoever holds it against the rules. */
function chainOf(note: string): Uint8Array {
  try {
    return parseCheckpoint(note).checkpoint.chain;
  } catch (thrown) {
    if (thrown instanceof SentinelError && thrown.code === 'ledger.input') return new Uint8Array(32);
    throw thrown;
  }
}

/** Reads only the entries that name a key: whether they are genuine is not looked at here. */
function keysUpTo(db: DatabaseSync, schema: LedgerSchemaName, treeSize: number, ledgerId: string | null, start: LedgerStart): KeyTimeline {
  const timeline: KeyTimeline = [...start.keys];
  const actions = KEY_ACTIONS.map(() => '?').join(', ');
  const rows = orCorrupt(() => {
    const statement = db.prepare(
      `SELECT ${ENTRY_COLUMNS_SQL} FROM ${schema}.audit_ledger WHERE sequence > ? AND sequence <= ? AND action IN (${actions}) ORDER BY sequence`,
    );
    statement.setReadBigInts(true);
    return statement.all(start.sequence, treeSize, ...KEY_ACTIONS);
  });
  for (const row of rows) announceKey(timeline, entryFromRow(row), ledgerId);
  return timeline;
}

function firstLedgerId(db: DatabaseSync, schema: LedgerSchemaName): string | null {
  const row = orCorrupt(() => db.prepare(`SELECT CAST(event_data AS TEXT) AS text FROM ${schema}.audit_ledger WHERE sequence = 1`).get());
  const text = row?.['text'];
  return typeof text === 'string' ? ledgerIdOf(text) : null;
}

function firstCheckpointFrom(
  db: DatabaseSync,
  schema: LedgerSchemaName,
  to: number,
): { readonly treeSize: number; readonly epoch: number } | null {
  if (!hasLedgerTable(db, schema, 'audit_checkpoint')) return null;
  const sql = `SELECT tree_size, epoch FROM ${schema}.audit_checkpoint WHERE tree_size >= ? ORDER BY epoch LIMIT 1`;
  const row = orCorrupt(() => db.prepare(sql).get(to));
  const [treeSize, epoch] = [row?.['tree_size'], row?.['epoch']];
  return typeof treeSize === 'number' && typeof epoch === 'number' ? { treeSize, epoch } : null;
}

function outside(name: 'from' | 'to', number: number, first: number, last: number): SentinelError {
  return new SentinelError('usage.invalid', {
    message: `Entry ${number} is not in the ledger.`,
    why: `it has entries ${first} to ${last}`,
    hint: `Give a number from there with --${name}.`,
  });
}
