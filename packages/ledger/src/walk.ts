/**
 * Goes through a ledger by the rules of docs/ledger-format.md: entries and checkpoints in their order, one at a time, in
 * memory that does not grow with the ledger. Pure: rows come from a database, an export or a test.
 */
import type { AuditEntry } from '@sentineld/model/audit';
import { canonicalEntry } from './canonical-entry.ts';
import { type ChainPosition, checkEntry } from './chain.ts';
import type { Checkpoint } from './checkpoint.ts';
import { announceKey, keyOfEpoch, type KeyPeriod, type KeyTimeline } from './keys.ts';
import type { CheckpointRow, LedgerStart } from './ledger-row.ts';
import { appendLeaf, copyRange, leafHash, rootOf, type CompactRange } from './merkle.ts';
import type { VerifierKey } from './note.ts';
import { checkBody } from './walk-body.ts';
import { anchorOfRow, checkpointOfRow } from './walk-checkpoint.ts';
import { archiveOf, ledgerIdOf, restoreOf, type ArchiveClaim, type RestoreClaim } from './walk-claims.ts';
import { checkEpoch, checkVersionOrder } from './walk-epoch.ts';
import type { LedgerFailure } from './walk-failure.ts';
import { appendLeaves } from './tree-hashing.ts';
import { createTrust, type Trust } from './walk-trust.ts';

export { ledgerIdOf, type ArchiveClaim, type RestoreClaim } from './walk-claims.ts';
export type { LedgerFailure } from './walk-failure.ts';

export type WalkOptions = {
  /** The keys to trust; null takes the ledger's own word for who signs it. */
  readonly trusted: readonly VerifierKey[] | null;
  /** Numbers of entries at which root and entry hash are wanted in the summary. */
  readonly sizes?: Iterable<number>;
};

/** The tree of so many entries, and the hash of the last of them. */
export type TreeAt = { readonly rootHash: Uint8Array; readonly entryHash: Uint8Array };

/** Entries that follow each other and hold by rules 1 to 7, all of one version, epoch and key, without signatures and claims. */
export type CheckedRun = {
  readonly count: number;
  /** entry_hash of the last. */
  readonly entryHash: Uint8Array;
  /** Hashes of the leaves, `count` times 32 bytes. */
  readonly leaves: Uint8Array;
  readonly formatVersion: number;
  readonly epoch: number;
  /** '' in format version 1, which has none. */
  readonly keyId: string;
  /** Milliseconds since 1970, of the last; null where its time is told with a later run. No time in it is below the one before. */
  readonly lastTimestampMs: number | null;
};

/** How far a ledger holds, as soon as it was gone through; also after a failure. */
export type WalkSummary = {
  /** What only the end shows: that there is no entry, or nothing signed by a key that is trusted. */
  readonly failure: LedgerFailure | null;
  /** The newest entry that holds. */
  readonly position: ChainPosition;
  /** The tree up to there. */
  readonly range: CompactRange;
  readonly ledgerId: string | null;
  readonly keys: readonly KeyPeriod[];
  /** Checkpoints that hold. */
  readonly checkpoints: number;
  /** The newest of them; null where there is none after the start. */
  readonly newest: Checkpoint | null;
  /** Entries that a checkpoint covers which is signed by a key of the ledger. */
  readonly signedSize: number;
  /** Entries that a checkpoint covers which is signed by a key that is trusted; 0 without keys to trust. */
  readonly trustedSize: number;
  /** Signatures of single entries, all of which hold. */
  readonly signatures: number;
  readonly at: ReadonlyMap<number, TreeAt>;
  readonly archives: readonly ArchiveClaim[];
  readonly restores: readonly RestoreClaim[];
  /** Worth a look, and no failure. */
  readonly notes: readonly string[];
};

