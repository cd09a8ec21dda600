/**
 * Holds a ledger that was gone through against what others know of it: heads, which are a number and a hash, and
 * checkpoints that left the host, which nobody can make up without its key.
 */
import type { LedgerHead } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import { sameBytes } from './chain.ts';
import { originOf, parseCheckpoint, type Checkpoint } from './checkpoint.ts';
import { verifyNote, type Note, type VerifierKey } from './note.ts';
import type { LedgerSource } from './verify-source.ts';
import type { RestoreClaim, WalkSummary } from './walk.ts';
import type { LedgerFailure } from './walk-failure.ts';

/** What somebody else keeps: the agent's file, a running procmond, a mirror, a note on paper. */
export type LedgerWitness = {
  /** Who says so, for people: "the agent's file". */
  readonly name: string;
} & ({ readonly head: LedgerHead } | { readonly checkpoint: string });

export type WitnessFindings = {
  /** The contradiction with the lowest number, or null. */
  readonly failure: LedgerFailure | null;
  readonly notes: readonly string[];
  readonly cannotShow: readonly string[];
  /** Entries that the newest checkpoint known elsewhere covers which agrees, and who knows it. */
  readonly outsideSize: number;
  readonly outsideName: string;
};

/** An epoch has at most so many entries (`ledger.checkpoint_entries`): as far a head can be beyond the checkpoints that are known. */
const MOST_ENTRIES_OF_AN_EPOCH = 100_000;

type Known =
  | { readonly name: string; readonly size: number; readonly head: LedgerHead }
  | { readonly name: string; readonly size: number; readonly checkpoint: Checkpoint; readonly signed: Note };

/** What one witness comes to: it agrees, it contradicts, or cannot be held against what was read. */
type Verdict = { readonly is: 'agrees' | 'unknown' } | { readonly is: 'contradicts' | 'excused'; readonly why: string };

/** The numbers of entries at which roots and hashes are wanted. */
export function sizesOf(witnesses: readonly LedgerWitness[]): readonly number[] {
  return witnesses.map((witness) => readWitness(witness)).flatMap((known) => (typeof known === 'string' ? [] : [known.size]));
}

export function compareWitnesses(
  source: LedgerSource,
  summary: WalkSummary,
  witnesses: readonly LedgerWitness[],
  trusted: readonly VerifierKey[],
): WitnessFindings {
  const read = witnesses.map((witness) => readWitness(witness));
  const notes = read.filter((known) => typeof known === 'string');
  const known = read.filter((each) => typeof each !== 'string').toSorted((a, b) => a.size - b.size);
  const context = { source, summary, keys: [...summary.keys.map(({ key }) => key), ...trusted] };
  let failure: LedgerFailure | null = null;
  let [outsideSize, outsideName, unknown] = [0, '', 0];
  for (const each of known) {
    const verdict = 'head' in each ? judgeHead(each, context) : judgeCheckpoint(each, context);
    if (verdict.is === 'contradicts') failure ??= { sequence: each.size, what: 'witness', why: verdict.why };
    else if (verdict.is === 'excused') notes.push(verdict.why);
    else if (verdict.is === 'unknown') unknown += 1;
    else if ('checkpoint' in each && each.size >= outsideSize) [outsideSize, outsideName] = [each.size, each.name];
  }
  const cannotShow =
    unknown === 0 ? [] : [`Whether ${unknown} of the witnesses are right: what they know is not in the part that was read.`];
  return { failure, notes: [...new Set(notes)], cannotShow, outsideSize, outsideName };
}

/** A sentence where it cannot be read: a line that was cut short proves nothing and contradicts nothing. */
function readWitness(witness: LedgerWitness): Known | string {
  const { name } = witness;
  if ('head' in witness) return { name, size: witness.head.sequence, head: witness.head };
  try {
    const { checkpoint, signed } = parseCheckpoint(witness.checkpoint);
    return { name, size: checkpoint.treeSize, checkpoint, signed };
  } catch (thrown) {
    if (thrown instanceof SentinelError && thrown.code === 'ledger.input') return `A checkpoint of ${name} cannot be read: ${thrown.why}.`;
    throw thrown;
  }
}

