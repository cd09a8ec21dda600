/**
 * Rows of audit_ledger as entries. Rows are not trusted: a file that was edited may hold any type in any column, and
 * text that is not UTF-8 or has a NUL, which a library would change silently; so texts are read as bytes.
 */
import type { AuditEntry } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';

/** A row as either library gives it. */
export type EntryRow = Readonly<Record<string, unknown>>;

const TEXT_COLUMNS = ['actor', 'action', 'key_id', 'event_data'] as const;

/** Columns to select for `entryFromRow`; integers must be read as bigint. A text column of another type gives NULL. */
export const ENTRY_COLUMNS_SQL: string = [
  'sequence, timestamp, format_version, epoch, payload_hash, prev_hash, entry_hash, signature',
  ...TEXT_COLUMNS.map((name) => `CASE typeof(${name}) WHEN 'text' THEN CAST(${name} AS BLOB) END AS ${name}`),
].join(', ');

/** Keeps a byte order mark and refuses what is not UTF-8, so that encoding the text again gives the stored bytes. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws SentinelError ledger.broken with context.sequence, where a column has not the type it must have. */
export function entryFromRow(columns: EntryRow): AuditEntry {
  const sequence = wholeNumber(columns, 'sequence', Number.NaN);
  return {
    sequence,
    timestampMs: wholeNumber(columns, 'timestamp', sequence),
    formatVersion: wholeNumber(columns, 'format_version', sequence),
    epoch: wholeNumber(columns, 'epoch', sequence),
    keyId: text(columns, 'key_id', sequence),
    actor: text(columns, 'actor', sequence),
    action: text(columns, 'action', sequence),
    payloadHash: bytes(columns, 'payload_hash', sequence),
    prevHash: bytes(columns, 'prev_hash', sequence),
    entryHash: bytes(columns, 'entry_hash', sequence),
    signature: columns['signature'] === null ? null : bytes(columns, 'signature', sequence),
    eventData: text(columns, 'event_data', sequence),
  };
}

function wholeNumber(columns: EntryRow, name: string, sequence: number): number {
  const value = columns[name];
  const number = typeof value === 'bigint' ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw broken(Number.isNaN(sequence) ? number : sequence, `${name} is not a whole number below 2^53`);
}

function bytes(columns: EntryRow, name: string, sequence: number): Uint8Array {
  const value = columns[name];
  if (value instanceof Uint8Array) return value;
  throw broken(sequence, `${name} is not a BLOB`);
}

function text(columns: EntryRow, name: string, sequence: number): string {
  try {
    const value = columns[name];
    if (value instanceof Uint8Array) return decoder.decode(value);
  } catch {
    throw broken(sequence, `${name} is not UTF-8`);
  }
  throw broken(sequence, `${name} is not text`);
}

function broken(sequence: number, why: string): SentinelError {
  return new SentinelError('ledger.broken', { message: `Entry ${sequence}: ${why}.`, context: { sequence, what: 'row', why } });
}
