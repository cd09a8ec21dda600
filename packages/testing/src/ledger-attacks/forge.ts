/**
 * What an attacker can do who knows the format: change entries and make every hash after them right again; with a key,
 * sign the checkpoints again too.
 */
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { AuditEntry } from '@sentineld/model/audit';
import { canonicalEntry, hashEntry, hashPayload } from '@sentineld/ledger/canonical-entry';
import { CHAIN_START } from '@sentineld/ledger/chain';
import { signCheckpoint } from '@sentineld/ledger/checkpoint';
import type { CheckpointRow } from '@sentineld/ledger/ledger-row';
import { appendLeaf, copyRange, emptyRange, encodeRange, leafHash, rootOf, type CompactRange } from '@sentineld/ledger/merkle';
import { verifierKey, type Signer } from '@sentineld/ledger/note';
import { readCheckpoints, readEntries } from '@sentineld/store/ledger/read';

export type Forgery = {
  /** What becomes of all entries, in their new order; they are numbered and hashed anew. */
  readonly change: (entries: readonly AuditEntry[]) => readonly AuditEntry[];
  /** Who signs the checkpoint of a row again; null leaves the row as it is. Left out, all are left. */
  readonly signerOf?: (row: CheckpointRow) => Signer | null;
};

/** Writes all entries anew. */
export function forge(db: DatabaseSync, { change, signerOf = () => null }: Forgery): void {
  const rows = [...readCheckpoints(db)];
  const entries = [...readEntries(db)];
  const trees: CompactRange[] = [emptyRange()];
  const made: AuditEntry[] = [];
  const range = emptyRange();
  let prevHash = CHAIN_START.entryHash;
  for (const [at, entry] of change(entries).entries()) {
    const fields = { ...entry, sequence: at + 1, prevHash, payloadHash: hashPayload(entry.eventData) };
    const entryHash = hashEntry(fields);
    made.push({ ...fields, entryHash });
    appendLeaf(range, leafHash(canonicalEntry(fields)));
    trees.push(copyRange(range));
    prevHash = entryHash;
  }
  db.exec('DELETE FROM audit_ledger');
  for (const entry of made) insertEntry(db, entry);
  for (const row of rows) {
    const signer = signerOf(row);
    const tree = trees[row.treeSize];
    const chain = made[row.treeSize - 1]?.entryHash;
    if (signer !== null && tree !== undefined && chain !== undefined) signAgain(db, row, signer, tree, chain);
  }
}

export function insertEntry(db: DatabaseSync, entry: AuditEntry): void {
  db.prepare(
    `INSERT INTO audit_ledger (sequence, timestamp, actor, action, payload_hash, prev_hash, entry_hash, signature, event_data, format_version, epoch, key_id)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    entry.sequence,
    entry.timestampMs,
    entry.actor,
    entry.action,
    entry.payloadHash,
    entry.prevHash,
    entry.entryHash,
    entry.signature,
    entry.eventData,
    entry.formatVersion,
    entry.epoch,
    entry.keyId,
  );
}

/** A checkpoint for the row's epoch over another tree, by whoever signs it. */
function signAgain(db: DatabaseSync, row: CheckpointRow, signer: Signer, tree: CompactRange, chain: Uint8Array): void {
  const rootHash = rootOf(tree);
  const { note } = signCheckpoint(
    { origin: signer.key.name, treeSize: row.treeSize, rootHash, epoch: row.epoch, timestampMs: row.timestampMs, chain },
    signer,
  );
  db.prepare('UPDATE audit_checkpoint SET root_hash = ?, key_id = ?, note = ?, tree_range = ? WHERE epoch = ?').run(
    rootHash,
    signer.key.id,
    note,
    encodeRange(tree),
    row.epoch,
  );
}

/** A key of the attacker's own, under the name of the ledger. */
export function strangerFor(name: string): Signer {
  const seed = Buffer.alloc(32, 7).toString('hex');
  const key = createPrivateKey({ key: Buffer.from(`302e020100300506032b657004220420${seed}`, 'hex'), format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
  return { key: verifierKey(name, publicKey), sign: (bytes) => sign(null, bytes, key) };
}
