/**
 * Which key signs which epochs. The ledger tells it itself: its first entry names the first key, and each key announces
 * the next one before it is given up. What a key signed outside of its epochs counts for nothing.
 */
import type { VerifierKey } from './note.ts';

/** A key signs from its first epoch to the one before the next key's. */
export type KeyPeriod = {
  readonly key: VerifierKey;
  readonly firstEpoch: number;
  /** False where no key before it announced it though there was one: its holder may be anybody who could write the file. */
  readonly isAnnounced: boolean;
};

/** Key periods in the order of their epochs; changed in place. */
export type KeyTimeline = KeyPeriod[];

/** The key that signs an epoch; null where there is none yet. */
export function keyOfEpoch(timeline: readonly KeyPeriod[], epoch: number): VerifierKey | null {
  return timeline.findLast(({ firstEpoch }) => firstEpoch <= epoch)?.key ?? null;
}
