/**
 * Verifies a ledger from its entries alone, one at a time, and says what that does and does not show. Knows no
 * database: the entries may come from the file, from an export or from a socket.
 */
import type { AuditEntry, LedgerHead } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import { CHAIN_START, type ChainPosition, type LedgerFailure, checkEntry, headOf } from './chain.ts';

export type { LedgerFailure } from './chain.ts';

/** A head that somebody else keeps: the agent's file, a running procmond, a note on paper. */
export type LedgerWitness = {
  /** Who says so, for people: "the agent's file". */
  readonly name: string;
  readonly head: LedgerHead;
};

export type LedgerVerification = {
  readonly ok: boolean;
  /** Entries that hold, counted from the first. */
  readonly entries: number;
  /** The last of them. */
  readonly head: LedgerHead | null;
  /** From the first entry: which ledger this is. */
  readonly ledgerId: string | null;
  readonly failure?: LedgerFailure;
  /** Worth a look, but no failure: clocks that went back. */
  readonly notes: readonly string[];
  /** What holds by this verification, and what it cannot know; sentences for people. */
  readonly shows: readonly string[];
  readonly cannotShow: readonly string[];
};

export type VerifyOptions = {
  /** Ask for these BEFORE reading the entries, so that a ledger that grows meanwhile is no contradiction. */
  readonly witnesses?: readonly LedgerWitness[];
};

/**
 * Checks every entry: its number, its link to the one before, both hashes, its format version; then the witnesses.
 * Stops at the first failure. Errors of the source other than a broken row are thrown on.
 */
export async function verifyLedger(
  entries: AsyncIterable<AuditEntry> | Iterable<AuditEntry>,
  options: VerifyOptions = {},
): Promise<LedgerVerification> {
  const witnesses = options.witnesses ?? [];
  const walk = startWalk(witnesses);
  const failure = (await followChain(entries, walk)) ?? compareHeads(walk.position.sequence, walk.hashAt, witnesses);
  const { position } = walk;
  const result = {
    ok: failure === null,
    entries: position.sequence,
    head: position.sequence === 0 ? null : headOf(position),
    ledgerId: walk.ledgerId,
    notes: timestampNotes(walk),
    shows: whatItShows(failure, walk, witnesses),
    cannotShow: whatItCannotShow(failure, walk, witnesses),
  };
  return failure === null ? result : { ...result, failure };
}

/**
 * Holds a verified ledger against heads known elsewhere. `hashAt` has the verified entry hash (hex) of every sequence
 * that a witness names. Returns the contradiction with the lowest sequence, or null.
 */
export function compareHeads(
  lastSequence: number,
  hashAt: ReadonlyMap<number, string>,
  witnesses: readonly LedgerWitness[],
): LedgerFailure | null {
  const bySequence = witnesses.toSorted((a, b) => a.head.sequence - b.head.sequence);
  for (const { name, head } of bySequence) {
    const { sequence } = head;
    if (sequence > lastSequence) {
      const gone = sequence - lastSequence === 1 ? `entry ${sequence} is` : `entries ${lastSequence + 1} to ${sequence} are`;
      return { sequence, what: 'witness', why: `${name} knows entry ${sequence}, but the ledger ends at ${lastSequence}: ${gone} gone` };
    }
    if (hashAt.get(sequence) !== head.entryHash) {
      return {
        sequence,
        what: 'witness',
        why: `${name} knows another entry ${sequence}: entries up to there were replaced after they were witnessed`,
      };
    }
  }
  return null;
}

/** What is carried from entry to entry. */
type Walk = {
  position: ChainPosition;
  ledgerId: string | null;
  lastTimestampMs: number;
  clockWentBack: number;
  firstClockWentBack: number;
  signed: number;
  readonly wanted: ReadonlySet<number>;
  readonly hashAt: Map<number, string>;
};

function startWalk(witnesses: readonly LedgerWitness[]): Walk {
  const wanted = new Set(witnesses.map((witness) => witness.head.sequence));
  return {
    position: CHAIN_START,
    ledgerId: null,
    lastTimestampMs: 0,
    clockWentBack: 0,
    firstClockWentBack: 0,
    signed: 0,
    wanted,
    hashAt: new Map(),
  };
}

