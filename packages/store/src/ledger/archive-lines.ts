/**
 * The lines of an archive: entries and checkpoints up to a size, verified by the rules of the ledger while they are read.
 * Pages are short, and other work goes on between them.
 */
import type { AuditEntry } from '@sentineld/model/audit';
import { exportCheckpointLine, exportEndLine, exportEntryLine, exportHeaderLine } from '@sentineld/ledger/export-file';
import type { CheckpointRow, LedgerStart } from '@sentineld/ledger/ledger-row';
import { type LedgerWalk, type WalkSummary, createWalk } from '@sentineld/ledger/walk';
import { bodyHashOf } from '@sentineld/ledger/walk-body';
import type { WriterDatabase } from '../open.ts';
import { ENTRY_COLUMNS_SQL, type EntryRow, entryFromRow } from './entry-row.ts';
import { brokenError } from './ledger-file.ts';
import type { LedgerState } from './ledger-state.ts';
import { nextTurn } from './turn.ts';

export type ArchivePart = {
  /** From where: the seal, or the beginning. */
  readonly start: LedgerStart;
  /** The checkpoint that it ends with. */
  readonly epoch: number;
  readonly treeSize: number;
};

/** The database is asked for anew for every page: the ledger may be reopened meanwhile. */
export type ArchiveSource = { readonly db: () => WriterDatabase; readonly state: () => LedgerState };

const PAGE_ROWS = 100;

/**
 * Yields line by line; `onEnd` is given what the entries came to after the last one.
 * @throws SentinelError ledger.broken at the first row that does not hold.
 */
export async function* archiveLines(
  source: ArchiveSource,
  part: ArchivePart,
  onEnd: (summary: WalkSummary) => void,
): AsyncGenerator<string, void, undefined> {
  const { start } = part;
  const walk = createWalk(start, { trusted: null });
  let checkpoints = 0;
  yield headerLine(source.state(), part);
  anchor(source, start, walk);
  for (let epoch = start.epoch; epoch < part.epoch;) {
    const page = readCheckpoints(source.db(), epoch, part.epoch);
    for (const row of page) {
      yield* entryLines(source, row.treeSize, walk);
      requireHeld(source, walk.checkpoint(row));
      yield exportCheckpointLine(row);
    }
    checkpoints += page.length;
    epoch = page.at(-1)?.epoch ?? part.epoch;
    await nextTurn();
  }
  const summary = walk.end();
  requireHeld(source, summary.failure);
  onEnd(summary);
  yield exportEndLine({ entries: summary.position.sequence - start.sequence, checkpoints });
}

async function* entryLines(source: ArchiveSource, treeSize: number, walk: LedgerWalk): AsyncGenerator<string, void, undefined> {
  while (walk.position().sequence < treeSize) {
    const before = walk.position().sequence;
    for (const entry of readPage(source.db(), before, treeSize)) {
      const body = readBody(source.db(), entry);
      requireHeld(source, walk.entry(entry, body));
      yield exportEntryLine({ entry, body });
    }
    // The checkpoint says that they are missing.
    if (walk.position().sequence === before) return;
    await nextTurn();
  }
}

function headerLine({ ledgerId, hostId, keys }: LedgerState, { start, epoch, treeSize }: ArchivePart): string {
  const { sequence, entryHash, range } = start;
  // Whoever begins with entry 1 takes the keys from the entries themselves.
  const known = sequence === 0 ? keys.filter(({ firstEpoch }) => firstEpoch <= epoch) : start.keys;
  const first = known.findLastIndex(({ firstEpoch }) => firstEpoch <= start.epoch + 1);
  return exportHeaderLine({ ledgerId, hostId, from: sequence + 1, to: treeSize, entryHash, range, keys: known.slice(Math.max(0, first)) });
}

function anchor(source: ArchiveSource, start: LedgerStart, walk: LedgerWalk): void {
  if (start.sequence === 0) return;
  const [row] = readCheckpoints(source.db(), start.epoch - 1, start.epoch);
  const missing = { sequence: start.sequence, what: 'checkpoint_missing' as const, why: 'the checkpoint of the seal is gone' };
  requireHeld(source, row === undefined ? missing : walk.anchor(row));
}

function requireHeld(source: ArchiveSource, failure: ReturnType<LedgerWalk['entry']>): void {
  if (failure !== null) throw brokenError(source.db().name, failure);
}

function readPage(db: WriterDatabase, after: number, last: number): AuditEntry[] {
  return db
    .prepare<[number, number], EntryRow>(
      `SELECT ${ENTRY_COLUMNS_SQL} FROM audit_ledger WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ${PAGE_ROWS}`,
    )
    .safeIntegers(true)
    .all(after, last)
    .map(entryFromRow);
}

function readBody(db: WriterDatabase, { formatVersion, eventData }: AuditEntry): string | null {
  const hash = formatVersion === 1 ? null : bodyHashOf(eventData);
  if (hash === null) return null;
  const row = db.prepare<[Uint8Array], { body: string }>('SELECT body FROM audit_body WHERE blake3 = ?').get(Buffer.from(hash, 'hex'));
  return row?.body ?? null;
}

function readCheckpoints(db: WriterDatabase, after: number, last: number): CheckpointRow[] {
  return db
    .prepare<[number, number], CheckpointRow>(
      `SELECT epoch, tree_size AS treeSize, timestamp AS timestampMs, root_hash AS rootHash, key_id AS keyId, note
       FROM audit_checkpoint WHERE epoch > ? AND epoch <= ? ORDER BY epoch LIMIT ${PAGE_ROWS}`,
    )
    .all(after, last);
}
