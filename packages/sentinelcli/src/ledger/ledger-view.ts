/**
 * What commands need of ledger.db beside its entries: its head, its checkpoints and what entries say of the ledger itself. The
 * file may have been changed by anyone who could write it: a row that is not what it should be is 'ledger.broken', and whether
 * all of it holds is for `audit verify`.
 */
import type { AuditEntry } from '@sentineld/model/audit';
import { SentinelError, messageOf } from '@sentineld/model/error';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import {
  checkpointOfEpoch,
  checkpointUpTo,
  openLedger,
  readBody,
  readCheckpoints,
  readEntries,
  readSeal,
  type StoredCheckpoint,
} from '@sentineld/store/ledger/read';
import { originOf, parseCheckpoint, type Checkpoint } from '@sentineld/ledger/checkpoint';
import { announceKey, KEY_ACTIONS, type KeyPeriod, type KeyTimeline } from '@sentineld/ledger/keys';
import type { LedgerSeal } from '@sentineld/ledger/ledger-row';
import { emptyRange, rootOf, type CompactRange } from '@sentineld/ledger/merkle';
import type { Note } from '@sentineld/ledger/note';
import { requireLedgerDatabase } from '../databases.ts';
import { isRecord, textField, type Fields } from '../fields.ts';

export type LedgerDatabase = ReturnType<typeof openLedger>;

export type LedgerIdentity = { readonly ledgerId: string; readonly hostId: string; readonly origin: string };

/** A checkpoint of the ledger, held against its own columns; `range` is the tree that it is the root of. */
export type HeldCheckpoint = { readonly checkpoint: Checkpoint; readonly signed: Note; readonly range: CompactRange };

/** A key and the entry that announced it; null where that entry was archived. */
export type AnnouncedKey = { readonly period: KeyPeriod; readonly entry: AuditEntry | null };

export type LedgerView = {
  readonly db: LedgerDatabase;
  /** Null where there is no checkpoint yet, or the ledger is of format version 1. */
  readonly newestCheckpoint: () => HeldCheckpoint | null;
  /** The first checkpoint that covers so many entries, or null. */
  readonly firstCovering: (size: number) => HeldCheckpoint | null;
  /** The newest checkpoint of at most so many entries, or null. */
  readonly newestWithin: (size: number) => HeldCheckpoint | null;
  readonly checkpointOf: (epoch: number) => HeldCheckpoint | null;
  readonly seal: () => LedgerSeal | null;
  readonly newestEntry: () => AuditEntry | null;
  readonly entryAt: (sequence: number) => AuditEntry | null;
  /** The body of details that are kept beside an entry, by the hash in hex; null where there is none. */
  readonly body: (hash: string) => string | null;
  readonly identity: () => LedgerIdentity;
  readonly keys: () => readonly AnnouncedKey[];
  /** Entries of some actions, in their order. */
  readonly entriesOf: (actions: readonly string[]) => readonly AuditEntry[];
};

/** Opens the ledger, does one thing and closes it. Throws 'store.*'. */
export async function withLedger<Result>(paths: StatePaths, work: (ledger: LedgerView) => Result | Promise<Result>): Promise<Result> {
  const db = openLedger(requireLedgerDatabase(paths));
  try {
    return await work(viewOf(db));
  } finally {
    db.close();
  }
}

function viewOf(db: LedgerDatabase): LedgerView {
  const view: LedgerView = {
    db,
    newestCheckpoint: () => held(checkpointUpTo(db, Number.MAX_SAFE_INTEGER)),
    firstCovering: (size) => {
      const before = checkpointUpTo(db, size - 1);
      if (before !== null) return held(checkpointOfEpoch(db, before.epoch + 1));
      for (const first of readCheckpoints(db)) return held(first);
      return null;
    },
    newestWithin: (size) => held(checkpointUpTo(db, size)),
    checkpointOf: (epoch) => held(checkpointOfEpoch(db, epoch)),
    seal: () => readSeal(db),
    newestEntry: () => entryAt(db, lastSequence(db)),
    entryAt: (sequence) => entryAt(db, sequence),
    body: (hash) => readBody(db, hash),
    identity: () => identityOf(readSeal(db), () => entryAt(db, 1)),
    keys: () => keysOf(view),
    entriesOf: (actions) => sequencesOf(db, actions).flatMap((sequence) => entryAt(db, sequence) ?? []),
  };
  return view;
}

