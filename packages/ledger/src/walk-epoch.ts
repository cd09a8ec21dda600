/**
 * An entry as it is held against the checkpoints and keys before it: the end of rule 2, and rule 8 of docs/ledger-format.md.
 */
import type { AuditEntry } from '@sentineld/model/audit';
import { verifyEntrySignature } from './chain.ts';
import { keyOfEpoch, type KeyPeriod } from './keys.ts';
import type { LedgerFailure } from './walk-failure.ts';

/** What is known when the entry comes. */
export type EpochContext = {
  /** Whether an entry of format version 2 came before. */
  readonly isSigned: boolean;
  /** Of the newest checkpoint; 0 where there is none. */
  readonly epoch: number;
  /** Also the key that this entry announces. */
  readonly keys: readonly KeyPeriod[];
};

export function checkVersionOrder({ isSigned }: EpochContext, { sequence, formatVersion }: AuditEntry): LedgerFailure | null {
  if (!isSigned || formatVersion !== 1) return null;
  return { sequence, what: 'format_version', why: 'it is of format version 1, and entries before it are of version 2' };
}

/** Epoch, key and signature of an entry. */
export function checkEpoch(context: EpochContext, entry: AuditEntry): LedgerFailure | null {
  if (entry.formatVersion === 1) return checkUnsigned(entry);
  const { sequence, epoch, keyId, signature } = entry;
  const expected = context.epoch + 1;
  if (epoch !== expected) {
    const missing = epoch > expected ? `: there is none of epoch ${epoch - 1}` : '';
    return { sequence, what: 'epoch', why: `epoch is ${epoch}, and by the checkpoints it is ${expected}${missing}` };
  }
  const key = keyOfEpoch(context.keys, epoch);
  if (key === null) return { sequence, what: 'key', why: 'no entry up to here names the key that signs its epoch' };
  if (keyId !== key.id) return { sequence, what: 'key', why: `key_id is not ${key.id}, the key of epoch ${epoch}` };
  if (signature === null || verifyEntrySignature(key, entry)) return null;
  return { sequence, what: 'signature', why: `the signature is not by ${key.id} over this entry` };
}

function checkUnsigned({ sequence, epoch, keyId, signature }: AuditEntry): LedgerFailure | null {
  if (epoch !== 0) return { sequence, what: 'epoch', why: `epoch is ${epoch}, and entries of format version 1 have 0` };
  if (keyId !== '') return { sequence, what: 'key', why: 'there is a key_id, and entries of format version 1 have none' };
  if (signature === null) return null;
  return { sequence, what: 'signature', why: 'there is a signature, and entries of format version 1 have none' };
}
