/**
 * The row of audit_seal: where older entries were archived, and from where the ledger goes on.
 */
import { SentinelError } from '@sentineld/model/error';
import { HASH_BYTES } from '@sentineld/ledger/canonical-entry';
import { keyPeriodsFromJson, keyPeriodsToJson } from '@sentineld/ledger/keys';
import type { LedgerSeal, LedgerStart } from '@sentineld/ledger/ledger-row';
import { decodeRange, emptyRange, encodeRange } from '@sentineld/ledger/merkle';
import type { WriterDatabase } from '../open.ts';

/** Of a ledger from which nothing was archived. */
export const LEDGER_BEGINNING: LedgerStart = {
  sequence: 0,
  entryHash: new Uint8Array(HASH_BYTES),
  range: emptyRange(),
  epoch: 0,
  ledgerId: null,
  keys: [],
  isSigned: false,
};

type SealRow = {
  readonly sequence: number;
  readonly epoch: number;
  readonly entry_hash: Uint8Array;
  readonly tree_range: Uint8Array;
  readonly ledger_id: string;
  readonly host_id: string;
  readonly keys: string;
};

/** Null where nothing was archived. @throws SentinelError ledger.broken for a row that is no seal. */
export function readSealRow(db: WriterDatabase): (LedgerSeal & { readonly ledgerId: string }) | null {
  const row = db.prepare<[], SealRow>('SELECT sequence, epoch, entry_hash, tree_range, ledger_id, host_id, keys FROM audit_seal').get();
  if (row === undefined) return null;
  const range = decodeRange(row.sequence, row.tree_range);
  const keys = keyPeriodsFromJson(jsonOf(row.keys), row.ledger_id);
  if (range === null || typeof keys === 'string') {
    const why = typeof keys === 'string' ? keys : 'its tree_range is not of its size';
    throw new SentinelError('ledger.broken', {
      message: `The seal of ${db.name} cannot be read.`,
      why,
      hint: 'Keep the file as evidence, and put it back from a backup.',
      context: { path: db.name, sequence: row.sequence, what: 'seal', why },
    });
  }
  const { sequence, epoch, entry_hash: entryHash, ledger_id: ledgerId, host_id: hostId } = row;
  return { sequence, epoch, entryHash, range, ledgerId, hostId, keys, isSigned: true };
}

/** Takes the place of the seal before. */
export function writeSealRow(db: WriterDatabase, seal: LedgerSeal): void {
  db.prepare(
    `INSERT OR REPLACE INTO audit_seal (only, sequence, epoch, entry_hash, tree_range, ledger_id, host_id, keys)
     VALUES (1, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    seal.sequence,
    seal.epoch,
    seal.entryHash,
    encodeRange(seal.range),
    seal.ledgerId,
    seal.hostId,
    JSON.stringify(keyPeriodsToJson(seal.keys)),
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
