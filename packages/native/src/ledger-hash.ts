/**
 * Hashing for the audit ledger, as the addon gives it: BLAKE3, the nodes of the SHA-256 tree, and pages of entries that are
 * checked in one call (c/ledger-page.c; docs/ledger-format.md has every byte). What is wrong with an entry is not said
 * here: the verifier takes the same entry by itself and names it.
 */

const HASH_BYTES = 32;
/** Numbers of a run, and of a page (c/ledger-hash.c). */
const RUN_NUMBERS = 2;
const TOLD_NUMBERS = 4;
/** Flags of the hash without key and context. */
const PLAIN = 0;

/** Rows as SQLite made one BLOB of them; see `checkEntries`. */
export type EntryPage = {
  readonly bytes: Uint8Array;
  /** Rows that it has. */
  readonly count: number;
  /** Of every row: these columns are not in the page. */
  readonly formatVersion: number;
  readonly keyId: string;
};

/** Entry before a page: of the row before, or sequence 0, time 0 and 32 zero bytes at the beginning of a ledger. */
export type EntryBefore = { readonly sequence: number; readonly timestampMs: number; readonly entryHash: Uint8Array };

/** Memory for what comes of a page. The caller makes it once and uses it for every page; see `entryRoom`. */
export type EntryRoom = {
  /** Leaf hashes (docs/ledger-format.md, Tree), 32 bytes a row. */
  readonly leaves: Uint8Array;
  /** Where in the page each row ends: its entry_hash is the 32 bytes before. */
  readonly ends: Uint32Array;
  /** Numbers of the runs, as the addon writes them; `EntriesChecked.runs` are made of them. */
  readonly runs: Float64Array;
};

/** Rows one after the other that have the same epoch. */
export type EntryRun = {
  /** Number of its first row in the page, from 0; the run ends where the next one begins. */
  readonly firstRow: number;
  readonly epoch: number;
};

export type EntriesChecked = {
  /** Rows that hold, from the first on. Fewer than the page has: the row after them is wrong, or is one that this cannot judge. */
  readonly rows: number;
  /** Of the rows that hold; empty where none does. */
  readonly runs: readonly EntryRun[];
  /** Time of the last row that holds, or that of the row before the page. */
  readonly lastTimestampMs: number;
  /** Rows whose time is below that of the row before. */
  readonly clockWentBack: number;
  /** Number of the first of them in the page, or -1. */
  readonly firstClockWentBack: number;
};

/** Memory for pages of up to `rows` rows. */
export function entryRoom(rows: number): EntryRoom {
  return { leaves: new Uint8Array(rows * HASH_BYTES), ends: new Uint32Array(rows), runs: new Float64Array(rows * RUN_NUMBERS) };
}

/** What the C files export for this. Memory for what comes of it is the caller's. */
export type LedgerHashCalls = {
  /**
   * BLAKE3 in one of its modes, as many bytes as `out` has (1 to 65,536). `flags` are 0 for the plain hash, 16 for the keyed
   * one, 32 for the context of a derived key and 64 for its material; 16 and 64 need a key of 32 bytes.
   */
  readonly blake3: (bytes: Uint8Array, out: Uint8Array, flags: number, key?: Uint8Array) => void;
  readonly sha256Leaves: (messages: Uint8Array, ends: Uint32Array, out: Uint8Array) => void;
  readonly sha256Nodes: (children: Uint8Array, out: Uint8Array) => void;
  readonly checkEntryPage: (
    page: Uint8Array,
    count: number,
    formatVersion: number,
    keyId: Uint8Array,
    sequence: number,
    timestampMs: number,
    entryHash: Uint8Array,
    leaves: Uint8Array,
    ends: Uint32Array,
    runs: Float64Array,
    told: Float64Array,
  ) => number;
  /**
   * The name of the code that hashes. With a number it is that code from now on, for the whole process: 0 is what every
   * processor can run, further ones are faster; undefined, and no change, where this processor cannot.
   */
  readonly hashCode: (number?: number) => string | undefined;
};

