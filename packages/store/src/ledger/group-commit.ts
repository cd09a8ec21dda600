/**
 * Submissions that wait for company: one fsync is then that of all of them. What waits is bounded, so that a disk that is
 * slower than its clients is seen by them and not by the memory of this process.
 */
import { SentinelError } from '@sentineld/model/error';
import type { AppendReply, SocketRole } from '@sentineld/model/request';
import type { EventText } from './event-text.ts';
import type { LedgerFile } from './ledger-file.ts';
import type { ActorEvent } from './ledger-state.ts';

export type SubmittedEntry = { readonly originSequence: number; readonly event: EventText };

export type Submission = {
  readonly role: SocketRole;
  readonly originKey: string;
  readonly entries: readonly SubmittedEntry[];
  readonly resolve: (reply: AppendReply) => void;
  readonly reject: (error: SentinelError) => void;
};

export type SubmissionQueue = {
  /** Throws state.unusable where too much waits already. */
  readonly add: (submission: Submission) => void;
  /** Everything that waits, in its order; it waits no more. */
  readonly take: () => readonly Submission[];
  readonly length: () => number;
};

export type QueueOptions = {
  /** Milliseconds that the first one waits at most. */
  readonly groupMs: number;
  /** Milliseconds by a clock that nobody sets. */
  readonly nowMs: () => number;
  /** Called when it is time to write. */
  readonly onDue: () => void;
};

/** From here on nobody else is waited for. */
const FULL_ENTRIES = 256;
const FULL_BYTES = 1024 * 1024;

/** What may wait at most. */
const MAX_ENTRIES = 4_096;
const MAX_BYTES = 8 * 1024 * 1024;

/**
 * It is time as soon as a whole turn of the event loop brings nobody else: what arrives while the disk is busy is there at once
 * afterwards, and a single one need not wait.
 */
export function createQueue({ groupMs, nowMs, onDue }: QueueOptions): SubmissionQueue {
  let waiting: Submission[] = [];
  let entries = 0;
  let bytes = 0;
  let sinceMs = 0;
  let turn: NodeJS.Immediate | undefined;

  const look = (lengthBefore: number): void => {
    const isFull = entries >= FULL_ENTRIES || bytes >= FULL_BYTES;
    const isQuiet = waiting.length === lengthBefore;
    if (isFull || isQuiet || nowMs() - sinceMs >= groupMs) return onDue();
    turn = setImmediate(look, waiting.length);
  };

  return {
    take: () => {
      clearImmediate(turn);
      turn = undefined;
      const taken = waiting;
      [waiting, entries, bytes] = [[], 0, 0];
      return taken;
    },
    length: () => waiting.length,
    add: (submission) => {
      const size = sizeOf(submission);
      if (entries + submission.entries.length > MAX_ENTRIES || bytes + size > MAX_BYTES) throw tooMuchWaits(entries);
      waiting.push(submission);
      entries += submission.entries.length;
      bytes += size;
      if (turn !== undefined) return;
      sinceMs = nowMs();
      turn = setImmediate(look, 0);
    },
  };
}

/** Bytes of what it stores. */
function sizeOf({ entries }: Submission): number {
  return entries.reduce((sum, { event }) => sum + Buffer.byteLength(event.text) + Buffer.byteLength(event.body?.text ?? ''), 0);
}

function tooMuchWaits(entries: number): SentinelError {
  return new SentinelError('state.unusable', {
    message: `The ledger takes no more for now: ${entries} entries wait for the disk already.`,
    why: 'they come faster than they can be written',
    hint: 'Send again in a moment; nothing of this was recorded.',
    context: { entries },
  });
}

/** What is to be recorded of a submission: the entries that are not yet, and the last number that its origin has sent by then. */
export type AdmittedSubmission = { readonly events: readonly ActorEvent[]; readonly lastOriginSequence: number };

/** Notes what was sent; the events are still to be added, in the same transaction. */
export function admitSubmission(
  file: Pick<LedgerFile, 'lastOf' | 'recordOrigin' | 'forgetOrigins'>,
  { role, originKey, entries }: Submission,
  nowMs: number,
): AdmittedSubmission {
  const before = file.lastOf(originKey);
  const fresh = entries.filter(({ originSequence }) => originSequence > before);
  const lastOriginSequence = fresh.at(-1)?.originSequence ?? before;
  if (fresh.length > 0) file.recordOrigin(originKey, lastOriginSequence, nowMs);
  // Sequences count from 1.
  if (before === 0) file.forgetOrigins();
  return { events: fresh.map(({ event }) => [role, event]), lastOriginSequence };
}
