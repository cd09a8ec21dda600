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

/** Rows one after the other that have the same version, epoch and key; `keyId` is the 8 hex digits as a number. */
export type PageRun = { readonly firstRow: number; readonly formatVersion: number; readonly epoch: number; readonly keyId: number };

/** Memory for what comes of a page: leaf hashes, and where in the page each row ends. */
export type PageRoom = { readonly leaves: Uint8Array; readonly ends: Uint32Array; readonly runs: Float64Array };

/** What the addon has for this (packages/native/src/ledger-hash.ts). */
export type PageChecker = {
  readonly entryRoom: (rows: number) => PageRoom;
  readonly checkEntries: (
    page: Uint8Array,
    count: number,
    before: { readonly sequence: number; readonly timestampMs: number; readonly entryHash: Uint8Array },
    room: PageRoom,
  ) => { readonly rows: number; readonly runs: readonly PageRun[]; readonly lastTimestampMs: number; readonly clockWentBack: number };
  readonly sha256Nodes: (children: Uint8Array, out: Uint8Array) => void;
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

/** So many rows are some hundred KiB as a rule. */
const PAGE_ROWS = 1_000;
/** A page is read up to each row that cannot be taken at once; with more of them than this it is no gain. */
const FEW_OTHERS = 8;
const HASH_BYTES = 32;

/**
 * Rows that can be taken many at once: every column has its type (numbers sort before texts and texts before blobs, which
 * is cheaper to ask than typeof; a plus keeps SQLite from converting what it compares), no signature, no details beside the
 * entry, and nothing that the ledger says of itself: actions from key_create to ledger_restore in alphabetical order.
 */
const PLAIN_ROW_SQL = [
  "(+actor = 'procmond' OR +actor = 'sentinelagent' OR +actor = 'sentinelcli')",
  "(+action BETWEEN 'ledger_~' AND '~' OR +action BETWEEN '' AND 'key_')",
  "+key_id BETWEEN '' AND 'g'",
  `(+event_data BETWEEN '{"body":{~' AND '{~' OR +event_data BETWEEN '' AND '{"body":{')`,
  ...['timestamp', 'format_version', 'epoch'].map((name) => `+${name} < ''`),
  ...['payload_hash', 'prev_hash', 'entry_hash'].map((name) => `+${name} >= x''`),
  'signature IS NULL',
].join(' AND ');

/** The form that the addon reads. */
const ROW_SQL = `concat_ws(',', sequence, timestamp, format_version, epoch, octet_length(actor), octet_length(action), octet_length(key_id),
  octet_length(event_data), actor, action, key_id, event_data, payload_hash, prev_hash, entry_hash)`;

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

function pageTaker(walk: LedgerWalk, feed: PageFeed, checker: PageChecker): PageTaker {
  const { db, schema, checkpoints } = feed;
  const rows = `FROM ${schema}.audit_ledger WHERE sequence > ? AND sequence <= ? AND`;
  const plain = db.prepare(`SELECT count(*) AS rows, CAST(group_concat(${ROW_SQL}, '') AS BLOB) AS page ${rows} ${PLAIN_ROW_SQL}`);
  const firstOther = db.prepare(`SELECT min(sequence) AS sequence ${rows} (${PLAIN_ROW_SQL}) IS NOT TRUE`);
  const room = checker.entryRoom(PAGE_ROWS);
  const check = (bytes: Uint8Array<ArrayBuffer>, count: number): LedgerFailure | null => {
    const { sequence, entryHash } = walk.position();
    const before = { sequence, timestampMs: walk.lastTimestampMs(), entryHash };
    const { rows: holding, runs, lastTimestampMs, clockWentBack } = checker.checkEntries(bytes, count, before, room);
    const holds = holding === count && clockWentBack === 0;
    const failure = holds ? takeRuns(walk, checkpoints, { bytes, count, room, runs, lastTimestampMs }) : null;
    // Given back at once: waiting for the collector, pages would fill the memory.
    bytes.buffer.transfer(0);
    return failure;
  };
  return (through) => {
    const { sequence } = walk.position();
    const page = readPage(plain, sequence, through);
    if (page?.rows === through - sequence) return check(page.bytes, page.rows) ?? through;
    if (page === null || through - sequence - page.rows > FEW_OTHERS) return through;
    const other = otherIn(firstOther, sequence, through);
    if (other === null) return through;
    const until = readPage(plain, sequence, other - 1);
    if (until === null || until.rows === 0) return other;
    return check(until.bytes, until.rows) ?? other;
  };
}

type Page = {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly room: PageRoom;
  readonly runs: readonly PageRun[];
  readonly lastTimestampMs: number;
};

/** In pieces that end with a run, and where a checkpoint or somebody who knows the tree of a size wants to see it. */
function takeRuns(walk: LedgerWalk, checkpoints: CheckpointFeed, page: Page): LedgerFailure | null {
  const { bytes, count, room, runs, lastTimestampMs } = page;
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
        formatVersion: run.formatVersion,
        epoch: run.epoch,
        keyId: run.keyId,
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

/** Null where SQLite cannot make one BLOB of it: a row that is too large is for the way entry by entry. */
function readPage(
  statement: ReturnType<DatabaseSync['prepare']>,
  after: number,
  through: number,
): { readonly rows: number; readonly bytes: Uint8Array<ArrayBuffer> } | null {
  try {
    const { rows, page } = statement.get(after, through) ?? {};
    if (typeof rows !== 'number' || !(page instanceof Uint8Array) || !(page.buffer instanceof ArrayBuffer)) return null;
    return { rows, bytes: new Uint8Array(page.buffer, page.byteOffset, page.byteLength) };
  } catch {
    return null;
  }
}

/** The first row that is not a plain one; null where rows are only missing, or cannot be read. */
function otherIn(statement: ReturnType<DatabaseSync['prepare']>, after: number, through: number): number | null {
  try {
    const sequence = statement.get(after, through)?.['sequence'];
    return typeof sequence === 'number' ? sequence : null;
  } catch {
    return null;
  }
}

function unfound(first: number, last: number): SentinelError {
  return new SentinelError('store.corrupt', {
    message: `The ledger cannot be read: it has entry ${last}, and none is found from ${first} on.`,
    hint: 'Keep the file as it is and look at the disk; entries before the damage may be readable.',
  });
}
