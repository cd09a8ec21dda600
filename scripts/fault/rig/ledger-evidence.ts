/**
 * What a ledger holds after faults: verified entry by entry, held against heads that were acknowledged before, and
 * looked through for entries of clients that are missing or there twice. Reads the file, asks nobody.
 */
import { SentinelError, messageOf } from '@sentineld/model/error';
import type { AuditEntry } from '@sentineld/model/audit';
import { openLedger, readEntries, verifyLedgerFile } from '@sentineld/store/ledger/read';
import type { LedgerVerification, LedgerWitness } from '@sentineld/ledger/verify';
import type { Head } from './ask.ts';

export type LedgerEvidence = {
  readonly entries: number;
  /** Each with a stable word. */
  readonly problems: readonly { readonly what: string; readonly detail: string }[];
  readonly actions: ReadonlyMap<string, number>;
  /** Ids of alerts that the ledger knows of. */
  readonly alertIds: ReadonlySet<number>;
  /** Scans whose completion is in it. */
  readonly scanIds: ReadonlySet<number>;
  /** Numbers recorded, by role, user and id of their origin. */
  readonly origins: ReadonlyMap<string, ReadonlySet<number>>;
  readonly notes: readonly string[];
};

type Walk = {
  readonly actions: Map<string, number>;
  readonly alertIds: Set<number>;
  readonly scanIds: Set<number>;
  readonly origins: Map<string, Set<number>>;
  readonly twice: string[];
};

/** Heads by sequence; the newest word on a sequence is kept, another hash for one is a problem by itself. */
export function createHeads(): {
  readonly add: (head: Head, from: string) => void;
  readonly all: () => readonly LedgerWitness[];
  readonly clear: () => void;
} {
  const heads = new Map<string, LedgerWitness>();
  return {
    add: ({ sequence, entryHash }, from) => void heads.set(`${sequence} ${entryHash}`, { name: from, head: { sequence, entryHash } }),
    all: () => [...heads.values()],
    clear: () => heads.clear(),
  };
}

/** Verifies the file as `audit verify` does. Throws store.missing and its kind where it cannot be read. */
export function verifyFile(path: string, witnesses: readonly LedgerWitness[]): LedgerVerification {
  const db = openLedger(path);
  try {
    return verifyLedgerFile(db, { witnesses });
  } finally {
    db.close();
  }
}

export async function examineLedger(path: string, witnesses: readonly LedgerWitness[]): Promise<LedgerEvidence> {
  const walk: Walk = { actions: new Map(), alertIds: new Set(), scanIds: new Set(), origins: new Map(), twice: [] };
  try {
    const { entries, failure, notes } = verifyFile(path, witnesses);
    const what = failure?.what === 'witness' ? 'ledger-entry-lost' : 'ledger-broken';
    const broken = failure === undefined ? [] : [{ what, detail: `entry ${failure.sequence}: ${failure.why}` }];
    lookThrough(path, walk);
    return { ...walk, entries, problems: [...broken, ...originProblems(walk)], notes };
  } catch (cause) {
    if (!(cause instanceof SentinelError)) throw cause;
    return { ...walk, entries: 0, problems: [{ what: 'ledger-unreadable', detail: messageOf(cause) }], notes: [] };
  }
}

/** Up to a row that is no entry, which the verification has named. */
function lookThrough(path: string, walk: Walk): void {
  const db = openLedger(path);
  try {
    for (const entry of readEntries(db)) look(entry, walk);
  } catch (cause) {
    if (!(cause instanceof SentinelError && cause.code === 'ledger.broken')) throw cause;
  } finally {
    db.close();
  }
}

type EventData = {
  readonly alert_id?: number;
  readonly scan_id?: number;
  readonly origin?: { readonly id: string; readonly sequence: number };
  readonly peer?: { readonly uid: number; readonly role: string };
};

function look(entry: AuditEntry, walk: Walk): void {
  const data = JSON.parse(entry.eventData) as EventData;
  walk.actions.set(entry.action, (walk.actions.get(entry.action) ?? 0) + 1);
  if (entry.action === 'alert_generate' && data.alert_id !== undefined) walk.alertIds.add(data.alert_id);
  if (entry.action === 'process_scan_complete' && data.scan_id !== undefined) walk.scanIds.add(data.scan_id);
  if (data.origin === undefined) return;
  const { sequence } = data.origin;
  // An origin is known by its user and socket too.
  const id = `${data.peer?.role ?? ''}:${data.peer?.uid ?? ''}:${data.origin.id}`;
  const seen = walk.origins.get(id) ?? new Set<number>();
  if (seen.has(sequence)) walk.twice.push(`entry ${entry.sequence} repeats number ${sequence} of origin ${id}`);
  walk.origins.set(id, seen.add(sequence));
}

/** An origin numbers its entries from 1 and sends them in order, so a hole is an entry that was lost. */
function originProblems({ origins, twice }: Walk): LedgerEvidence['problems'] {
  const holes = [...origins].flatMap(([id, numbers]) => {
    const most = Math.max(...numbers);
    const missing = Array.from({ length: most }, (_, index) => index + 1).filter((number) => !numbers.has(number));
    return missing.length === 0 ? [] : [`origin ${id}: ${missing.length} of ${most} numbers are missing, the first is ${missing[0] ?? 0}`];
  });
  return [
    ...twice.slice(0, 3).map((detail) => ({ what: 'origin-entry-twice', detail })),
    ...holes.slice(0, 3).map((detail) => ({ what: 'origin-entry-lost', detail })),
  ];
}