/** After a failure nothing more may be given; `end` then tells how far it went. */
export type LedgerWalk = {
  /** The checkpoint that the start is from, before anything else: a start that is not the beginning stands on it. */
  readonly anchor: (row: CheckpointRow) => LedgerFailure | null;
  /** `body` is what audit_body has for an entry whose details are kept beside it; null for all others. */
  readonly entry: (entry: AuditEntry, body: string | null) => LedgerFailure | null;
  readonly checkpoint: (row: CheckpointRow) => LedgerFailure | null;
  /** Takes many at once; false where they are not what the rules ask for, and nothing has changed: then give them one by one. */
  readonly run: (run: CheckedRun) => boolean;
  /** Number of the entry before the first. */
  readonly start: number;
  /** The newest entry so far. */
  readonly position: () => ChainPosition;
  /** Time of it, in milliseconds since 1970; 0 before the first. */
  readonly lastTimestampMs: () => number;
  /** The next number at which the tree is wanted, or null: a run must not go beyond it. */
  readonly nextSize: () => number | null;
  readonly end: () => WalkSummary;
};

export function createWalk(start: LedgerStart, options: WalkOptions): LedgerWalk {
  const walk = begin(start, options);
  return {
    anchor: (row) => takeAnchor(walk, row),
    entry: (entry, body) => takeEntry(walk, entry, body),
    checkpoint: (row) => takeCheckpoint(walk, row),
    run: (run) => takeRun(walk, run),
    start: start.sequence,
    position: () => walk.position,
    lastTimestampMs: () => walk.lastTimestampMs,
    nextSize: () => walk.sizes[0] ?? null,
    end: () => summaryOf(walk),
  };
}

type Walk = {
  position: ChainPosition;
  ledgerId: string | null;
  isSigned: boolean;
  /** Of the newest checkpoint. */
  epoch: number;
  treeSize: number;
  newest: Checkpoint | null;
  checkpoints: number;
  signatures: number;
  lastTimestampMs: number;
  clockWentBack: number;
  firstClockWentBack: number;
  readonly start: LedgerStart;
  readonly range: CompactRange;
  readonly keys: KeyTimeline;
  readonly trust: Trust;
  /** At which the tree is wanted, from the next one on. */
  readonly sizes: number[];
  readonly at: Map<number, TreeAt>;
  readonly archives: ArchiveClaim[];
  readonly restores: RestoreClaim[];
  readonly notes: string[];
};

function begin(start: LedgerStart, { trusted, sizes = [] }: WalkOptions): Walk {
  const walk: Walk = {
    position: { sequence: start.sequence, entryHash: start.entryHash },
    ledgerId: start.ledgerId,
    isSigned: start.isSigned,
    epoch: start.epoch,
    treeSize: start.sequence,
    newest: null,
    checkpoints: 0,
    signatures: 0,
    lastTimestampMs: 0,
    clockWentBack: 0,
    firstClockWentBack: 0,
    start,
    range: copyRange(start.range),
    keys: [...start.keys],
    trust: createTrust(trusted, start.keys),
    sizes: [...new Set(sizes)].filter((size) => size >= start.sequence).toSorted((a, b) => a - b),
    at: new Map(),
    archives: [],
    restores: [],
    notes: [],
  };
  noteSize(walk);
  return walk;
}

function takeEntry(walk: Walk, entry: AuditEntry, body: string | null): LedgerFailure | null {
  const failure = checkVersionOrder(walk, entry) ?? checkEntry(walk.position, entry) ?? takeClaims(walk, entry) ?? checkEpoch(walk, entry);
  if (failure !== null) return failure;
  const wrong = entry.formatVersion === 1 ? null : checkBody(entry.eventData, body);
  if (wrong !== null) return { sequence: entry.sequence, what: 'body', why: wrong };
  walk.isSigned = entry.formatVersion !== 1;
  if (entry.signature !== null) walk.signatures += 1;
  appendLeaf(walk.range, leafHash(canonicalEntry(entry)));
  noteTime(walk, entry.sequence, entry.timestampMs);
  walk.position = { sequence: entry.sequence, entryHash: entry.entryHash };
  noteSize(walk);
  return null;
}