type Context = { readonly source: LedgerSource; readonly summary: WalkSummary; readonly keys: readonly VerifierKey[] };

function judgeHead({ name, size, head }: Known & { readonly head: LedgerHead }, { source, summary }: Context): Verdict {
  const last = summary.position.sequence;
  if (size <= source.start.sequence && size > 0 && !summary.at.has(size)) return { is: 'unknown' };
  if (size > last && !source.isToEnd) return { is: 'unknown' };
  const found = summary.at.get(size)?.entryHash;
  if (found !== undefined && Buffer.from(found).toString('hex') === head.entryHash) return { is: 'agrees' };
  const why =
    size > last
      ? `${name} knows entry ${size}, but the ledger ends at ${last}: ${goneFrom(last + 1, size)}`
      : `${name} knows another entry ${size}: entries up to there were replaced after they were witnessed`;
  const restore = signedRestores(summary).find(
    ({ sequence, abandoned }) => size >= sequence && abandoned.some(({ treeSize }) => size <= treeSize + MOST_ENTRIES_OF_AN_EPOCH),
  );
  return restore === undefined ? { is: 'contradicts', why } : { is: 'excused', why: excuse(why, restore) };
}

function judgeCheckpoint(known: Extract<Known, { checkpoint: Checkpoint }>, context: Context): Verdict {
  const { name, size, checkpoint } = known;
  const { source, summary } = context;
  const what = `${name} has a checkpoint of epoch ${checkpoint.epoch} and ${size} entries`;
  if (summary.ledgerId === null || checkpoint.origin !== originOf(summary.ledgerId))
    return {
      is: 'contradicts',
      why: `${what} of another ledger (${checkpoint.origin}): this file was put in its place, or it was begun anew`,
    };
  const isKnown = context.keys.some((key) => verifyNote(known.signed, key) === 'valid');
  if (isKnown && (size < source.start.sequence || (size > summary.position.sequence && !source.isToEnd))) return { is: 'unknown' };
  const against = isKnown ? differenceOf(known, summary) : ' that no key of this ledger signed: one of both is not genuine';
  if (against === null) return { is: 'agrees' };
  const why = `${what}${against}`;
  const restore = signedRestores(summary).find(
    ({ timestampMs, abandoned }) => timestampMs > checkpoint.timestampMs && abandoned.some(({ epoch }) => epoch >= checkpoint.epoch),
  );
  return restore === undefined ? { is: 'contradicts', why } : { is: 'excused', why: excuse(why, restore) };
}

/** What the ledger has instead of the tree of a checkpoint, or null. */
function differenceOf({ size, checkpoint }: Extract<Known, { checkpoint: Checkpoint }>, { position, at }: WalkSummary): string | null {
  const last = position.sequence;
  if (size > last) return `, and the ledger ends at ${last}: ${goneFrom(last + 1, size)}`;
  const found = at.get(size);
  if (found !== undefined && sameBytes(found.rootHash, checkpoint.rootHash) && sameBytes(found.entryHash, checkpoint.chain)) return null;
  return `, and the tree of the first ${size} entries has another root: entries up to there were replaced after they were signed`;
}

/** Anybody who can write the file can append an entry: one that no checkpoint covers excuses nothing. */
function signedRestores({ restores, signedSize }: WalkSummary): readonly RestoreClaim[] {
  return restores.filter(({ sequence }) => sequence <= signedSize);
}

function excuse(why: string, { sequence }: RestoreClaim): string {
  return `Excused by the ledger_restore entry ${sequence}: ${why}.`;
}

function goneFrom(first: number, last: number): string {
  return first === last ? `entry ${first} is gone` : `entries ${first} to ${last} are gone`;
}