export type LedgerHash = {
  /** BLAKE3, 32 bytes in a new array. */
  readonly blake3: (bytes: Uint8Array) => Uint8Array;
  /**
   * SHA-256 of 00 and each message, into `out` (32 bytes a message). Messages lie one behind the other and end where `ends`
   * says. Throws a TypeError with code ERR_INVALID_ARG_VALUE for one of more than 1,024 bytes.
   */
  readonly sha256Leaves: LedgerHashCalls['sha256Leaves'];
  /** SHA-256 of 01 and two children of 32 bytes, for each pair in `children` (64 bytes a pair), into `out` (32 bytes a pair). */
  readonly sha256Nodes: LedgerHashCalls['sha256Nodes'];
  /**
   * Checks the rows of a page of entries and writes their leaf hashes and ends into `room`, for the rows that hold.
   *
   * The page is what this makes of rows in the order of their sequence, as a BLOB:
   *
   *     group_concat(concat_ws(char(10), sequence, timestamp, epoch, actor, action, event_data, payload_hash, prev_hash, entry_hash), '')
   *
   * A row holds where its sequence is one more than that of the row before, prev_hash is the entry_hash of the row before,
   * payload_hash and entry_hash are right, texts are UTF-8 (as WHATWG decoders take it), numbers are at most 2^53 - 1, and it
   * is of format version 1 with epoch 0 and no key_id, or of version 2 with an epoch from 1 and a key_id of 8 digits or
   * lower-case letters from a to f. Some rows are not judged here, they count as rows that do not hold: with a line break in
   * a text or an empty one, with more than 512 canonical bytes, with an event_data of more than 16 KiB (256 KiB in version 1), with an action
   * that begins with key_ or ledger_, and with details that are kept beside the entry.
   *
   * Left to the caller: the types of the columns, and that each hash has 32 bytes (other columns could be written into the
   * same page, since a hash may have a line break in it); the order of format versions, epochs and keys against checkpoints;
   * signatures; and what event_data says.
   *
   * Throws a TypeError with code ERR_INVALID_ARG_VALUE where `before` or `room` do not fit; never for what is in the page.
   */
  readonly checkEntries: (page: EntryPage, before: EntryBefore, room: EntryRoom) => EntriesChecked;
  /** What these are made of. */
  readonly hashCalls: LedgerHashCalls;
};

export function bindLedgerHash(calls: LedgerHashCalls): LedgerHash {
  // The addon writes here and a copy is given away: of a new array it would need the address, and V8 move it out of its heap.
  const hash = new Uint8Array(HASH_BYTES);
  const told = new Float64Array(TOLD_NUMBERS);
  return {
    blake3(bytes) {
      calls.blake3(bytes, hash, PLAIN);
      return hash.slice();
    },
    sha256Leaves: calls.sha256Leaves,
    sha256Nodes: calls.sha256Nodes,
    hashCalls: calls,
    checkEntries({ bytes, count, formatVersion, keyId }, { sequence, timestampMs, entryHash }, { leaves, ends, runs }) {
      const key = Buffer.from(keyId);
      const rows = calls.checkEntryPage(bytes, count, formatVersion, key, sequence, timestampMs, entryHash, leaves, ends, runs, told);
      const [runCount = 0, lastTimestampMs = 0, clockWentBack = 0, firstClockWentBack = -1] = told;
      return {
        rows,
        runs: Array.from({ length: runCount }, (_, at) => runOf(runs, at)),
        lastTimestampMs,
        clockWentBack,
        firstClockWentBack,
      };
    },
  };
}

function runOf(runs: Float64Array, at: number): EntryRun {
  const [firstRow = 0, epoch = 0] = runs.subarray(at * RUN_NUMBERS, (at + 1) * RUN_NUMBERS);
  return { firstRow, epoch };
}
