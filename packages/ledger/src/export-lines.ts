/**
 * Exports of a ledger, line by line (docs/ledger-format.md, section Export): how each line is written. A line is one JSON
 * object and ends with a line feed.
 */
import { SentinelError } from '@sentineld/model/error';
import type { CheckpointNotice } from '@sentineld/model/audit';
import { originOf } from './checkpoint.ts';
import { type EntryWithBody, entryToJson } from './entry-json.ts';
import { type KeyPeriod, keyPeriodsToJson } from './keys.ts';
import type { CompactRange } from './merkle.ts';

export const EXPORT_FORMAT = 'sentineld-ledger-export';
export const EXPORT_VERSION = 1;

/** Bytes of one line at most, without its line feed. */
export const MAX_EXPORT_LINE_BYTES: number = 2 * 1024 * 1024;

export type ExportHeader = {
  readonly ledgerId: string;
  readonly hostId: string;
  /** Numbers of the first and the last entry; the last is the tree size of the last checkpoint in the file. */
  readonly from: number;
  readonly to: number;
  /** What comes before the first entry: the hash of the entry before, 32 zero bytes at the beginning, and the tree up to there. */
  readonly entryHash: Uint8Array;
  readonly range: CompactRange;
  /** Keys that sign from the first epoch in the file on. */
  readonly keys: readonly KeyPeriod[];
};

export type ExportCounts = { readonly entries: number; readonly checkpoints: number };

/** The first line. */
export function exportHeaderLine({ ledgerId, hostId, from, to, entryHash, range, keys }: ExportHeader): string {
  return line({
    type: 'header',
    format: EXPORT_FORMAT,
    version: EXPORT_VERSION,
    origin: originOf(ledgerId),
    ledger_id: ledgerId,
    host_id: hostId,
    from,
    to,
    start: { sequence: from - 1, entry_hash: hex(entryHash), tree_range: range.nodes.map(hex) },
    keys: keyPeriodsToJson(keys),
  });
}

/** @throws SentinelError ledger.broken where the line would be longer than what is read again. */
export function exportEntryLine(entry: EntryWithBody): string {
  const text = line({ type: 'entry', ...entryToJson(entry) });
  const bytes = Buffer.byteLength(text) - 1;
  if (bytes <= MAX_EXPORT_LINE_BYTES) return text;
  const { sequence } = entry.entry;
  const why = `it takes ${bytes} bytes in an export, and an entry takes at most ${MAX_EXPORT_LINE_BYTES}`;
  throw new SentinelError('ledger.broken', { message: `Entry ${sequence} cannot be exported: ${why}.`, context: { sequence, why } });
}

/** A checkpoint comes directly after the entry with the number of its tree size, or after the header. */
export function exportCheckpointLine({ epoch, treeSize, timestampMs, note }: CheckpointNotice): string {
  return line({ type: 'checkpoint', epoch, tree_size: treeSize, timestamp: timestampMs, note });
}

/** The last line, by which a file that was cut short is told. */
export function exportEndLine({ entries, checkpoints }: ExportCounts): string {
  return line({ type: 'end', entries, checkpoints });
}

function line(members: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify(members)}\n`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
