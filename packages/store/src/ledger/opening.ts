/**
 * Where a ledger that was written before goes on: its newest entries are verified, the tree is taken from its newest
 * checkpoint, and what came after that is added. The whole is what `audit verify` is for.
 */
import type { AuditEntry } from '@sentineld/model/audit';
import { canonicalEntry } from '@sentineld/ledger/canonical-entry';
import { type ChainPosition, checkEntry, verifyEntrySignature } from '@sentineld/ledger/chain';
import { type KeyTimeline, announceKey } from '@sentineld/ledger/keys';
import type { LedgerStart } from '@sentineld/ledger/ledger-row';
import { type CompactRange, appendLeaf, copyRange, leafHash } from '@sentineld/ledger/merkle';
import type { LedgerFailure } from '@sentineld/ledger/verify';
import type { WriterDatabase } from '../open.ts';
import { readNewestCheckpoint } from './checkpoint-row.ts';
import { ENTRY_COLUMNS_SQL, type EntryRow, entryFromRow } from './entry-row.ts';
import { brokenError } from './ledger-file.ts';
import type { LedgerState } from './ledger-state.ts';

/** Entries that are verified at each opening. */
const VERIFIED_AT_OPEN = 64;

/** The index audit_ledger_key has them. */
const KEY_ENTRIES_SQL = `SELECT ${ENTRY_COLUMNS_SQL} FROM audit_ledger
  WHERE action IN ('ledger_create', 'key_create', 'key_rotate') ORDER BY sequence`;

/**
 * @param start the seal, or the beginning.
 * @throws SentinelError ledger.broken naming the entry.
 */
export function readLedger(
  db: WriterDatabase,
  start: LedgerStart,
  ledgerId: string,
): Pick<LedgerState, 'position' | 'range' | 'newest' | 'keys'> {
  const keys = readKeys(db, start, ledgerId);
  const newestEntry = verifyTail(db, start, keys);
  const checkpoint = readNewestCheckpoint(db, { ledgerId, keys, start });
  const range = copyRange(checkpoint?.range ?? start.range);
  const wrong = checkNewest(newestEntry, { keys, size: range.size, epoch: checkpoint?.notice.epoch ?? 0 });
  if (wrong !== null) throw brokenError(db.name, wrong);
  addLeaves(db, range);
  const { sequence, entryHash } = newestEntry;
  return { position: { sequence, entryHash }, range, keys, newest: checkpoint?.notice ?? null };
}

type Signed = { readonly keys: KeyTimeline; readonly size: number; readonly epoch: number };

/** Whether the newest entry is there, and of the epoch that the newest checkpoint leaves open. */
function checkNewest({ sequence, formatVersion, epoch: found }: AuditEntry, { keys, size, epoch }: Signed): LedgerFailure | null {
  if (size > sequence) return { sequence: sequence + 1, what: 'tree', why: `a checkpoint covers entries up to ${size}, and it is gone` };
  if (formatVersion === 1) return null;
  if (keys.length === 0) return { sequence, what: 'key', why: 'no entry names the key that signs its epoch' };
  const isRight = sequence > size ? found === epoch + 1 : found <= epoch;
  return isRight
    ? null
    : { sequence, what: 'checkpoint_missing', why: `it is of epoch ${found}, and the newest checkpoint is of epoch ${epoch}` };
}

function readKeys(db: WriterDatabase, { keys }: LedgerStart, ledgerId: string): KeyTimeline {
  const timeline: KeyTimeline = [...keys];
  for (const row of db.prepare<[], EntryRow>(KEY_ENTRIES_SQL).safeIntegers(true).iterate()) {
    const entry = entryFromRow(row);
    const wrong = announceKey(timeline, entry, ledgerId);
    if (wrong !== null) throw brokenError(db.name, { sequence: entry.sequence, what: 'key', why: wrong });
  }
  return timeline;
}

function verifyTail(db: WriterDatabase, start: LedgerStart, keys: KeyTimeline): AuditEntry {
  const entries = db
    .prepare<[], EntryRow>(`SELECT ${ENTRY_COLUMNS_SQL} FROM audit_ledger ORDER BY sequence DESC LIMIT ${VERIFIED_AT_OPEN}`)
    .safeIntegers(true)
    .all()
    .toReversed()
    .map(entryFromRow);
  const [oldest] = entries;
  const newest = entries.at(-1);
  if (oldest === undefined || newest === undefined)
    throw brokenError(db.name, { sequence: start.sequence + 1, what: 'empty', why: 'every entry is gone' });
  // The link of the oldest to the one before it is not checked here, unless it is the first.
  const isFirst = entries.length < VERIFIED_AT_OPEN || oldest.sequence <= start.sequence + 1;
  let position: ChainPosition = isFirst ? start : { sequence: oldest.sequence - 1, entryHash: oldest.prevHash };
  for (const entry of entries) {
    const failure = checkEntry(position, entry) ?? checkSignature(entry, keys);
    if (failure !== null) throw brokenError(db.name, failure);
    position = { sequence: entry.sequence, entryHash: entry.entryHash };
  }
  return newest;
}

function checkSignature(entry: AuditEntry, keys: KeyTimeline): LedgerFailure | null {
  const { sequence, keyId, signature } = entry;
  if (signature === null) return null;
  const period = keys.find(({ key }) => key.id === keyId);
  if (period !== undefined && verifyEntrySignature(period.key, entry)) return null;
  return { sequence, what: 'signature', why: 'its signature is not by the key that it names' };
}

/** Entries that no checkpoint covers: some thousand as a rule, all of a ledger that was written without checkpoints. */
function addLeaves(db: WriterDatabase, range: CompactRange): void {
  const rows = db.prepare<[number], EntryRow>(`SELECT ${ENTRY_COLUMNS_SQL} FROM audit_ledger WHERE sequence > ? ORDER BY sequence`);
  for (const row of rows.safeIntegers(true).iterate(range.size)) {
    const entry = entryFromRow(row);
    const expected = range.size + 1;
    if (entry.sequence !== expected) throw brokenError(db.name, { sequence: expected, what: 'sequence', why: 'it is missing' });
    appendLeaf(range, leafHash(canonicalEntry(entry)));
  }
}
