/**
 * Writes a part of the ledger as docs/ledger-format.md has it: whole epochs from an entry on, up to a signed checkpoint. What
 * is written is held against the root of that checkpoint while it is made, so that no file is handed on that does not hold.
 */
import { SentinelError } from '@sentineld/model/error';
import { exportCheckpointLine, exportEndLine, exportEntryLine, exportHeaderLine, type ExportCounts } from '@sentineld/ledger/export-file';
import type { KeyPeriod } from '@sentineld/ledger/keys';
import { appendLeaf, copyRange, rootOf, type CompactRange } from '@sentineld/ledger/merkle';
import { bodyHashOf } from '@sentineld/ledger/walk-body';
import { leavesOf, nearestRange, type Leaf } from './leaf-stream.ts';
import { brokenError, startOf, type LedgerView, type HeldCheckpoint } from './ledger-view.ts';

export type ExportPlan = {
  readonly from: number;
  /** Tree size of the last checkpoint. */
  readonly to: number;
  readonly last: HeldCheckpoint;
  /** The tree from which leaves are read, to come to that before `from`. */
  readonly near: CompactRange;
};

/** Numbers of entries that were asked for; null for the oldest there is, and for the newest that is signed. */
export type ExportRange = { readonly from: number | null; readonly to: number | null };

/** @throws SentinelError usage.invalid for entries that are not there, or that no checkpoint covers. */
export function planExport(ledger: LedgerView, range: ExportRange): ExportPlan {
  const before = startOf(ledger.seal()).sequence;
  const newest = ledger.newestCheckpoint();
  const from = range.from ?? before + 1;
  const end = ledger.newestEntry()?.sequence ?? before;
  if (from <= before)
    throw usage(
      `entry ${from} is not in the ledger any more`,
      `entries up to ${before} were archived`,
      'sentinelcli audit status names the files; they have the same form',
    );
  if (from > end || (range.to ?? 0) > end)
    throw usage(
      `there is no entry ${from > end ? from : (range.to ?? end)}`,
      `the newest is ${end}`,
      'sentinelcli audit log shows the numbers',
    );
  const last = range.to === null ? newest : ledger.firstCovering(range.to);
  if (last === null || last.checkpoint.treeSize < from) {
    const signed = newest?.checkpoint.treeSize ?? 0;
    throw usage(
      `no checkpoint covers entry ${range.to ?? from} yet`,
      signed === 0 ? 'nothing of the ledger is signed' : `the newest covers ${signed} entries`,
      'sentinelcli audit checkpoint makes one; then ask again',
    );
  }
  return { from, to: last.checkpoint.treeSize, last, near: nearestRange(ledger, from - 1) };
}

/** Takes lines as they are made, and says whether more are wanted. */
export type LineSink = { readonly write: (text: string) => void; readonly goesOn: () => Promise<boolean> };

/** Entries between two looks at whether more is wanted. */
const BATCH = 200;

/** False where nobody took the rest. @throws SentinelError ledger.broken where the entries have not the root that was signed. */
export async function writeExport(
  ledger: LedgerView,
  plan: ExportPlan,
  sink: LineSink,
  step: (done: number) => void,
): Promise<ExportCounts | null> {
  const { from, to, near } = plan;
  const leaves = leavesOf(ledger, near.size + 1, to);
  const tree = copyRange(near);
  let done = 0;
  const take = ({ leaf }: Leaf): void => {
    appendLeaf(tree, leaf);
    step(++done);
  };
  for (let size = near.size + 1; size < from; size++) take(nextLeaf(leaves));
  const first = nextLeaf(leaves);
  const epoch = Math.max(1, first.entry.epoch);
  sink.write(headerOf(ledger, plan, first, copyRange(tree)));
  const checkpoints = checkpointsFrom(ledger, epoch, plan.last.checkpoint.epoch);
  let next = checkpoints.next();
  const counts = { entries: 0, checkpoints: 0 };
  for (let leaf = first; ; leaf = nextLeaf(leaves)) {
    take(leaf);
    const bodyHash = bodyHashOf(leaf.entry.eventData);
    sink.write(exportEntryLine({ entry: leaf.entry, body: bodyHash === null ? null : ledger.body(bodyHash) }));
    counts.entries += 1;
    for (; next.done !== true && next.value.checkpoint.treeSize === leaf.entry.sequence; next = checkpoints.next()) {
      checkTree(next.value, tree, leaf);
      sink.write(exportCheckpointLine(next.value.checkpoint));
      counts.checkpoints += 1;
    }
    if (leaf.entry.sequence === to) break;
    if (counts.entries % BATCH === 0 && !(await sink.goesOn())) return null;
  }
  if (next.done !== true)
    throw brokenError(
      `The checkpoint of epoch ${next.value.checkpoint.epoch} does not hold.`,
      'it is of fewer entries than those before it',
    );
  sink.write(exportEndLine(counts));
  return counts;
}

function nextLeaf(leaves: Iterator<Leaf, void, undefined>): Leaf {
  const next = leaves.next();
  if (next.done !== true) return next.value;
  throw new SentinelError('internal.bug', { message: 'the entries ended before the one that was asked for' });
}

function headerOf(ledger: LedgerView, { from, to }: ExportPlan, first: Leaf, range: CompactRange): string {
  const { ledgerId, hostId } = ledger.identity();
  return exportHeaderLine({ ledgerId, hostId, from, to, entryHash: first.entry.prevHash, range, keys: keysAt(ledger, first) });
}

/** The key of the first epoch. Later ones are announced by entries in the file, and count from there. */
function keysAt(ledger: LedgerView, { entry: first }: Leaf): readonly KeyPeriod[] {
  const known = ledger.keys().filter(({ entry }) => entry === null || entry.sequence < first.sequence || first.sequence === 1);
  const key = known.findLast(({ period }) => period.firstEpoch <= Math.max(1, first.epoch));
  return key === undefined || first.formatVersion === 1 ? [] : [key.period];
}

function* checkpointsFrom(ledger: LedgerView, first: number, last: number): Generator<HeldCheckpoint, void, undefined> {
  for (let epoch = first; epoch <= last; epoch++) {
    const checkpoint = ledger.checkpointOf(epoch);
    if (checkpoint === null)
      throw brokenError(`The checkpoint of epoch ${epoch} is not in the ledger.`, 'each epoch ends with one, also without entries');
    yield checkpoint;
  }
}

function checkTree({ checkpoint }: HeldCheckpoint, tree: CompactRange, { entry }: Leaf): void {
  const isSame = Buffer.compare(rootOf(tree), checkpoint.rootHash) === 0 && Buffer.compare(entry.entryHash, checkpoint.chain) === 0;
  if (isSame) return;
  throw brokenError(
    `The ledger does not have the root that its checkpoint of epoch ${checkpoint.epoch} signs.`,
    'an entry was changed since, or the checkpoint',
  );
}

function usage(message: string, why: string, hint: string): SentinelError {
  return new SentinelError('usage.invalid', { message, why, hint });
}
