/**
 * Moves old entries out of the ledger into a file. The file is on disk and verified before one row goes; that it was
 * archived, from where the ledger goes on, and the removal are one transaction.
 */
import type { ArchiveReply } from '@sentineld/model/request';
import { SentinelError } from '@sentineld/model/error';
import { keyPeriodsToJson } from '@sentineld/ledger/keys';
import type { LedgerSeal } from '@sentineld/ledger/ledger-row';
import { rootOf } from '@sentineld/ledger/merkle';
import type { WalkSummary } from '@sentineld/ledger/walk';
import type { WriterDatabase } from '../open.ts';
import { type ArchiveFile, writeArchiveFile } from './archive-file.ts';
import { type ArchivePart, type ArchiveSource, archiveLines } from './archive-lines.ts';
import { eventText } from './event-text.ts';
import type { LedgerTransaction } from './ledger-state.ts';
import { LEDGER_BEGINNING, readSealRow, writeSealRow } from './seal-row.ts';
import { nextTurn } from './turn.ts';

export type ArchiveTarget = ArchiveSource & {
  readonly archiveDir: string;
  /** Runs work in a transaction. */
  readonly commit: (work: (transaction: LedgerTransaction) => void) => void;
  /** Runs a statement that writes, outside of a transaction. */
  readonly maintain: (work: (db: WriterDatabase) => void) => void;
};

/** Entries that one file takes: their removal is one transaction, during which nothing else is done (some tenths of a second). */
const MAX_ENTRIES = 100_000;

/** Keys that the seal names, so that the entry that says the same stays small: those before them sign nothing any more. */
const MAX_KEYS = 64;

/** Pages that are given back to the file system in one go. */
const VACUUM_PAGES = 256;

/** @throws SentinelError as `LedgerWriter.archive` says. */
export async function archiveEntries(target: ArchiveTarget, beforeMs: number): Promise<ArchiveReply> {
  const part = choosePart(target.db(), beforeMs);
  if ('nothingAfter' in part) return { path: '', throughSequence: part.nothingAfter, entries: 0, sha256: '' };
  const { start, treeSize } = part;
  let summary: WalkSummary | undefined;
  const lines = archiveLines(target, part, (found) => (summary = found));
  const file = await writeArchiveFile(target.archiveDir, `ledger-${start.sequence + 1}-${treeSize}.jsonl`, lines);
  const seal = sealOf(target, part, summary);
  target.commit((transaction) => {
    transaction.add(['procmond', eventText({ action: 'ledger_archive', data: archiveData(seal, file) })]);
    writeSealRow(target.db(), seal);
    removeRows(target.db(), seal);
  });
  await giveBackSpace(target);
  return { path: file.path, throughSequence: treeSize, entries: treeSize - start.sequence, sha256: file.sha256 };
}

type CheckpointPlace = { readonly epoch: number; readonly treeSize: number };

/** The newest checkpoint before the time that the file may reach; where one alone covers more, that one. */
function choosePart(db: WriterDatabase, beforeMs: number): ArchivePart | { readonly nothingAfter: number } {
  const start = readSealRow(db) ?? LEDGER_BEGINNING;
  const covering = `SELECT epoch, tree_size AS treeSize FROM audit_checkpoint WHERE timestamp < ? AND tree_size > ?`;
  const newest = db.prepare<number[], CheckpointPlace>(`${covering} AND tree_size <= ? ORDER BY epoch DESC LIMIT 1`);
  const first = db.prepare<number[], CheckpointPlace>(`${covering} ORDER BY epoch LIMIT 1`);
  const found = newest.get(beforeMs, start.sequence, start.sequence + MAX_ENTRIES) ?? first.get(beforeMs, start.sequence);
  return found === undefined ? { nothingAfter: start.sequence } : { start, ...found };
}

/** What the file ends with. */
function sealOf({ state }: ArchiveTarget, { epoch, treeSize }: ArchivePart, summary: WalkSummary | undefined): LedgerSeal {
  if (summary?.position.sequence !== treeSize)
    throw new SentinelError('internal.bug', { message: `An archive up to entry ${treeSize} ended elsewhere.` });
  const { ledgerId, hostId } = state();
  const { position, range } = summary;
  const keys = summary.keys.slice(-MAX_KEYS);
  return { sequence: treeSize, entryHash: position.entryHash, range, epoch, ledgerId, hostId, keys, isSigned: true };
}

function archiveData(seal: LedgerSeal, { path, sha256 }: ArchiveFile): Readonly<Record<string, unknown>> {
  return {
    through_sequence: seal.sequence,
    epoch: seal.epoch,
    root: hex(rootOf(seal.range)),
    chain: hex(seal.entryHash),
    file: path,
    sha256,
    keys: keyPeriodsToJson(seal.keys),
  };
}

function removeRows(db: WriterDatabase, { sequence, epoch }: LedgerSeal): void {
  db.prepare('DELETE FROM audit_ledger WHERE sequence <= ?').run(sequence);
  db.prepare('DELETE FROM audit_checkpoint WHERE epoch < ?').run(epoch);
  // The index audit_ledger_body has those that are left.
  db.prepare(
    `DELETE FROM audit_body WHERE lower(hex(blake3)) NOT IN (
       SELECT substr(event_data, 20, 64) FROM audit_ledger WHERE substr(event_data, 1, 19) = '{"body":{"blake3":"')`,
  ).run();
}

/** Without it the file would keep its size. */
async function giveBackSpace({ db, maintain }: ArchiveTarget): Promise<void> {
  for (let left = freePages(db()), before = left + 1; left > 0 && left < before;) {
    maintain((database) => database.pragma(`incremental_vacuum(${VACUUM_PAGES})`));
    await nextTurn();
    [before, left] = [left, freePages(db())];
  }
}

function freePages(db: WriterDatabase): number {
  return Number(db.pragma('freelist_count', { simple: true }));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
