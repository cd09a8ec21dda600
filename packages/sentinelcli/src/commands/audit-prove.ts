/**
 * `sentinelcli audit prove`: the proof of one entry, to be shown to somebody who does not have the ledger.
 */
import { SentinelError } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';
import { keyOfEpoch } from '@sentineld/ledger/keys';
import { inclusionProver, verifyInclusion } from '@sentineld/ledger/merkle';
import { formatProof, makeProof } from '@sentineld/ledger/proof';
import { verifyNote } from '@sentineld/ledger/note';
import { bodyHashOf } from '@sentineld/ledger/walk-body';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { leavesOf, nearestRange, type Leaf } from '../ledger/leaf-stream.ts';
import { brokenError, withLedger, type LedgerView, type HeldCheckpoint } from '../ledger/ledger-view.ts';
import { flag, readOrdinal, text } from '../option.ts';
import { startNewFile } from '../output/new-file.ts';
import { startProgress } from '../output/progress.ts';
import { roughSize } from '../output/times.ts';

export const auditProve: Command = defineCommand({
  name: 'audit prove',
  summary: 'Write the proof that one entry is in the signed ledger',
  description:
    'The entry, the hashes from it to the root of the newest checkpoint, and that checkpoint, in one file. Whoever has the key of the ledger can verify it without the ledger: sentinelcli audit verify-proof, or sentinel-verify. It shows nothing of other entries but their hashes.',
  positionals: [{ name: 'SEQ', summary: 'the number of the entry, as "audit log" shows it', required: true }],
  options: {
    out: text('FILE', 'A new file instead of standard output'),
    force: flag('Replace the file where there is one'),
  },
  examples: [
    { line: 'sentinelcli audit prove 4711 --out entry-4711.json', what: 'to hand an entry on' },
    { line: 'sentinelcli audit prove 1 | jq .entry', what: 'the first entry and its proof' },
  ],
  run: async (context, [word = ''], { out, force }) => {
    const sequence = readOrdinal(`SEQ ${word}`, word, 'sentinelcli audit log shows the numbers');
    if (force && out === null)
      throw new SentinelError('usage.invalid', {
        message: '--force needs --out',
        why: 'there is no file to be replaced',
        hint: 'write --out=FILE, or leave --force out',
      });
    // A place that cannot be written is told before a long ledger is read.
    const file = out === null ? null : startNewFile(out, { force });
    try {
      const { proof, checkpoint } = await withLedger(context.paths(), (ledger) => prove(context, ledger, sequence));
      const { terminal } = context;
      const told = `entry ${sequence} is in the tree of ${checkpoint.treeSize} entries, signed as epoch ${checkpoint.epoch} ended`;
      if (file === null) {
        terminal.out(formatProof(proof));
        terminal.err(terminal.errStyles.dim(told) + '\n');
      } else {
        file.write(formatProof(proof));
        terminal.out(`${displayHostText(file.name)}: ${told}, ${roughSize(file.complete())}\n`);
      }
      return 0;
    } finally {
      file?.discard();
    }
  },
});

function prove(context: CommandContext, ledger: LedgerView, sequence: number) {
  const newest = requireCovering(ledger, sequence);
  requireSigned(ledger, newest);
  const { checkpoint } = newest;
  const index = sequence - 1;
  const range = nearestRange(ledger, index);
  const prover = inclusionProver(index, checkpoint.treeSize, range);
  const progress = startProgress(context.terminal, 'proving', checkpoint.treeSize - range.size);
  let proven: Leaf | null = null;
  let done = 0;
  try {
    for (const leaf of leavesOf(ledger, range.size + 1, checkpoint.treeSize)) {
      prover.add(leaf.leaf);
      if (leaf.entry.sequence === sequence) proven = leaf;
      progress.step(++done);
    }
  } finally {
    progress.end();
  }
  if (proven === null) throw new SentinelError('internal.bug', { message: `entry ${sequence} was not among those that were read` });
  const hashes = prover.proof();
  if (!verifyInclusion(index, checkpoint.treeSize, proven.leaf, hashes, checkpoint.rootHash))
    throw brokenError(
      `The ledger does not have the root that its checkpoint of epoch ${checkpoint.epoch} signs.`,
      'an entry was changed since, or the checkpoint',
    );
  const bodyHash = bodyHashOf(proven.entry.eventData);
  const proof = makeProof({ entry: proven.entry, body: bodyHash === null ? null : ledger.body(bodyHash) }, hashes, checkpoint.note);
  return { proof, checkpoint };
}

/** Nothing is handed on that whoever gets it would have to refuse. */
function requireSigned(ledger: LedgerView, { checkpoint, signed }: HeldCheckpoint): void {
  const key = keyOfEpoch(
    ledger.keys().map(({ period }) => period),
    checkpoint.epoch,
  );
  if (key !== null && verifyNote(signed, key) === 'valid') return;
  throw brokenError(
    `The checkpoint of epoch ${checkpoint.epoch} is not signed by the key of its epoch.`,
    'it was changed since, or made by another',
  );
}

/** The newest checkpoint, where it covers the entry. */
function requireCovering(ledger: LedgerView, sequence: number): HeldCheckpoint {
  const last = ledger.newestEntry()?.sequence ?? 0;
  const sealed = ledger.seal()?.sequence ?? 0;
  if (sequence > last)
    throw usage(
      `there is no entry ${sequence}`,
      last === 0 ? 'the ledger is empty' : `the newest is ${last}`,
      'sentinelcli audit log shows the numbers',
    );
  if (sequence <= sealed)
    throw usage(
      `entry ${sequence} is not in the ledger any more`,
      `entries up to ${sealed} were archived`,
      'sentinelcli audit status names the files; sentinel-verify verifies one as a whole',
    );
  const newest = ledger.newestCheckpoint();
  if (newest !== null && newest.checkpoint.treeSize >= sequence) return newest;
  throw usage(
    `no checkpoint covers entry ${sequence} yet`,
    newest === null ? 'nothing of the ledger is signed' : `the newest covers ${newest.checkpoint.treeSize} entries`,
    'sentinelcli audit checkpoint makes one; then ask again',
  );
}

function usage(message: string, why: string, hint: string): SentinelError {
  return new SentinelError('usage.invalid', { message, why, hint });
}
