/**
 * Why the writer takes something not, and what of it is its end.
 */
import type { AuditAction } from '@sentineld/model/audit';
import { SentinelError, messageOf } from '@sentineld/model/error';
import { storeErrorFrom } from '../open.ts';
import type { LedgerReserve } from './reserve.ts';

/** What the reserve is for: few entries, and those that explain why the others are missing. */
const TAKEN_ON_RESERVE: ReadonlySet<string> = new Set<AuditAction>([
  'start',
  'stop',
  'privilege_drop',
  'events_lost',
  'budget_step',
  'storage_pause',
  'storage_resume',
  'retention',
  'loop_stall',
  'time_jump',
  'ledger_reopen',
]);

/** Does `work`; where there is no space for it, gives up a slice of the reserve and does it again, after `before`. */
export function withReserve<Result>(reserve: LedgerReserve, path: string, work: () => Result, before?: () => void): Result {
  for (;;) {
    try {
      return work();
    } catch (thrown) {
      if (!isFull(storeErrorFrom(thrown, path)) || !reserve.release()) throw thrown;
      before?.();
    }
  }
}

/** SHMSIZE: the index of the log could not grow. */
function isFull(error: unknown): boolean {
  return error instanceof SentinelError && /^(SQLITE_FULL|SQLITE_IOERR_SHMSIZE|ENOSPC|EDQUOT)$/.test(String(error.context['sqlite']));
}

/** The error of a ledger on its reserve where one of the actions is routine; otherwise null. */
export function reserveRefusal(actions: readonly string[]): SentinelError | null {
  const routine = actions.find((action) => !TAKEN_ON_RESERVE.has(action));
  if (routine === undefined) return null;
  return new SentinelError('state.unusable', {
    message: `The disk is full: the ledger takes no '${routine}' while it lives on its reserve.`,
    why: 'what space is left is for entries that tell what becomes of the collection',
    hint: 'Make space on its file system; within a minute it goes on by itself.',
    context: { action: routine },
  });
}

export function writeError(thrown: unknown, path: string): SentinelError {
  const error = storeErrorFrom(thrown, path);
  if (error instanceof SentinelError) return error;
  return new SentinelError('internal.bug', { message: `${path}: an entry could not be written: ${messageOf(thrown)}`, cause: thrown });
}

export function refusedAfter(cause: SentinelError): SentinelError {
  return new SentinelError(cause.code, {
    message: `The ledger takes no entries since a write failed: ${cause.message}`,
    hint: 'Reopen it once the cause is gone; that verifies its newest entries.',
    cause,
    context: cause.context,
  });
}
