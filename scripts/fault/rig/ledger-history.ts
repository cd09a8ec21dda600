/**
 * All that a ledger ever recorded: the entries of its archives, one after the other, and those of the file. Read from the
 * files alone; what does not fit together is a problem.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { openExport } from '@sentineld/ledger/export-file';
import { createWalk } from '@sentineld/ledger/walk';
import type { AuditEntry } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import { openLedger, readEntries } from '@sentineld/store/ledger/read';
import { pathsOf } from './ledger-load.ts';

/** Hashes in lower-case hex. */
export type HistoryEntry = {
  readonly sequence: number;
  readonly entryHash: string;
  readonly prevHash: string;
  readonly action: string;
  readonly eventData: string;
};

/** Each with a stable word. */
export type Problem = { readonly what: string; readonly detail: string };

export type LedgerHistory = {
  /** From entry 1 on. */
  readonly entries: readonly HistoryEntry[];
  /** Signed notes by epoch. */
  readonly checkpoints: ReadonlyMap<number, string>;
  /** Files that the entries up to the seal are in, the oldest first. */
  readonly archives: readonly string[];
  readonly problems: readonly Problem[];
};

type Part = { readonly entries: readonly HistoryEntry[]; readonly checkpoints: readonly (readonly [number, string])[] };

const ZEROS = '0'.repeat(64);

/** @param directory where `ledger.db` and its archives are; nobody writes there meanwhile. */
export function readHistory(directory: string): LedgerHistory {
  const { ledgerDb, archiveDir } = pathsOf(directory);
  const db = openLedger(ledgerDb);
  try {
    const newest = { entries: Array.from(readEntries(db), historyEntry), checkpoints: checkpointsOf(db) };
    const { parts, archives, problems } = archivesBefore(newest, archiveDir);
    const entries = parts.flatMap((part) => part.entries);
    const checkpoints = new Map(parts.flatMap((part) => part.checkpoints));
    return { entries, checkpoints, archives, problems: [...problems, ...linkProblems(entries)] };
  } finally {
    db.close();
  }
}

function historyEntry(entry: AuditEntry): HistoryEntry {
  const { sequence, action, eventData } = entry;
  return { sequence, action, eventData, entryHash: hex(entry.entryHash), prevHash: hex(entry.prevHash) };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function checkpointsOf(db: DatabaseSync): Part['checkpoints'] {
  const rows = db.prepare('SELECT epoch, note FROM audit_checkpoint ORDER BY epoch').all();
  return rows.map((row) => [Number(row['epoch']), String(row['note'])]);
}

/** Each archive is named by a `ledger_archive` entry of what comes after it. */
function archivesBefore(newest: Part, archiveDir: string) {
  const parts: Part[] = [newest];
  const archives: string[] = [];
  const problems: Problem[] = [];
  for (let first = newest.entries[0]?.sequence ?? 1; first > 1; first = parts[0]?.entries[0]?.sequence ?? 1) {
    const claim = parts.flatMap(({ entries }) => entries).findLast((entry) => throughOf(entry) === first - 1);
    const { file = '', sha256 = '' } = claim === undefined ? {} : (JSON.parse(claim.eventData) as { file?: string; sha256?: string });
    const path = join(archiveDir, basename(file));
    if (file === '' || !existsSync(path)) {
      problems.push({
        what: 'archive-lost',
        detail: `the ledger begins with entry ${first}, and ${file === '' ? 'no entry names an archive' : `${path} is not there`}`,
      });
      break;
    }
    const bytes = readFileSync(path);
    if (createHash('sha256').update(bytes).digest('hex') !== sha256)
      problems.push({ what: 'archive-changed', detail: `${path} is not what the ledger says` });
    const part = readArchive(path, bytes);
    problems.push(...part.problems);
    parts.unshift(part);
    archives.unshift(path);
  }
  return { parts, archives, problems };
}

function throughOf({ action, eventData }: HistoryEntry): number | null {
  return action === 'ledger_archive' ? Number((JSON.parse(eventData) as { through_sequence?: number }).through_sequence) : null;
}

/** An archive is an export: read as one, and gone through by the rules of a ledger. */
function readArchive(path: string, bytes: Buffer): Part & { readonly problems: readonly Problem[] } {
  const entries: HistoryEntry[] = [];
  const checkpoints: (readonly [number, string])[] = [];
  let failure: string | null = null;
  try {
    const { start, records } = openExport([bytes]);
    const walk = createWalk(start, { trusted: null });
    for (const record of records) {
      if (record.kind === 'entry') entries.push(historyEntry(record.entry));
      else checkpoints.push([record.row.epoch, record.row.note]);
      failure ??= (record.kind === 'entry' ? walk.entry(record.entry, record.body) : walk.checkpoint(record.row))?.why ?? null;
      if (failure !== null) break;
    }
    failure ??= walk.end().failure?.why ?? null;
  } catch (cause) {
    if (!(cause instanceof SentinelError)) throw cause;
    failure = `${cause.message} ${cause.why}`;
  }
  return { entries, checkpoints, problems: failure === null ? [] : [{ what: 'archive-broken', detail: `${path}: ${failure}` }] };
}

/** Whether the parts follow each other; that each entry has its hashes is for the verifiers to say. */
function linkProblems(entries: readonly HistoryEntry[]): readonly Problem[] {
  const at = entries.findIndex(
    ({ sequence, prevHash }, index) => sequence !== index + 1 || prevHash !== (entries[index - 1]?.entryHash ?? ZEROS),
  );
  return at < 0 ? [] : [{ what: 'history-broken', detail: `entry ${entries[at]?.sequence ?? 0} does not follow entry ${at}` }];
}
