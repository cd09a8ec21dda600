/**
 * Checkpoints that left the ledger, held against the ledger as it is opened: whoever puts an old file in its place, or
 * writes one anew, would have had to change the copies too. What contradicts is said and recorded on all the same.
 */
import { SentinelError } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';
import { parseCheckpoint, type Checkpoint } from '@sentineld/ledger/checkpoint';
import { parseKey, verifyNote } from '@sentineld/ledger/note';
import type { LedgerWriter } from '@sentineld/store/ledger/writer';
import type { MirroredCheckpoint } from './mirror-file.ts';

/** A mirror and what is in it, oldest first. */
export type Witness = {
  readonly path: string;
  readonly checkpoints: readonly MirroredCheckpoint[];
};

export type Contradiction = {
  /** A sentence that says what to do. */
  readonly problem: string;
  /** Of the mirror. */
  readonly path: string;
  readonly epoch: number;
  readonly treeSize: number;
};

type OpenedLedger = Pick<LedgerWriter, 'head' | 'key' | 'newestCheckpoint'>;

const WHAT_TO_DO = 'was it put back from a backup? then say so with `sentinelcli audit restore`; otherwise it was tampered with';

/**
 * Call it before anything is appended. Of each witness the checkpoint of the largest tree counts: a ledger that was put back
 * goes on, and its newer checkpoints would hide what went before. One without a right signature counts for nothing; one by
 * a key that is not in use any more cannot be checked here, and `audit verify` says what it is.
 */
export function contradictionsOf(witnesses: readonly Witness[], ledger: OpenedLedger): readonly Contradiction[] {
  const key = parseKey(ledger.key().text);
  return witnesses.flatMap(({ path, checkpoints }): Contradiction[] => {
    const genuine = checkpoints.filter(({ signed }) => verifyNote(signed, key) !== 'invalid').map(({ checkpoint }) => checkpoint);
    const own = genuine.filter(({ origin }) => origin === key.name);
    const largest = own.reduce<Checkpoint | null>((found, one) => (found === null || isLarger(one, found) ? one : found), null);
    const problem = largest === null ? otherLedger(genuine.at(-1)) : (speaksAgainst(largest, ledger) ?? wentBack(own));
    if (problem === null) return [];
    const treeSize = largest?.treeSize ?? 0;
    const epoch = Math.max(0, ...own.map((one) => one.epoch));
    return [{ problem: `the mirror ${displayHostText(path)} ${problem}: ${WHAT_TO_DO}`, path, epoch, treeSize }];
  });
}

/** Those that a restore with these notes does not explain: it excuses what is not of a later epoch than one of them. */
export function unexcused(contradictions: readonly Contradiction[], notes: readonly string[]): readonly Contradiction[] {
  const epochs = notes.map((note) => parseCheckpoint(note).checkpoint.epoch);
  return contradictions.filter(({ epoch }) => !epochs.some((excused) => excused >= epoch));
}

function isLarger(one: Checkpoint, other: Checkpoint): boolean {
  return one.treeSize > other.treeSize || (one.treeSize === other.treeSize && one.epoch > other.epoch);
}

function speaksAgainst({ epoch, treeSize, rootHash }: Checkpoint, ledger: OpenedLedger): string | null {
  const { sequence } = ledger.head();
  const notice = ledger.newestCheckpoint();
  const newest = notice === null ? null : checkpointOf(notice.note);
  if (treeSize > sequence || epoch > (newest?.epoch ?? 0))
    return `has a checkpoint of epoch ${epoch} with ${treeSize} entries, and the ledger ends with epoch ${newest?.epoch ?? 0} and ${sequence} entries: it is older than a checkpoint that left it`;
  if (epoch === newest?.epoch && Buffer.compare(rootHash, newest.rootHash) !== 0)
    return `has another checkpoint of epoch ${epoch} than the ledger: entries were replaced after it was made`;
  return null;
}

/**
 * What a ledger that was put back went on with follows in the mirror on what it had been: it is still told at a later
 * start, when the ledger is the larger one.
 */
function wentBack(own: readonly Checkpoint[]): string | null {
  let before: Checkpoint | null = null;
  for (const one of own) {
    if (before !== null && one.epoch <= before.epoch && one.note !== before.note)
      return `has a checkpoint of epoch ${before.epoch} with ${before.treeSize} entries, and after it one of epoch ${one.epoch} with ${one.treeSize}: the ledger went back`;
    before = one;
  }
  return null;
}

/** Where it has something of this one too, several share it or one was begun anew: what the others say is nothing to it. */
function otherLedger(last: Checkpoint | undefined): string | null {
  if (last === undefined) return null;
  return `has checkpoints of another ledger alone, ${displayHostText(last.origin)}: the ledger that it knows is not here`;
}

function checkpointOf(note: string): Checkpoint {
  try {
    return parseCheckpoint(note).checkpoint;
  } catch (cause) {
    throw new SentinelError('internal.bug', { message: 'The ledger gave a checkpoint that cannot be read.', cause });
  }
}
