/**
 * Whom to believe: the keys that were given, and those that a key already trusted announced before it was given up. What
 * such a key signed stands for everything before it, since a root covers all entries up to its number.
 */
import { keyOfEpoch, type KeyPeriod } from './keys.ts';
import type { VerifierKey } from './note.ts';
import type { LedgerFailure } from './walk-failure.ts';

export type Trust = {
  /** A key that comes into the ledger. One sentence where keys to trust end here, or null. */
  readonly announce: (period: KeyPeriod) => string | null;
  /** A checkpoint that its epoch's key signed. */
  readonly sign: (epoch: number, keys: readonly KeyPeriod[], treeSize: number) => void;
  /** Entries that a trusted signature covers. */
  readonly size: () => number;
  /** Where there are keys to trust and none of them signed anything. */
  readonly missing: (sequence: number) => LedgerFailure | null;
};

/** With null nothing is asked for. `present` are the keys that sign from the start on: nothing shows who announced them. */
export function createTrust(trusted: readonly VerifierKey[] | null, present: readonly KeyPeriod[]): Trust {
  const texts = new Set(trusted?.map(({ text }) => text));
  let current = present.at(-1)?.key.text ?? null;
  let size = 0;
  return {
    announce: ({ key, isAnnounced }) => {
      const before = current;
      current = key.text;
      if (trusted === null || texts.has(key.text)) return null;
      const isFromTrusted = before !== null && texts.has(before);
      if (isFromTrusted && !isAnnounced) return `key ${key.id} signs from here on, and no key that you trust announced it`;
      if (isFromTrusted) texts.add(key.text);
      return null;
    },
    sign: (epoch, keys, treeSize) => {
      const key = keyOfEpoch(keys, epoch);
      if (key !== null && texts.has(key.text)) size = treeSize;
    },
    size: () => size,
    missing: (sequence) => {
      if (trusted === null || size > 0) return null;
      return { sequence, what: 'key', why: 'no checkpoint is signed by a key that you trust, or by one that such a key announced' };
    },
  };
}