function lastSequence(db: LedgerDatabase): number {
  const [row] = ask(db, 'SELECT max(sequence) AS sequence FROM audit_ledger');
  return Number(row?.['sequence'] ?? 0);
}

function sequencesOf(db: LedgerDatabase, actions: readonly string[]): readonly number[] {
  const sql = 'SELECT sequence FROM audit_ledger WHERE action IN (SELECT value FROM json_each(?)) ORDER BY sequence';
  return ask(db, sql, JSON.stringify(actions)).map(({ sequence }) => Number(sequence));
}

function ask(db: LedgerDatabase, sql: string, ...values: readonly string[]): readonly Readonly<Record<string, unknown>>[] {
  try {
    const statement = db.prepare(sql);
    statement.setReadBigInts(true);
    return statement.all(...values);
  } catch (cause) {
    throw new SentinelError('store.corrupt', {
      message: 'The ledger cannot be read',
      why: messageOf(cause),
      hint: 'Keep the file as it is and look at the disk; entries before the damage may be readable.',
      cause,
    });
  }
}

function entryAt(db: LedgerDatabase, sequence: number): AuditEntry | null {
  for (const entry of readEntries(db, { fromSequence: sequence, throughSequence: sequence })) return entry;
  return null;
}

/** A row, held against its own note. */
function held(row: StoredCheckpoint | null): HeldCheckpoint | null {
  if (row === null) return null;
  const { epoch, treeSize, timestampMs, rootHash, note, range } = row;
  const broken = (why: string): SentinelError => brokenError(`The checkpoint of epoch ${epoch} does not hold.`, why);
  const { checkpoint, signed } = readNote(note, broken);
  const isSame = checkpoint.epoch === epoch && checkpoint.treeSize === treeSize && checkpoint.timestampMs === timestampMs;
  if (!isSame || rootHash === null || !isSameHash(checkpoint.rootHash, rootHash)) throw broken('its note says something else than its row');
  if (range === null || !isSameHash(rootOf(range), checkpoint.rootHash)) throw broken('its tree has another root');
  return { checkpoint, signed, range };
}

function readNote(note: string, broken: (why: string) => SentinelError): ReturnType<typeof parseCheckpoint> {
  try {
    return parseCheckpoint(note);
  } catch (cause) {
    throw cause instanceof SentinelError ? broken(cause.why) : cause;
  }
}

function identityOf(seal: LedgerSeal | null, firstEntry: () => AuditEntry | null): LedgerIdentity {
  if (seal?.ledgerId !== undefined && seal.ledgerId !== null)
    return { ledgerId: seal.ledgerId, hostId: seal.hostId, origin: originOf(seal.ledgerId) };
  const fields = fieldsOf(firstEntry()?.eventData ?? '');
  const ledgerId = textField(fields, 'ledger_id');
  if (ledgerId === null) throw brokenError('The ledger has no id.', 'its first entry is missing, or does not say one');
  return { ledgerId, hostId: textField(fields, 'host_id') ?? '', origin: originOf(ledgerId) };
}

function keysOf(view: LedgerView): readonly AnnouncedKey[] {
  const seal = view.seal();
  const timeline: KeyTimeline = [...(seal?.keys ?? [])];
  const keys: AnnouncedKey[] = timeline.map((period) => ({ period, entry: null }));
  const { ledgerId } = view.identity();
  for (const entry of view.entriesOf(KEY_ACTIONS)) {
    const before = timeline.length;
    const wrong = announceKey(timeline, entry, ledgerId);
    if (wrong !== null) throw brokenError(`Entry ${entry.sequence} announces no key.`, wrong);
    const period = timeline.length > before ? timeline.at(-1) : undefined;
    if (period !== undefined) keys.push({ period, entry });
  }
  return keys;
}

/** The tree at the beginning of a ledger, or where its seal ends. */
export function startOf(seal: LedgerSeal | null): { readonly sequence: number; readonly range: CompactRange } {
  return seal === null ? { sequence: 0, range: emptyRange() } : { sequence: seal.sequence, range: seal.range };
}

export function brokenError(message: string, why: string): SentinelError {
  return new SentinelError('ledger.broken', { message, why });
}

/** The members of a JSON object; none where the text is no such thing. */
export function fieldsOf(text: string): Fields {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}

function isSameHash(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
