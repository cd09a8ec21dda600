/**
 * Audit entries on their way to procmond, and the heads of the ledger that it acknowledged. An entry stays until it
 * is in the ledger; procmond recognises a repeated send by (generation, sequence).
 */
import { createHash, randomBytes } from 'node:crypto';
import type { AuditAction, AuditEvent, LedgerHead } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import type { OriginEntry } from '@sentineld/model/request';
import { readMetadata, writeMetadata } from '../migrations/system-metadata.ts';
import type { WriterDatabase } from '../open.ts';

/** UTF-8 bytes of an entry's data at most: half of what one frame of the socket holds, so that every entry can be sent. */
export const MAX_AUDIT_DATA_BYTES: number = 32 * 1024;

/** Bytes of data in one request, which leaves room for the rest of the frame. */
const MAX_BATCH_BYTES = 48 * 1024;

/** Upper bound of what surrounds the data of an entry in a request. */
const ENTRY_OVERHEAD_BYTES = 128;

const MAX_WITNESSES = 1_000;

export type AuditOutbox = {
  queue(event: AuditEvent, nowMs: number): void;
  next(limit: number): OriginEntry[];
  acknowledge(lastSequence: number, head: LedgerHead, nowMs: number): void;
  depth(): number;
  generation(): string;
};

/** `queue` and `acknowledge` must run within a transaction. */
export function prepareAuditOutbox(db: WriterDatabase): AuditOutbox {
  const insert = db.prepare<[number, string, string]>('INSERT INTO audit_outbox (created_ms, action, data) VALUES (?, ?, ?)');
  const oldest = db.prepare<[number], { sequence: number; action: AuditAction; data: string }>(
    'SELECT sequence, action, data FROM audit_outbox ORDER BY sequence LIMIT ?',
  );
  const count = db.prepare<[], { depth: number }>('SELECT count(*) AS depth FROM audit_outbox');
  const newestGiven = db.prepare<[], { seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'audit_outbox'");
  const remove = db.prepare<[number]>('DELETE FROM audit_outbox WHERE sequence <= ?');
  const witness = prepareWitnesses(db);

  return {
    queue: (event, nowMs) => void insert.run(nowMs, event.action, dataText(event.data)),
    next: (limit) => {
      const batch: OriginEntry[] = [];
      let sizeBytes = 0;
      for (const { sequence, action, data } of oldest.all(limit)) {
        sizeBytes += Buffer.byteLength(data) + ENTRY_OVERHEAD_BYTES;
        if (batch.length > 0 && sizeBytes > MAX_BATCH_BYTES) break;
        batch.push({ originSequence: sequence, event: { action, data: dataFrom(data) } });
      }
      return batch;
    },
    acknowledge: (lastSequence, head, nowMs) => {
      // procmond knows numbers that this file never gave: it is an older copy, and its next entries would pass for
      // repeats. Under a new generation they are sent again.
      if (lastSequence > (newestGiven.get()?.seq ?? 0)) writeMetadata(db, 'store_generation', randomBytes(16).toString('hex'), nowMs);
      else remove.run(lastSequence);
      witness(head, nowMs);
    },
    depth: () => count.get()?.depth ?? 0,
    generation: () => {
      const generation = readMetadata(db, 'store_generation');
      if (generation === undefined) throw new SentinelError('store.corrupt', { message: `${db.name} has no store_generation.` });
      return generation;
    },
  };
}

function prepareWitnesses(db: WriterDatabase): (head: LedgerHead, nowMs: number) => void {
  const insert = db.prepare<[number, string, number]>(
    'INSERT OR IGNORE INTO ledger_witness (sequence, entry_hash, seen_ms) VALUES (?, ?, ?)',
  );
  // By sequence, not by time: of a ledger that was cut off and started over, the old heads are the evidence.
  const prune = db.prepare(
    `DELETE FROM ledger_witness WHERE sequence < (SELECT sequence FROM ledger_witness ORDER BY sequence DESC LIMIT 1 OFFSET ${MAX_WITNESSES - 1})`,
  );
  return (head, nowMs) => {
    insert.run(head.sequence, head.entryHash, nowMs);
    prune.run();
  };
}

/** The data as text; of data that is too large to be sent, its size, its hash and how it starts. */
function dataText(data: AuditEvent['data']): string {
  const text = JSON.stringify(data);
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes <= MAX_AUDIT_DATA_BYTES) return text;
  return JSON.stringify({
    oversize: {
      size_bytes: sizeBytes,
      sha256: createHash('sha256').update(text).digest('hex'),
      start: text.slice(0, 2_000).toWellFormed(),
    },
  });
}

function dataFrom(text: string): AuditEvent['data'] {
  const value: unknown = JSON.parse(text);
  if (isObject(value)) return value;
  throw new SentinelError('store.corrupt', { message: 'An audit entry in the outbox is not an object.' });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
