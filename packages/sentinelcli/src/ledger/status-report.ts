/**
 * How well the ledger is protected at this moment: what a signature covers, and what somebody outside of it knows. Everything
 * that was recorded since the newest checkpoint outside could still be rewritten by whoever has the key.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { AuditEntry } from '@sentineld/model/audit';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import type { Checkpoint } from '@sentineld/ledger/checkpoint';
import { numberField, textField } from '../fields.ts';
import { contradictionsOf, factsOf, newestHeld, type Contradiction, type LedgerFacts } from './contradictions.ts';
import { fieldsOf, type AnnouncedKey, type LedgerView } from './ledger-view.ts';
import type { OutsideSource, SeenCheckpoint } from './outside.ts';

const MOST_FILES = 1000;
/** As procmond names them: the first and the last entry. */
const ARCHIVE_NAME = /^ledger-\d{1,15}-(\d{1,15})\.jsonl$/;

/** A file with entries that were moved out of the ledger. */
export type Archive = {
  readonly throughSequence: number;
  readonly file: string;
  /** As the entry that tells of it has them; null where that entry was archived itself. Milliseconds since 1970. */
  readonly sha256: string | null;
  readonly timestampMs: number | null;
  /** Null where it is not where it was written, or may not be looked at. */
  readonly bytes: number | null;
};

/** A place outside, and the newest checkpoint of this ledger that it has. */
export type OutsideStatus = { readonly source: OutsideSource; readonly newest: SeenCheckpoint | null };

export type LedgerStatus = {
  readonly ledgerId: string;
  readonly origin: string;
  /** Entries, those that were archived included. */
  readonly entries: number;
  readonly newest: AuditEntry | null;
  readonly checkpoint: Checkpoint | null;
  /** Entries that no checkpoint covers yet. */
  readonly uncovered: number;
  /** The key that signs now; null in format version 1. */
  readonly key: AnnouncedKey | null;
  /** Entries up to this one were archived; 0 where none was. */
  readonly sealedThrough: number;
  readonly archives: readonly Archive[];
  readonly outside: readonly OutsideStatus[];
  readonly contradictions: readonly Contradiction[];
  /** Entries that nobody outside knows of, and since when (milliseconds since 1970); null where nobody knows of any. */
  readonly unprotected: { readonly entries: number; readonly sinceMs: number | null };
};

/** @param outside read before the ledger is, so that what the ledger takes in meanwhile is no contradiction. */
export function statusOf(ledger: LedgerView, paths: StatePaths, outside: readonly OutsideSource[]): LedgerStatus {
  const facts = factsOf(ledger);
  const checkpoint = ledger.newestCheckpoint()?.checkpoint ?? null;
  const known = outside.map((source) => ({ source, newest: newestHeld(facts, source) }));
  const newestOutside = newestOf(known);
  return {
    ledgerId: ledger.identity().ledgerId,
    origin: facts.origin,
    entries: facts.entries,
    newest: ledger.newestEntry(),
    checkpoint,
    uncovered: facts.entries - (checkpoint?.treeSize ?? 0),
    key: ledger.keys().at(-1) ?? null,
    sealedThrough: ledger.seal()?.sequence ?? 0,
    archives: archivesOf(ledger, paths),
    outside: known,
    contradictions: contradictionsOf(facts, outside),
    unprotected: unprotectedSince(facts, newestOutside),
  };
}

function newestOf(known: readonly OutsideStatus[]): Checkpoint | null {
  return known.reduce<Checkpoint | null>((newest, { newest: seen }) => {
    if (seen === null) return newest;
    return newest === null || seen.checkpoint.epoch > newest.epoch ? seen.checkpoint : newest;
  }, null);
}

function unprotectedSince({ entries }: LedgerFacts, newest: Checkpoint | null): LedgerStatus['unprotected'] {
  return newest === null ? { entries, sinceMs: null } : { entries: entries - newest.treeSize, sinceMs: newest.timestampMs };
}

/** Those that entries tell of, and what else is in the directory by its name. */
function archivesOf(ledger: LedgerView, { ledgerArchiveDir }: StatePaths): readonly Archive[] {
  const told = ledger.entriesOf(['ledger_archive']).flatMap((entry) => archiveOf(entry, ledgerArchiveDir) ?? []);
  const known = new Set(told.map(({ file }) => basename(file)));
  const others = namesIn(ledgerArchiveDir).flatMap((name) => {
    const [, through] = ARCHIVE_NAME.exec(name) ?? [];
    if (through === undefined || known.has(name)) return [];
    const file = join(ledgerArchiveDir, name);
    return [{ throughSequence: Number(through), file, sha256: null, timestampMs: null, bytes: sizeOf(name, ledgerArchiveDir) }];
  });
  return [...told, ...others].toSorted((a, b) => a.throughSequence - b.throughSequence);
}

/** Null for an entry that does not say what it should. */
function archiveOf({ eventData, timestampMs }: AuditEntry, directory: string): Archive | null {
  const data = fieldsOf(eventData);
  const throughSequence = numberField(data, 'through_sequence');
  const file = textField(data, 'file');
  if (throughSequence === null || file === null) return null;
  return { throughSequence, file, sha256: textField(data, 'sha256'), timestampMs, bytes: sizeOf(file, directory) };
}

/** An entry may name any path; only a name within the directory of archives is looked at. */
function sizeOf(file: string, directory: string): number | null {
  const name = basename(file);
  if (name === '' || name.includes('\0')) return null;
  try {
    const status = lstatSync(join(directory, name), { throwIfNoEntry: false });
    return status?.isFile() === true ? status.size : null;
  } catch {
    return null;
  }
}

/** None where there is no directory yet, or this user may not look into it. */
function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).slice(0, MOST_FILES);
  } catch {
    return [];
  }
}
