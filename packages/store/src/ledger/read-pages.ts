/**
 * Gives a ledger to a walk, pages of it at once where the addon is there: SQLite makes one BLOB of each page, the addon
 * checks it, and the walk takes whole what holds. Everything else goes entry by entry, which names what is wrong.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { AuditEntry } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import type { LedgerFailure, LedgerWalk } from '@sentineld/ledger/walk';
import { bodyHashOf } from '@sentineld/ledger/walk-body';
import type { CheckpointFeed } from '@sentineld/ledger/walk-feed';
import { readEntries } from './read-entries.ts';
import { readBody, type LedgerSchemaName } from './read-rows.ts';

/** Rows as one BLOB, as PAGE_SQL makes it. */
export type EntryPage = {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly count: number;
  /** Of every row. */
  readonly formatVersion: number;
  readonly keyId: string;
};

/** Rows one after the other that have the same epoch. */
export type PageRun = { readonly firstRow: number; readonly epoch: number };

/** Memory for what comes of a page: leaf hashes, and where in the page each row ends. */
export type PageRoom = { readonly leaves: Uint8Array; readonly ends: Uint32Array; readonly runs: Float64Array };

/** What the addon has for this (packages/native/src/ledger-hash.ts). */
export type PageChecker = {
  readonly entryRoom: (rows: number) => PageRoom;
  readonly checkEntries: (
    page: EntryPage,
    before: { readonly sequence: number; readonly timestampMs: number; readonly entryHash: Uint8Array },
    room: PageRoom,
  ) => { readonly rows: number; readonly runs: readonly PageRun[]; readonly lastTimestampMs: number; readonly clockWentBack: number };
};

export type PageFeed = {
  readonly db: DatabaseSync;
  readonly schema: LedgerSchemaName;
  /** True where entries before the start are there and are not to be read. */
  readonly isPart: boolean;
  /** The newest entry to read. */
  readonly lastSequence: number;
  readonly checkpoints: CheckpointFeed;
  /** Null: everything goes entry by entry. */
  readonly checker: PageChecker | null;
  /** Told after each page: the newest entry that was given. */
  readonly step: (sequence: number) => void;
};

/** So many rows are some hundred KiB as a rule: below what malloc asks the kernel for each time. */
const PAGE_ROWS = 400;
/** Where the addon takes fewer of a page, the rest goes one by one: reading it again would be no gain. */
const FEW_ROWS = 50;
const HASH_BYTES = 32;

/**
 * Rows that the addon may be asked about: every column has its type (numbers sort before texts and texts before blobs, which
 * is cheaper to ask than typeof; a plus keeps SQLite from converting what it compares; where nothing is said of an empty BLOB
 * the addon takes no empty text), and no signature.
 */
const PLAIN_ROW_SQL = [
  '+format_version = ?',
  '+key_id = ?',
  "(+actor = 'procmond' OR +actor = 'sentinelagent' OR +actor = 'sentinelcli')",
  ...['timestamp', 'epoch'].map((name) => `+${name} < ''`),
  ...['action', 'event_data'].map((name) => `+${name} BETWEEN '' AND x''`),
  ...['payload_hash', 'prev_hash', 'entry_hash'].map((name) => `+${name} >= x'' AND octet_length(${name}) = ${HASH_BYTES}`),
  'signature IS NULL',
].join(' AND ');

/** The form that the addon reads. */
const PAGE_SQL =
  "group_concat(concat_ws(char(10), sequence, timestamp, epoch, actor, action, event_data, payload_hash, prev_hash, entry_hash), '')";

/** Gives everything up to `lastSequence`. Throws what readEntries throws, and store.corrupt where it finds nothing of what is left. */
export function feedPages(walk: LedgerWalk, feed: PageFeed): LedgerFailure | null {
  const { checker, checkpoints, lastSequence, step } = feed;
  const takePage: PageTaker = checker === null ? (through) => through : pageTaker(walk, feed, checker);
  let failure = checkpoints.give(walk);
  while (failure === null && walk.position().sequence < lastSequence) {
    const before = walk.position().sequence;
    // The first goes by itself, so that what comes before it is seen.
    const isFirst = before === walk.start;
    const through = Math.min(lastSequence, before + (isFirst ? 1 : PAGE_ROWS));
    const taken = isFirst ? through : takePage(through);
    if (typeof taken !== 'number') failure = taken;
    else if (walk.position().sequence < taken) failure = giveOneByOne(walk, feed, taken - walk.position().sequence);
    if (failure === null && walk.position().sequence === before) throw unfound(before + 1, lastSequence);
    step(walk.position().sequence);
  }
  return failure ?? checkpoints.giveRest(walk);
}