async function followChain(entries: AsyncIterable<AuditEntry> | Iterable<AuditEntry>, walk: Walk): Promise<LedgerFailure | null> {
  try {
    for await (const entry of entries) {
      const failure = checkEntry(walk.position, entry);
      if (failure !== null) return failure;
      stepTo(walk, entry);
    }
  } catch (thrown) {
    return failureOfRow(thrown);
  }
  return walk.position.sequence === 0
    ? { sequence: 1, what: 'empty', why: 'there is no entry, not even the one that a ledger starts with' }
    : null;
}

function stepTo(walk: Walk, entry: AuditEntry): void {
  walk.position = { sequence: entry.sequence, entryHash: entry.entryHash };
  if (entry.sequence === 1) walk.ledgerId = ledgerIdOf(entry.eventData);
  if (walk.wanted.has(entry.sequence)) walk.hashAt.set(entry.sequence, headOf(walk.position).entryHash);
  if (entry.signature !== null) walk.signed += 1;
  if (entry.timestampMs < walk.lastTimestampMs) {
    walk.clockWentBack += 1;
    if (walk.clockWentBack === 1) walk.firstClockWentBack = entry.sequence;
  }
  walk.lastTimestampMs = entry.timestampMs;
}

/** A reader throws ledger.broken for a row that is no entry; that is a finding, not an error of the verification. */
function failureOfRow(thrown: unknown): LedgerFailure {
  if (!(thrown instanceof SentinelError) || thrown.code !== 'ledger.broken') throw thrown;
  const { sequence, why } = thrown.context;
  if (typeof sequence !== 'number') throw thrown;
  return { sequence, what: 'row', why: typeof why === 'string' ? why : thrown.message };
}

function ledgerIdOf(eventData: string): string | null {
  try {
    const data: unknown = JSON.parse(eventData);
    if (typeof data === 'object' && data !== null && 'ledger_id' in data && typeof data.ledger_id === 'string') return data.ledger_id;
  } catch {
    // The hash holds, so this is what was written: a ledger without an id.
  }
  return null;
}

function timestampNotes(walk: Walk): string[] {
  if (walk.clockWentBack === 0) return [];
  return [
    `The clock of the host was set back ${walk.clockWentBack} times, first before entry ${walk.firstClockWentBack}: times do not grow there.`,
  ];
}

function whatItShows(failure: LedgerFailure | null, walk: Walk, witnesses: readonly LedgerWitness[]): string[] {
  const last = walk.position.sequence;
  const lines: string[] = [];
  if (last > 0)
    lines.push(
      `Entries 1 to ${last} are complete, in order and fit their hashes: none of them was changed, removed or inserted without recomputing all that follow.`,
    );
  if (failure === null && witnesses.length > 0) {
    const newest = newestWitness(witnesses);
    lines.push(`Entries 1 to ${newest.head.sequence} are those that ${newest.name} acknowledged.`);
  }
  return lines;
}

function whatItCannotShow(failure: LedgerFailure | null, walk: Walk, witnesses: readonly LedgerWitness[]): string[] {
  const last = walk.position.sequence;
  const lines: string[] = [];
  if (failure !== null && failure.what !== 'witness')
    lines.push(`Whether anything after entry ${last} can be trusted: it does not link to what was verified.`);
  if (witnesses.length === 0) {
    lines.push('No witness: entries removed from the end cannot be noticed, nor a ledger that was rewritten as a whole.');
  } else if (failure === null) {
    const known = newestWitness(witnesses).head.sequence;
    lines.push(`Whether entries were removed or replaced after entry ${known}, the newest that a witness knows.`);
    lines.push('Whether the witnesses were changed too: one on the same host is only as safe as its file.');
  }
  lines.push(
    walk.signed > 0
      ? `Whether the signatures on ${walk.signed} entries are genuine: they were not checked.`
      : 'Who wrote the entries: they are not signed.',
  );
  return lines;
}

function newestWitness(witnesses: readonly LedgerWitness[]): LedgerWitness {
  return witnesses.reduce((newest, witness) => (witness.head.sequence > newest.head.sequence ? witness : newest));
}
