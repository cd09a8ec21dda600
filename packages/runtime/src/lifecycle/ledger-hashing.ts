/**
 * What of the native addon makes verifying a ledger fast, for programs that may not import the addon themselves.
 */
import { loadNative } from '@sentineld/native/addon';
import { entryRoom, type EntryRoom, type LedgerHash } from '@sentineld/native/ledger-hash';

export type LedgerHashing = Pick<LedgerHash, 'blake3' | 'checkEntries' | 'sha256Leaves' | 'sha256Nodes'> & {
  readonly entryRoom: (rows: number) => EntryRoom;
};

/** Null where there is no addon: then JavaScript's hashes do. */
export function loadLedgerHashing(): LedgerHashing | null {
  const addon = loadNative();
  return addon.available ? { ...addon.native, entryRoom } : null;
}