/** The next entries that there are, `rows` at most: where one is missing the walk is told by the one after it. */
function giveOneByOne(walk: LedgerWalk, feed: PageFeed, rows: number): LedgerFailure | null {
  const { db, schema, isPart, lastSequence, checkpoints } = feed;
  // From the first row that there is, where nothing was taken yet: also what has no business being there.
  const after = walk.position().sequence;
  const from = after === walk.start && !isPart ? {} : { fromSequence: after + 1 };
  let left = rows;
  for (const entry of readEntries(db, { schema, ...from, throughSequence: lastSequence, pageRows: Math.min(rows, 200) })) {
    const failure = walk.entry(entry, bodyOf(db, schema, entry)) ?? checkpoints.give(walk);
    if (failure !== null) return failure;
    if (--left === 0) break;
  }
  return null;
}

function bodyOf(db: DatabaseSync, schema: LedgerSchemaName, { eventData, formatVersion }: AuditEntry): string | null {
  const hash = formatVersion === 1 ? null : bodyHashOf(eventData);
  return hash === null ? null : readBody(db, hash, schema);
}

/** Takes what it can of the rows up to a number; gives the number up to which the next are to go one by one. */
type PageTaker = (through: number) => LedgerFailure | number;

function pageTaker(walk: LedgerWalk, { db, schema, checkpoints }: PageFeed, checker: PageChecker): PageTaker {
  const read = pageReader(db, schema);
  const room = checker.entryRoom(PAGE_ROWS);
  return (through) => {
    const { sequence, entryHash } = walk.position();
    const page = read(sequence, through);
    if (page === null) return through;
    const before = { sequence, timestampMs: walk.lastTimestampMs(), entryHash };
    const { rows, runs, lastTimestampMs, clockWentBack } = checker.checkEntries(page, before, room);
    // Where the clock was set back is told entry by entry.
    const count = clockWentBack === 0 ? rows : 0;
    const failure = count === 0 ? null : takeRuns(walk, checkpoints, { ...page, count, room, runs, lastTimestampMs });
    // Given back at once: waiting for the collector, pages would fill the memory.
    page.bytes.buffer.transfer(0);
    if (failure !== null) return failure;
    return count < FEW_ROWS ? through : Math.min(through, sequence + count + 1);
  };
}

type CheckedPage = EntryPage & {
  readonly room: PageRoom;
  readonly runs: readonly PageRun[];
  readonly lastTimestampMs: number;
};

/** In pieces that end with a run, and where a checkpoint or somebody who knows the tree of a size wants to see it. */
function takeRuns(walk: LedgerWalk, checkpoints: CheckpointFeed, page: CheckedPage): LedgerFailure | null {
  const { bytes, count, formatVersion, keyId, room, runs, lastTimestampMs } = page;
  const start = walk.position().sequence;
  let row = 0;
  for (const [at, run] of runs.entries()) {
    const runEnd = runs[at + 1]?.firstRow ?? count;
    while (row < runEnd) {
      const wanted = [checkpoints.nextSize(), walk.nextSize()].map((size) => (size === null || size <= start + row ? count : size - start));
      const end = Math.min(runEnd, ...wanted);
      const last = room.ends[end - 1] ?? 0;
      const taken = walk.run({
        count: end - row,
        entryHash: bytes.slice(last - HASH_BYTES, last),
        leaves: room.leaves.subarray(row * HASH_BYTES, end * HASH_BYTES),
        formatVersion,
        epoch: run.epoch,
        keyId,
        lastTimestampMs: end === count ? lastTimestampMs : null,
      });
      if (!taken) return null;
      row = end;
      const failure = checkpoints.give(walk);
      if (failure !== null) return failure;
    }
  }
  return null;
}

/**
 * Reads the rows after a number up to another. Null where not all of them can be asked about at once, or SQLite cannot make
 * one BLOB of them: a row that is too large is for the way entry by entry.
 */
function pageReader(db: DatabaseSync, schema: LedgerSchemaName): (after: number, through: number) => EntryPage | null {
  const form = db.prepare(`SELECT format_version AS version, key_id AS key FROM ${schema}.audit_ledger WHERE sequence = ?`);
  const rows = `FROM ${schema}.audit_ledger WHERE sequence > ? AND sequence <= ? AND ${PLAIN_ROW_SQL}`;
  const plain = db.prepare(`SELECT count(*) AS rows, CAST(${PAGE_SQL} AS BLOB) AS page ${rows}`);
  return (after, through) => {
    try {
      const { version, key } = form.get(after + 1) ?? {};
      if (typeof version !== 'number' || typeof key !== 'string') return null;
      const { rows: count, page } = plain.get(after, through, version, key) ?? {};
      if (count !== through - after || !(page instanceof Uint8Array) || !(page.buffer instanceof ArrayBuffer)) return null;
      return { bytes: new Uint8Array(page.buffer, page.byteOffset, page.byteLength), count, formatVersion: version, keyId: key };
    } catch {
      return null;
    }
  };
}

function unfound(first: number, last: number): SentinelError {
  return new SentinelError('store.corrupt', {
    message: `The ledger cannot be read: it has entry ${last}, and none is found from ${first} on.`,
    hint: 'Keep the file as it is and look at the disk; entries before the damage may be readable.',
  });
}
