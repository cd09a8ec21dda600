/**
 * Reads an export line by line. What is looked at is its form; whether it holds is for the rules of a ledger. Nobody
 * trusts the file yet, so every line is bounded and every member checked before it is used.
 */
import { SentinelError } from '@sentineld/model/error';
import { CHAIN_START, sameBytes } from './chain.ts';
import { originOf } from './checkpoint.ts';
import { HASH_BYTES } from './canonical-entry.ts';
import { type EntryWithBody, entryFromJson } from './entry-json.ts';
import { EXPORT_FORMAT, EXPORT_VERSION, MAX_EXPORT_LINE_BYTES, type ExportCounts, type ExportHeader } from './export-lines.ts';
import { hexBytes, membersOf, parseJson, type Members, type Refuse } from './json-members.ts';
import { keyPeriodsFromJson } from './keys.ts';
import type { CheckpointRow, LedgerStart } from './ledger-row.ts';
import { decodeRange, type CompactRange } from './merkle.ts';
import { textLines, type TextLine } from './text-lines.ts';

export type ExportRecord =
  | ({ readonly kind: 'entry'; readonly line: number } & EntryWithBody)
  | { readonly kind: 'checkpoint'; readonly line: number; readonly row: CheckpointRow };

export type ExportReading = {
  readonly header: ExportHeader;
  /** From where the entries are verified. */
  readonly start: LedgerStart;
  /** In the order of the file; to be gone through once. They end only where the file has its end line and nothing is missing. */
  readonly records: Iterable<ExportRecord>;
};

type Lines = Iterator<TextLine, void, undefined>;

/**
 * Reads the header; the rest is read as the records are asked for.
 * @throws SentinelError ledger.input, here or from the records, naming the line that is wrong, or the version that is not known.
 */
export function openExport(chunks: Iterable<Uint8Array>): ExportReading {
  const lines = textLines(chunks, MAX_EXPORT_LINE_BYTES, wrongExport)[Symbol.iterator]();
  const first = nextLine(lines, 0);
  const header = headerOf(members(first), refuseAt(first.number));
  const reader = recordsOf(lines, header);
  // What came before the file is told by the first that is in it.
  const next = reader.next();
  const record = next.done === true ? null : next.value;
  return { header, start: startOf(header, record), records: record === null ? [] : prepend(record, reader) };
}

/** The error of a file that is no export, or not all of one. */
function wrongExport(why: string): SentinelError {
  return new SentinelError('ledger.input', {
    message: 'This is no export of a ledger, or it was changed.',
    why,
    hint: 'Take the file whole, as `sentinelcli audit export` or `audit archive` wrote it; docs/ledger-format.md has its form.',
  });
}

function* recordsOf(lines: Lines, header: ExportHeader): Generator<ExportRecord, void, undefined> {
  let [entries, checkpoints, lastEntry, lastTreeSize] = [0, 0, header.from - 1, -1];
  for (let number = 2; ; number++) {
    const object = members(nextLine(lines, number - 1));
    const type = object.value('type');
    if (type === 'entry') {
      const read = entryFromJson(object);
      entries++;
      lastEntry = read.entry.sequence;
      yield { kind: 'entry', line: number, ...read };
    } else if (type === 'checkpoint') {
      const row = checkpointOf(object);
      checkpoints++;
      lastTreeSize = row.treeSize;
      yield { kind: 'checkpoint', line: number, row };
    } else if (type === 'end') {
      return checkEnd(object, lines, { entries, checkpoints, lastEntry, lastTreeSize, to: header.to }, refuseAt(number));
    } else throw refuseAt(number)('its `type` is not entry, checkpoint or end');
  }
}

type End = ExportCounts & { readonly lastEntry: number; readonly lastTreeSize: number; readonly to: number };

function checkEnd(object: Members, lines: Lines, end: End, refuse: Refuse): void {
  for (const name of ['entries', 'checkpoints'] as const) {
    const said = object.whole(name);
    if (said !== end[name]) throw refuse(`the end says ${said} ${name}, and ${end[name]} came`);
  }
  if (end.lastEntry !== end.to) throw refuse(`the header says that the last entry is ${end.to}, and it is ${end.lastEntry}`);
  if (end.lastTreeSize !== end.to) throw refuse(`the last checkpoint does not cover the entries up to ${end.to}, as the header says`);
  if (lines.next().done !== true) throw refuse('something follows the end');
}

