/**
 * Which key signs from the opening of a ledger on, and the entries that say so: the first one of a new ledger, and that
 * of a key for a ledger that had none or has lost it.
 */
import { SentinelError } from '@sentineld/model/error';
import { FORMAT_VERSION } from '@sentineld/ledger/canonical-entry';
import type { Signer, VerifierKey } from '@sentineld/ledger/note';
import { eventText } from './event-text.ts';
import type { KeyDirectory } from './key-file.ts';
import { type LedgerState, type LedgerTransaction, signerOf } from './ledger-state.ts';

export type FoundKey = {
  readonly signer: Signer;
  /** Why an entry must say that this is the key; null where one does already. */
  readonly announce: 'first' | 'lost' | null;
  /** Whether the key has to take its place once the entry is on disk. */
  readonly isNext: boolean;
};

/**
 * The key for a ledger whose entries name `known` as the newest one. Finishes or undoes what was interrupted.
 * @throws SentinelError state.unusable where the file has another key, or is open to others.
 */
export function findKey(directory: KeyDirectory, ledgerId: string, known: VerifierKey | null): FoundKey {
  const next = directory.next();
  if (next !== null && known !== null && signerOf(ledgerId, next).key.id === known.id) directory.install();
  else directory.discard();
  const current = directory.current();
  if (current === null) {
    return { signer: signerOf(ledgerId, directory.prepare()), announce: known === null ? 'first' : 'lost', isNext: true };
  }
  const signer = signerOf(ledgerId, current);
  if (known === null) return { signer, announce: 'first', isNext: false };
  if (signer.key.id === known.id) return { signer, announce: null, isNext: false };
  throw new SentinelError('state.unusable', {
    message: `${directory.path} is not the key of this ledger.`,
    why: `the newest entry that names a key names ${known.id}, and the file has ${signer.key.id}`,
    hint: 'Put the right file back; if it is lost, move this one away: then a new key is made, and the ledger says so.',
    context: { path: directory.path, expected: known.id, found: signer.key.id },
  });
}

/** The entry that every ledger begins with; it names the first key. */
export function addFirstEntry(transaction: LedgerTransaction, { ledgerId, hostId, signer }: LedgerState): void {
  const data = { ledger_id: ledgerId, host_id: hostId, format: FORMAT_VERSION, hash: 'BLAKE3', key: signer.key.text };
  transaction.add(['procmond', eventText({ action: 'ledger_create', data })]);
}

/** Names a key that none before it announced. What was written before without checkpoints gets one at once. */
export function addKeyEntry(transaction: LedgerTransaction, { signer, announce }: FoundKey): void {
  const reason =
    announce === 'lost'
      ? 'the private key was not there any more when the ledger was opened'
      : 'the ledger was written without a key by an earlier release';
  transaction.signWith(signer);
  transaction.add(['procmond', eventText({ action: 'key_create', data: { key: signer.key.text, reason } })]);
  transaction.closeEpoch();
}
