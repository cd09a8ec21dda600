/**
 * Where older entries were archived: the entry that says so must say the same as the seal.
 */
import { sameBytes } from './chain.ts';
import { keyPeriodsFromJson, type KeyPeriod } from './keys.ts';
import type { LedgerSeal } from './ledger-row.ts';
import { rootOf } from './merkle.ts';
import type { LedgerSource } from './verify-source.ts';
import type { ArchiveClaim, WalkSummary } from './walk.ts';
import type { LedgerFailure } from './walk-failure.ts';

export type SealFindings = {
  readonly failure: LedgerFailure | null;
  readonly notes: readonly string[];
  readonly cannotShow: readonly string[];
};

const NOTHING: SealFindings = { failure: null, notes: [], cannotShow: [] };

export function compareSeal({ seal, isToEnd }: LedgerSource, summary: WalkSummary): SealFindings {
  if (seal === null) return NOTHING;
  const claim = summary.archives.find(({ throughSequence }) => throughSequence === seal.sequence);
  const archived = `Entries 1 to ${seal.sequence} were archived`;
  if (claim === undefined) {
    if (!isToEnd)
      return {
        ...NOTHING,
        cannotShow: [`Whether entries 1 to ${seal.sequence} were archived or removed: the entry that says so was not read.`],
      };
    const why = `entries 1 to ${seal.sequence} are gone, and no ledger_archive entry says that they were archived`;
    return { ...NOTHING, failure: { sequence: seal.sequence, what: 'seal', why } };
  }
  const wrong = differenceOf(seal, claim);
  if (wrong !== null) {
    const why = `the seal and the ledger_archive entry ${claim.sequence} have different ${wrong}`;
    return { ...NOTHING, failure: { sequence: seal.sequence, what: 'seal', why } };
  }
  const file = claim.file === null ? 'a file that is not named' : claim.file;
  const unsigned = `Whether entries 1 to ${seal.sequence} were archived or removed: no checkpoint covers entry ${claim.sequence} yet, which says so.`;
  return {
    failure: null,
    notes: [`${archived} (entry ${claim.sequence}): they are in ${file}, which sentinel-verify verifies.`],
    cannotShow: claim.sequence > summary.signedSize ? [unsigned] : [],
  };
}

/** The member that is not the same, or null. */
function differenceOf(seal: LedgerSeal, claim: ArchiveClaim): string | null {
  if (claim.epoch !== seal.epoch) return 'epochs';
  if (!isHexOf(claim.root, rootOf(seal.range))) return 'roots';
  if (!isHexOf(claim.chain, seal.entryHash)) return 'entry hashes';
  const claimed = seal.ledgerId === null ? '' : keyPeriodsFromJson(claim.keys, seal.ledgerId);
  return typeof claimed !== 'string' && sameKeys(keysAt(claimed, seal.epoch), keysAt(seal.keys, seal.epoch)) ? null : 'keys';
}

/** The keys that sign up to the epoch after the seal; what comes later, entries after the seal announce. */
function keysAt(periods: readonly KeyPeriod[], epoch: number): readonly KeyPeriod[] {
  return periods.filter(({ firstEpoch }) => firstEpoch <= epoch + 1);
}

function sameKeys(a: readonly KeyPeriod[], b: readonly KeyPeriod[]): boolean {
  return a.length === b.length && a.every(({ key, firstEpoch }, at) => b[at]?.key.text === key.text && b[at]?.firstEpoch === firstEpoch);
}

function isHexOf(hex: string | null, bytes: Uint8Array): boolean {
  return hex !== null && sameBytes(Buffer.from(hex, 'hex'), bytes);
}