function headerOf(object: Members, refuse: Refuse): ExportHeader {
  if (object.value('format') !== EXPORT_FORMAT) throw refuse(`its \`format\` is not ${EXPORT_FORMAT}`);
  const version = object.whole('version');
  if (version !== EXPORT_VERSION) throw unknownVersion(version);
  if (object.value('type') !== 'header') throw refuse('its `type` is not header');
  const ledgerId = object.text('ledger_id');
  if (object.text('origin') !== originOf(ledgerId)) throw refuse('`origin` is not that of `ledger_id`');
  const from = object.whole('from', 1);
  const to = object.whole('to', from);
  const { entryHash, range } = startMembers(object.object('start'), from, refuse);
  const keys = keyPeriodsFromJson(object.value('keys'), ledgerId);
  if (typeof keys === 'string') throw refuse(keys);
  return { ledgerId, hostId: object.text('host_id'), from, to, entryHash, range, keys };
}

function startMembers(start: Members, from: number, refuse: Refuse): Pick<ExportHeader, 'entryHash' | 'range'> {
  const sequence = start.whole('sequence');
  if (sequence !== from - 1) throw refuse(`it starts after entry ${sequence}, and \`from\` is ${from}`);
  const entryHash = start.hex('entry_hash', HASH_BYTES);
  if (from === 1 && !sameBytes(entryHash, CHAIN_START.entryHash)) throw refuse('`entry_hash` before entry 1 is not zero');
  const range = rangeOf(sequence, start.value('tree_range'));
  if (range === null) throw refuse(`\`tree_range\` is not the compact range of ${sequence} leaves`);
  return { entryHash, range };
}

function rangeOf(size: number, nodes: unknown): CompactRange | null {
  // A size has as many nodes as bits that are set.
  if (!Array.isArray(nodes) || nodes.length > 53) return null;
  const decoded = nodes.map((node) => hexBytes(node, HASH_BYTES) ?? new Uint8Array());
  return decoded.some(({ length }) => length === 0) ? null : decodeRange(size, Buffer.concat(decoded));
}

/** What was before the file, by the first that is in it: of which epoch it is, and which keys were announced by then. */
function startOf({ ledgerId, from, entryHash, range, keys }: ExportHeader, first: ExportRecord | null): LedgerStart {
  if (from === 1) return { ...CHAIN_START, range, epoch: 0, ledgerId: null, keys: [], isSigned: false };
  const epoch = first === null ? 0 : first.kind === 'checkpoint' ? first.row.epoch : first.entry.epoch;
  const lastKey = lastKeyEpoch(epoch, first);
  return {
    sequence: from - 1,
    entryHash,
    range,
    epoch: Math.max(0, epoch - 1),
    ledgerId,
    // All others have to be announced by entries in the file.
    keys: keys.filter(({ firstEpoch }) => firstEpoch <= lastKey),
    isSigned: first?.kind === 'checkpoint' || first?.entry.formatVersion !== 1,
  };
}

/** The newest first epoch that an entry before the file can have announced. */
function lastKeyEpoch(epoch: number, first: ExportRecord | null): number {
  // The last entry of the epoch is before the file, and may have announced the next key.
  if (first?.kind === 'checkpoint') return epoch + 1;
  return first?.entry.action === 'key_create' && first.entry.formatVersion !== 1 ? epoch - 1 : epoch;
}

function checkpointOf(object: Members): CheckpointRow {
  return {
    epoch: object.whole('epoch', 1),
    treeSize: object.whole('tree_size'),
    timestampMs: object.whole('timestamp'),
    rootHash: null,
    keyId: null,
    note: object.text('note'),
  };
}

function nextLine(lines: Lines, after: number): TextLine {
  const next = lines.next();
  if (next.done !== true) return next.value;
  throw new SentinelError('ledger.input', {
    message: after === 0 ? 'This file is empty.' : `This export is truncated: it ends after line ${after}.`,
    why: 'its last line is the end line, and there is none',
    hint: 'Take the file whole, or make the export again; what is missing cannot be verified.',
    context: { line: after },
  });
}

function members({ number, text }: TextLine): Members {
  const refuse = refuseAt(number);
  return membersOf(parseJson(text, refuse), 'the line', refuse);
}

function refuseAt(number: number): Refuse {
  return (why) => wrongExport(`line ${number}: ${why}`);
}

function unknownVersion(version: number): SentinelError {
  return new SentinelError('ledger.input', {
    message: `This export is of version ${version}, which is not known here.`,
    why: `this program knows version ${EXPORT_VERSION}`,
    hint: 'Verify it with the sentinel-verify of the release that wrote it, or of a later one.',
    context: { version },
  });
}

function* prepend(first: ExportRecord, rest: Iterable<ExportRecord>): Generator<ExportRecord, void, undefined> {
  yield first;
  yield* rest;
}
