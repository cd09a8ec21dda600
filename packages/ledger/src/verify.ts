/**
 * Verifies a ledger as a whole: goes through it by the rules, holds it against what is known of it elsewhere, and says
 * what that does and does not show. Knows no database: a source gives its rows.
 */
import type { LedgerHead } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import { headOf } from './chain.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { KeyPeriod } from './keys.ts';
import type { VerifierKey } from './note.ts';
import { compareSeal } from './verify-seal.ts';
import type { LedgerSource } from './verify-source.ts';
import { whatItCannotShow, whatItShows } from './verify-text.ts';
import { compareWitnesses, sizesOf, type LedgerWitness } from './verify-witness.ts';
import { createWalk, type LedgerWalk, type WalkSummary } from './walk.ts';
import type { LedgerFailure } from './walk-failure.ts';

export type { LedgerSource } from './verify-source.ts';
export type { LedgerFailure } from './walk-failure.ts';
export type { LedgerWitness } from './verify-witness.ts';

export type VerifyOptions = {
  /** Ask for these BEFORE reading the entries, so that a ledger that grows meanwhile is no contradiction. */
  readonly witnesses?: readonly LedgerWitness[];
  /** The keys to trust; left out, the ledger's own word is taken for who signs it. */
  readonly trusted?: readonly VerifierKey[];
};

export type LedgerVerification = {
  readonly ok: boolean;
  /** The first entry that was verified: 1, or the first after a seal or of the part that was asked for. */
  readonly first: number;
  /** Entries that hold, counted from there. */
  readonly entries: number;
  /** The last of them. */
  readonly head: LedgerHead | null;
  readonly ledgerId: string | null;
  /** Checkpoints that hold, and the newest. */
  readonly checkpoints: number;
  readonly newestCheckpoint: Checkpoint | null;
  readonly keys: readonly KeyPeriod[];
  /** Entries up to this number are covered by a checkpoint that is signed; 0 where there is none. */
  readonly signedSize: number;
  /** The same, by a key that is trusted. */
  readonly trustedSize: number;
  /** The same, by a checkpoint that is known elsewhere. */
  readonly outsideSize: number;
  readonly failure?: LedgerFailure;
  /** Worth a look, but no failure. */
  readonly notes: readonly string[];
  /** What holds by this verification, and what it cannot know; sentences for people. */
  readonly shows: readonly string[];
  readonly cannotShow: readonly string[];
};

/**
 * Checks every entry and checkpoint by the rules of docs/ledger-format.md, then the seal, then the witnesses. Stops at
 * the first failure. Errors of the source other than a broken row are thrown on.
 */
export function verifyLedger(source: LedgerSource, options: VerifyOptions = {}): LedgerVerification {
  const { witnesses = [], trusted = null } = options;
  const sizes = sizesOf(witnesses);
  const walk = createWalk(source.start, { trusted, sizes });
  const broken = feedFrom(source, walk);
  const summary = walk.end();
  const seal = compareSeal(source, summary);
  const held = compareWitnesses(source, summary, witnesses, trusted ?? []);
  const failure = broken ?? summary.failure ?? untrustedPart(summary, trusted) ?? seal.failure ?? held.failure;
  return resultOf(source, summary, failure, { witnesses, trusted, seal, held });
}

function feedFrom(source: LedgerSource, walk: LedgerWalk): LedgerFailure | null {
  try {
    return anchorOf(source, walk) ?? source.feed(walk);
  } catch (thrown) {
    return failureOfRow(thrown);
  }
}

/** A key that only a seal names may be anybody's who could write the file. */
function untrustedPart({ trustedSize, signedSize }: WalkSummary, trusted: readonly VerifierKey[] | null): LedgerFailure | null {
  if (trusted === null || trustedSize >= signedSize) return null;
  const sequence = trustedSize + 1;
  const why = `entries from ${sequence} on are signed, but not by a key that you trust, nor by one that such a key announced in this file; an archive may have the announcement`;
  return { sequence, what: 'key', why };
}

function anchorOf({ start, anchor, seal }: LedgerSource, walk: LedgerWalk): LedgerFailure | null {
  if (start.sequence === 0) return null;
  const { sequence, epoch } = start;
  if (anchor === null)
    return { sequence, what: 'seal', why: `the checkpoint of epoch ${epoch}, on which the start stands, is missing`, epoch };
  const failure = walk.anchor(anchor);
  // Without a seal the start was read from the checkpoint itself.
  return failure?.what === 'seal' && seal === null ? { ...failure, what: 'tree' } : failure;
}

/** A reader throws ledger.broken for a row that is none; that is a finding, not an error of the verification. */
function failureOfRow(thrown: unknown): LedgerFailure {
  if (!(thrown instanceof SentinelError) || thrown.code !== 'ledger.broken') throw thrown;
  const { sequence, why } = thrown.context;
  if (typeof sequence !== 'number') throw thrown;
  return { sequence, what: 'row', why: typeof why === 'string' ? why : thrown.message };
}

/** What was found beside the rows themselves. */
type Findings = {
  readonly witnesses: readonly LedgerWitness[];
  readonly trusted: readonly VerifierKey[] | null;
  readonly seal: ReturnType<typeof compareSeal>;
  readonly held: ReturnType<typeof compareWitnesses>;
};

function resultOf(source: LedgerSource, summary: WalkSummary, failure: LedgerFailure | null, findings: Findings): LedgerVerification {
  const { position, ledgerId, checkpoints, newest, keys, signedSize, trustedSize, notes } = summary;
  const { seal, held, witnesses, trusted } = findings;
  const { start } = source;
  const told = { source, summary, failure, witnesses, trusted, outsideSize: held.outsideSize, outsideName: held.outsideName };
  const result = {
    ok: failure === null,
    first: start.sequence + 1,
    entries: position.sequence - start.sequence,
    head: position.sequence === 0 ? null : headOf(position),
    ledgerId,
    checkpoints,
    newestCheckpoint: newest,
    keys,
    signedSize,
    trustedSize,
    outsideSize: held.outsideSize,
    notes: [...notes, ...seal.notes, ...held.notes],
    shows: whatItShows(told),
    cannotShow: [...whatItCannotShow(told), ...seal.cannotShow, ...held.cannotShow],
  };
  return failure === null ? result : { ...result, failure };
}
