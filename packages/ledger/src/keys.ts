/**
 * Which key signs which epochs. The ledger tells it itself: its first entry names the first key, and each key announces
 * the next one before it is given up. What a key signed outside of its epochs counts for nothing.
 */
import type { AuditEntry } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import { originOf } from './checkpoint.ts';
import { isObject, objectOf } from './json-members.ts';
import { parseKey, type VerifierKey } from './note.ts';

/** A key signs from its first epoch to the one before the next key's. */
export type KeyPeriod = {
  readonly key: VerifierKey;
  readonly firstEpoch: number;
  /** False where no key before it announced it though there was one: its holder may be anybody who could write the file. */
  readonly isAnnounced: boolean;
};

/** Key periods in the order of their epochs; changed in place. */
export type KeyTimeline = KeyPeriod[];

/** What an announcement is read from. */
export type KeyEntry = Pick<AuditEntry, 'sequence' | 'formatVersion' | 'action' | 'epoch' | 'eventData'>;

/** Entries that name a key. */
export const KEY_ACTIONS: readonly string[] = ['ledger_create', 'key_create', 'key_rotate'];

/** The key that signs an epoch; null where there is none yet. */
export function keyOfEpoch(timeline: readonly KeyPeriod[], epoch: number): VerifierKey | null {
  return periodOfEpoch(timeline, epoch)?.key ?? null;
}

/**
 * Takes the key that an entry announces into the timeline; call it with every entry, in order, before the key of the
 * entry itself is asked for. Entries of format version 1 and other actions announce nothing.
 * @param ledgerId what entry 1 says; keys carry it in their name.
 * @returns one sentence about an announcement that is malformed or contradicts the timeline (which is then unchanged), or null.
 */
export function announceKey(timeline: KeyTimeline, entry: KeyEntry, ledgerId: string | null): string | null {
  if (entry.formatVersion === 1 || !KEY_ACTIONS.includes(entry.action)) return null;
  if (entry.action === 'ledger_create' && entry.sequence !== 1) return null;
  const data = objectOf(entry.eventData);
  const key = keyFrom(data['key'], ledgerId);
  if (typeof key === 'string') return `${entry.action} announces a key, but ${key}`;
  const firstEpoch = firstEpochOf(entry);
  const wrong = entry.action === 'key_rotate' ? contradictionOf(timeline, entry.epoch, key, data['retired']) : null;
  if (wrong !== null) return wrong;
  if ((timeline.at(-1)?.firstEpoch ?? 0) > firstEpoch) return `${entry.action} comes after the key of a later epoch was announced`;
  timeline.push({ key, firstEpoch, isAnnounced: entry.action !== 'key_create' || timeline.length === 0 });
  return null;
}

/** Key periods as an export, a seal and a ledger_archive entry have them. */
export type KeyPeriodJson = { readonly key: string; readonly first_epoch: number };

export function keyPeriodsToJson(periods: readonly KeyPeriod[]): readonly KeyPeriodJson[] {
  return periods.map(({ key, firstEpoch }) => ({ key: key.text, first_epoch: firstEpoch }));
}

/** Reads a list of `{key, first_epoch}`. A string says what is wrong with it. */
export function keyPeriodsFromJson(value: unknown, ledgerId: string): KeyPeriod[] | string {
  if (!Array.isArray(value)) return 'the keys are not a list';
  const periods: KeyPeriod[] = [];
  for (const [index, item] of value.entries()) {
    const members: Record<string, unknown> = isObject(item) ? item : {};
    const key = keyFrom(members['key'], ledgerId);
    if (typeof key === 'string') return `key ${index + 1} cannot be taken: ${key}`;
    const firstEpoch = members['first_epoch'];
    if (typeof firstEpoch !== 'number' || !Number.isSafeInteger(firstEpoch) || firstEpoch < 1)
      return `first_epoch of key ${index + 1} is not a number from 1`;
    if (firstEpoch < (periods.at(-1)?.firstEpoch ?? 1)) return `first_epoch of key ${index + 1} is below that of the key before`;
    periods.push({ key, firstEpoch, isAnnounced: true });
  }
  return periods;
}

function periodOfEpoch(timeline: readonly KeyPeriod[], epoch: number): KeyPeriod | undefined {
  return timeline.findLast(({ firstEpoch }) => firstEpoch <= epoch);
}

/** What speaks against a rotation, or null. */
function contradictionOf(timeline: readonly KeyPeriod[], epoch: number, key: VerifierKey, retired: unknown): string | null {
  const current = keyOfEpoch(timeline, epoch);
  if (current === null) return 'key_rotate retires a key, and there is none yet';
  if (retired !== current.id) return `key_rotate does not retire ${current.id}, the key of its epoch`;
  if (key.id === current.id) return `key_rotate announces ${key.id}, the key that it retires`;
  if ((timeline.at(-1)?.firstEpoch ?? 0) > epoch) return `key_rotate is the second in epoch ${epoch}`;
  return null;
}

function firstEpochOf({ action, epoch }: KeyEntry): number {
  if (action === 'ledger_create') return 1;
  return action === 'key_create' ? epoch : epoch + 1;
}

/** The key of a ledger from its text, or what is wrong with it. */
function keyFrom(text: unknown, ledgerId: string | null): VerifierKey | string {
  if (typeof text !== 'string') return 'there is none';
  if (ledgerId === null) return 'the ledger has no ledger_id that could name it';
  try {
    const key = parseKey(text);
    return key.name === originOf(ledgerId) ? key : 'it is the key of another ledger by its name';
  } catch (thrown) {
    if (thrown instanceof SentinelError && thrown.code === 'ledger.input') return thrown.why;
    throw thrown;
  }
}