/** What an entry says of the ledger itself: keys, archives, restores. */
function takeClaims(walk: Walk, entry: AuditEntry): LedgerFailure | null {
  const { sequence, action } = entry;
  if (sequence === 1) walk.ledgerId = ledgerIdOf(entry.eventData);
  const before = walk.keys.length;
  const wrong = announceKey(walk.keys, entry, walk.ledgerId);
  if (wrong !== null) return { sequence, what: 'key', why: wrong };
  const period = walk.keys.length > before ? walk.keys.at(-1) : undefined;
  if (period !== undefined) {
    const distrusted = walk.trust.announce(period);
    if (distrusted !== null) return { sequence, what: 'key', why: distrusted };
    if (!period.isAnnounced)
      walk.notes.push(`Key ${period.key.id} signs from epoch ${period.firstEpoch} on (entry ${sequence}): no key before it announced it.`);
  }
  if (action === 'ledger_archive') walk.archives.push(archiveOf(entry));
  if (action === 'ledger_restore') walk.restores.push(restoreOf(entry));
  return null;
}

function takeAnchor(walk: Walk, row: CheckpointRow): LedgerFailure | null {
  const read = anchorOfRow(row, walk);
  if ('failure' in read) return read.failure;
  walk.newest = read.checkpoint;
  walk.trust.sign(row.epoch, walk.keys, row.treeSize);
  return null;
}

function takeCheckpoint(walk: Walk, row: CheckpointRow): LedgerFailure | null {
  const read = checkpointOfRow(row, walk);
  if ('failure' in read) return read.failure;
  walk.epoch = row.epoch;
  walk.treeSize = row.treeSize;
  walk.checkpoints += 1;
  walk.newest = read.checkpoint;
  walk.trust.sign(row.epoch, walk.keys, row.treeSize);
  return null;
}

function takeRun(walk: Walk, run: CheckedRun): boolean {
  // The first entry tells the id and the key of the ledger.
  if (walk.position.sequence === 0 || !isInTurn(walk, run)) return false;
  appendLeaves(walk.range, run.leaves, run.count);
  walk.isSigned = run.formatVersion !== 1;
  if (run.lastTimestampMs !== null) walk.lastTimestampMs = run.lastTimestampMs;
  walk.position = { sequence: walk.position.sequence + run.count, entryHash: run.entryHash };
  noteSize(walk);
  return true;
}

function isInTurn(walk: Walk, { formatVersion, epoch, keyId }: CheckedRun): boolean {
  if (formatVersion === 1) return !walk.isSigned && epoch === 0;
  const key = keyOfEpoch(walk.keys, epoch);
  return formatVersion === 2 && epoch === walk.epoch + 1 && key?.id === keyId;
}

function noteTime(walk: Walk, sequence: number, timestampMs: number): void {
  if (timestampMs < walk.lastTimestampMs) {
    walk.clockWentBack += 1;
    if (walk.clockWentBack === 1) walk.firstClockWentBack = sequence;
  }
  walk.lastTimestampMs = timestampMs;
}

function noteSize({ sizes, at, position, range }: Walk): void {
  if (sizes[0] !== position.sequence) return;
  sizes.shift();
  at.set(position.sequence, { rootHash: rootOf(range), entryHash: position.entryHash });
}

function summaryOf(walk: Walk): WalkSummary {
  const { position, range, ledgerId, keys, checkpoints, newest, signatures, at, archives, restores, notes, start, trust } = walk;
  const isEmpty = position.sequence === 0;
  const empty: LedgerFailure = { sequence: 1, what: 'empty', why: 'there is no entry, not even the one that a ledger starts with' };
  const untrusted = trust.missing(position.sequence);
  return {
    failure: isEmpty ? empty : untrusted,
    position,
    range: copyRange(range),
    ledgerId,
    keys: [...keys],
    checkpoints,
    newest,
    signedSize: newest?.treeSize ?? (start.epoch > 0 ? start.sequence : 0),
    trustedSize: trust.size(),
    signatures,
    at,
    archives,
    restores,
    notes: [...clockNotes(walk), ...notes],
  };
}

function clockNotes({ clockWentBack, firstClockWentBack }: Walk): string[] {
  if (clockWentBack === 0) return [];
  return [`The clock of the host was set back ${clockWentBack} times, first before entry ${firstClockWentBack}: times do not grow there.`];
}
