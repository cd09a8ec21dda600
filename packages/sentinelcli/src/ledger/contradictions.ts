/**
 * Checkpoints from outside held against the ledger, as far as that is possible without reading its entries: a ledger that ends
 * before one of them, or has another tree for the same epoch, is not the one that they were made of.
 */
import { keyOfEpoch, type KeyPeriod } from '@sentineld/ledger/keys';
import { verifyNote } from '@sentineld/ledger/note';
import type { OutsideSource, SeenCheckpoint } from './outside.ts';
import { isRecord, listField, numberField } from '../fields.ts';
import { fieldsOf, type LedgerView } from './ledger-view.ts';

/** What the ledger says of itself. Read it after the checkpoints from outside: it grows meanwhile. */
export type LedgerFacts = {
  readonly origin: string;
  /** Entries, and the epoch of the newest checkpoint. */
  readonly entries: number;
  readonly epoch: number;
  readonly keys: readonly KeyPeriod[];
  /** Epochs up to which an operator gave checkpoints up, with the time of the entry that says so. */
  readonly restores: readonly { readonly epoch: number; readonly timestampMs: number }[];
  readonly rootOf: (epoch: number) => { readonly treeSize: number; readonly rootHash: Uint8Array } | null;
};

export type Contradiction = {
  readonly source: OutsideSource;
  readonly seen: SeenCheckpoint;
  /** A sentence without its full stop. */
  readonly why: string;
  /** Whether a key of the ledger signed it: what nobody signed was perhaps written by another. */
  readonly isSigned: boolean;
  /** True where an entry `ledger_restore` gave it up. */
  readonly isExcused: boolean;
};

export function factsOf(ledger: LedgerView): LedgerFacts {
  const newest = ledger.newestEntry();
  const checkpoint = ledger.newestCheckpoint()?.checkpoint ?? null;
  return {
    origin: ledger.identity().origin,
    entries: newest?.sequence ?? ledger.seal()?.sequence ?? 0,
    epoch: checkpoint?.epoch ?? 0,
    keys: ledger.keys().map(({ period }) => period),
    restores: ledger
      .entriesOf(['ledger_restore'])
      // Anybody who can write the file can append an entry: one that no checkpoint covers excuses nothing.
      .filter(({ sequence }) => sequence <= (checkpoint?.treeSize ?? 0))
      .flatMap(({ timestampMs, eventData }) => abandonedEpochs(eventData).map((epoch) => ({ epoch, timestampMs }))),
    rootOf: (epoch) => ledger.checkpointOf(epoch)?.checkpoint ?? null,
  };
}

/** Every checkpoint from outside that is not of this history, by source. */
export function contradictionsOf(facts: LedgerFacts, sources: readonly OutsideSource[]): readonly Contradiction[] {
  return sources.flatMap((source) => {
    const own = source.seen.filter(({ checkpoint }) => checkpoint.origin === facts.origin);
    const newest = source.seen.at(-1);
    // A mirror of several hosts, or of a ledger that was begun anew: the others tell nothing of this one.
    if (own.length === 0 && newest !== undefined)
      return [contradiction(facts, source, newest, 'it is of another ledger, and none there is of this one')];
    return own.flatMap((seen) => {
      const why = whyNot(facts, seen);
      return why === null ? [] : [contradiction(facts, source, seen, why)];
    });
  });
}

/** The newest checkpoint of this history that a source has, signed by the key of its epoch. */
export function newestHeld(facts: LedgerFacts, source: OutsideSource): SeenCheckpoint | null {
  return (
    source.seen.findLast((seen) => seen.checkpoint.origin === facts.origin && whyNot(facts, seen) === null && isSigned(facts, seen)) ?? null
  );
}

function whyNot(facts: LedgerFacts, { checkpoint }: Pick<SeenCheckpoint, 'checkpoint'>): string | null {
  const { treeSize, epoch, rootHash } = checkpoint;
  if (treeSize > facts.entries) return `it covers ${treeSize} entries, and the ledger ends with ${facts.entries}`;
  if (epoch > facts.epoch) return `it closes epoch ${epoch}, and the ledger has closed ${facts.epoch}`;
  const own = facts.rootOf(epoch);
  // Those before a seal are in an archive.
  if (own === null) return null;
  const isSame = own.treeSize === treeSize && Buffer.compare(own.rootHash, rootHash) === 0;
  return isSame ? null : `the ledger has another tree at the end of epoch ${epoch}`;
}

function contradiction(facts: LedgerFacts, source: OutsideSource, seen: SeenCheckpoint, why: string): Contradiction {
  const { epoch, timestampMs, origin } = seen.checkpoint;
  return {
    source,
    seen,
    why,
    isSigned: isSigned(facts, seen),
    isExcused: origin === facts.origin && facts.restores.some((restore) => restore.epoch >= epoch && restore.timestampMs > timestampMs),
  };
}

function isSigned({ keys }: LedgerFacts, { checkpoint, signed }: SeenCheckpoint): boolean {
  const key = keyOfEpoch(keys, checkpoint.epoch);
  return key !== null && verifyNote(signed, key) === 'valid';
}

function abandonedEpochs(eventData: string): readonly number[] {
  return listField(fieldsOf(eventData), 'abandoned').flatMap((one) => (isRecord(one) ? (numberField(one, 'epoch') ?? []) : []));
}
