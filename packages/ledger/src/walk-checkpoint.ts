/**
 * A checkpoint as it is held against the entries before it: rules 9 to 12 of docs/ledger-format.md.
 */
import { SentinelError } from '@sentineld/model/error';
import { type ChainPosition, sameBytes } from './chain.ts';
import { originOf, parseCheckpoint, type Checkpoint } from './checkpoint.ts';
import { keyOfEpoch, type KeyPeriod } from './keys.ts';
import type { CheckpointRow } from './ledger-row.ts';
import { rootOf, type CompactRange } from './merkle.ts';
import { verifyNote, type Note } from './note.ts';
import type { LedgerFailure, LedgerFault } from './walk-failure.ts';

/** What is known when the checkpoint comes. */
export type CheckpointContext = {
  readonly ledgerId: string | null;
  readonly keys: readonly KeyPeriod[];
  /** Epoch and tree size of the checkpoint before. */
  readonly epoch: number;
  readonly treeSize: number;
  readonly position: ChainPosition;
  readonly range: CompactRange;
};

export type CheckpointRead = { readonly checkpoint: Checkpoint } | { readonly failure: LedgerFailure };

/** The checkpoint that closes the present epoch, or why it does not. */
export function checkpointOfRow(row: CheckpointRow, context: CheckpointContext): CheckpointRead {
  const missing = checkEpoch(row, context.epoch + 1);
  if (missing !== null) return { failure: missing };
  return readSigned(row, context, checkTree);
}

/** The checkpoint that a start is from: what is before the start is known by it alone. */
export function anchorOfRow(row: CheckpointRow, context: CheckpointContext): CheckpointRead {
  if (row.epoch !== context.epoch)
    return fail(row, 'seal', `the checkpoint of epoch ${context.epoch}, on which the start stands, is missing`);
  return readSigned(row, context, checkAnchor);
}

type TreeCheck = (checkpoint: Checkpoint, context: CheckpointContext) => CheckpointFault | null;
type CheckpointFault = readonly [what: LedgerFault, why: string];

function readSigned(row: CheckpointRow, context: CheckpointContext, checkTreeOf: TreeCheck): CheckpointRead {
  const read = parsed(row.note);
  if (typeof read === 'string') return fail(row, 'checkpoint', read);
  const { checkpoint, signed } = read;
  const fault =
    checkColumns(row, checkpoint, context.ledgerId) ?? checkSignature(row, signed, context.keys) ?? checkTreeOf(checkpoint, context);
  return fault === null ? { checkpoint } : fail(row, ...fault);
}

function checkEpoch({ epoch, treeSize }: CheckpointRow, expected: number): LedgerFailure | null {
  if (epoch === expected) return null;
  const missing = epoch - expected === 1 ? `the one of epoch ${expected} is` : `those of epochs ${expected} to ${epoch - 1} are`;
  const why =
    epoch > expected ? `a checkpoint of epoch ${epoch} follows, and ${missing} missing` : `a checkpoint of epoch ${epoch} comes again`;
  return { sequence: treeSize, what: 'checkpoint_missing', why, epoch: expected };
}

function parsed(note: string): ReturnType<typeof parseCheckpoint> | string {
  try {
    return parseCheckpoint(note);
  } catch (thrown) {
    if (thrown instanceof SentinelError && thrown.code === 'ledger.input') return `its note cannot be read: ${thrown.why}`;
    throw thrown;
  }
}

/** Rule 10. */
function checkColumns(row: CheckpointRow, checkpoint: Checkpoint, ledgerId: string | null): CheckpointFault | null {
  for (const name of ['epoch', 'treeSize', 'timestampMs'] as const) {
    if (row[name] !== checkpoint[name]) return ['checkpoint', `its note says ${name} ${checkpoint[name]}, and its row ${row[name]}`];
  }
  if (row.rootHash !== null && !sameBytes(row.rootHash, checkpoint.rootHash))
    return ['checkpoint', 'its note and its row have different roots'];
  if (ledgerId === null || checkpoint.origin !== originOf(ledgerId)) return ['checkpoint', 'its note is of another ledger'];
  return null;
}

/** Rule 11. */
function checkSignature(row: CheckpointRow, signed: Note, keys: readonly KeyPeriod[]): CheckpointFault | null {
  const key = keyOfEpoch(keys, row.epoch);
  if (key === null) return ['key', 'no entry up to here names the key of its epoch'];
  if (row.keyId !== null && row.keyId !== key.id) return ['key', `key_id is not ${key.id}, the key of epoch ${row.epoch}`];
  const found = verifyNote(signed, key);
  if (found === 'missing') return ['key', `it is not signed by ${key.id}, the key of epoch ${row.epoch}`];
  return found === 'valid' ? null : ['signature', `the signature is not by ${key.id} over what it says`];
}

/** Rule 12. */
function checkTree({ treeSize, rootHash, chain }: Checkpoint, context: CheckpointContext): CheckpointFault | null {
  const { sequence, entryHash } = context.position;
  if (treeSize < context.treeSize) return ['tree', `its tree has ${treeSize} entries, and the one before had ${context.treeSize}`];
  if (treeSize > sequence)
    return ['tree', `it covers entries up to ${treeSize}, and the newest is ${sequence}: ${gone(sequence + 1, treeSize)}`];
  if (treeSize < sequence) return ['tree', `it covers entries up to ${treeSize}, and comes after entry ${sequence}`];
  if (!sameBytes(chain, entryHash)) return ['tree', `it knows another entry ${treeSize}`];
  return sameBytes(rootHash, rootOf(context.range)) ? null : ['tree', `its root is not that of the ${treeSize} entries up to it`];
}

function checkAnchor({ treeSize, rootHash, chain }: Checkpoint, { position, range }: CheckpointContext): CheckpointFault | null {
  if (treeSize !== position.sequence)
    return ['seal', `it covers ${treeSize} entries, and the start comes after entry ${position.sequence}`];
  if (!sameBytes(chain, position.entryHash)) return ['seal', 'the entry hash before the start is not the one that it has'];
  return sameBytes(rootHash, rootOf(range)) ? null : ['seal', 'the tree before the start does not have its root'];
}

function gone(first: number, last: number): string {
  return first === last ? `entry ${first} is gone` : `entries ${first} to ${last} are gone`;
}

function fail({ epoch, treeSize }: CheckpointRow, what: LedgerFault, why: string): { readonly failure: LedgerFailure } {
  return { failure: { sequence: treeSize, what, why: `checkpoint of epoch ${epoch}: ${why}`, epoch } };
}
