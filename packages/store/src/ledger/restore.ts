/**
 * What a ledger says of itself after it was put back from a backup: which checkpoints that others have are not in its
 * history any more. Only what one of its own keys has signed counts.
 */
import type { AuditEvent } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';
import { type Checkpoint, originOf, parseCheckpoint } from '@sentineld/ledger/checkpoint';
import { verifyNote } from '@sentineld/ledger/note';
import type { WriterDatabase } from '../open.ts';
import type { LedgerState } from './ledger-state.ts';
import type { RestoreClaims } from './writer-contract.ts';

/** @throws SentinelError ledger.input for a note that is no checkpoint of this ledger, signed by a key that it names. */
export function restoreEvent({ reason, uid, notes }: RestoreClaims, state: LedgerState, db: WriterDatabase): AuditEvent {
  const isKept = keptCheckpoints(db);
  const checkpoints = notes.map((note) => signedCheckpoint(note, state));
  const abandoned = checkpoints
    .filter((checkpoint) => !isKept(checkpoint))
    .map(({ epoch, treeSize, rootHash }) => ({ epoch, tree_size: treeSize, root: Buffer.from(rootHash).toString('hex') }));
  return { action: 'ledger_restore', data: { reason, uid, abandoned } };
}

function signedCheckpoint(note: string, { ledgerId, keys }: LedgerState): Checkpoint {
  const { checkpoint, signed } = parseCheckpoint(note);
  const origin = originOf(ledgerId);
  const named = `The checkpoint of epoch ${checkpoint.epoch} with ${checkpoint.treeSize} entries`;
  if (checkpoint.origin !== origin) {
    throw new SentinelError('ledger.input', {
      message: `${named} is of another ledger.`,
      why: `its origin is ${displayHostText(checkpoint.origin)}, and this ledger's is ${origin}`,
      hint: 'Give checkpoints of this ledger only.',
    });
  }
  if (keys.some(({ key }) => verifyNote(signed, key) === 'valid')) return checkpoint;
  throw new SentinelError('ledger.input', {
    message: `${named} is not signed by a key of this ledger.`,
    why: 'it was changed, or it was signed by a key that came after the backup',
    hint: 'Leave it out; what it witnesses stays a contradiction.',
  });
}

/** Whether a checkpoint is in the ledger as it is: then nothing of it was given up. */
function keptCheckpoints(db: WriterDatabase): (checkpoint: Checkpoint) => boolean {
  const find = db.prepare<[number, number, Uint8Array], { epoch: number }>(
    'SELECT epoch FROM audit_checkpoint WHERE epoch = ? AND tree_size = ? AND root_hash = ?',
  );
  return ({ epoch, treeSize, rootHash }) => find.get(epoch, treeSize, rootHash) !== undefined;
}
