/**
 * What entries say of the ledger itself: its id, what was archived, what was given up by a restore. Only read here; what
 * a claim counts for depends on who signed the tree that it is in.
 */
import type { AuditEntry } from '@sentineld/model/audit';

/** A ledger_archive entry. Members that it does not have in their form are null. */
export type ArchiveClaim = {
  /** Of the entry. */
  readonly sequence: number;
  readonly throughSequence: number | null;
  readonly epoch: number | null;
  /** Lower-case hex. */
  readonly root: string | null;
  readonly chain: string | null;
  readonly file: string | null;
  /** As it is in the entry. */
  readonly keys: unknown;
};

/** A checkpoint that a restore gave up. */
export type Abandoned = { readonly epoch: number; readonly treeSize: number; readonly root: string };

/** A ledger_restore entry. */
export type RestoreClaim = {
  readonly sequence: number;
  readonly timestampMs: number;
  readonly abandoned: readonly Abandoned[];
};

/** Of so many checkpoints at most an entry can tell: event_data is bounded. */
const MAX_ABANDONED = 10_000;

/** From the first entry; null where it names none. */
export function ledgerIdOf(eventData: string): string | null {
  return textOf(membersOf(eventData)['ledger_id']);
}

export function archiveOf({ sequence, eventData }: AuditEntry): ArchiveClaim {
  const data = membersOf(eventData);
  return {
    sequence,
    throughSequence: wholeOf(data['through_sequence']),
    epoch: wholeOf(data['epoch']),
    root: textOf(data['root']),
    chain: textOf(data['chain']),
    file: textOf(data['file']),
    keys: data['keys'],
  };
}

export function restoreOf({ sequence, timestampMs, eventData }: AuditEntry): RestoreClaim {
  const { abandoned } = membersOf(eventData);
  const list: readonly unknown[] = Array.isArray(abandoned) ? abandoned.slice(0, MAX_ABANDONED) : [];
  return { sequence, timestampMs, abandoned: list.flatMap(abandonedOf) };
}

function abandonedOf(value: unknown): readonly Abandoned[] {
  const { epoch, tree_size: treeSize, root } = isObject(value) ? value : {};
  const [epochNumber, size, rootText] = [wholeOf(epoch), wholeOf(treeSize), textOf(root)];
  return epochNumber === null || size === null || rootText === null ? [] : [{ epoch: epochNumber, treeSize: size, root: rootText }];
}

/** Nothing where it is no JSON object: the hash holds, so this is what was written. */
function membersOf(eventData: string): Readonly<Record<string, unknown>> {
  try {
    const data: unknown = JSON.parse(eventData);
    return isObject(data) ? data : {};
  } catch {
    return {};
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function wholeOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
