/**
 * One write of the ledger after the other, each a transaction that is on disk when it returns. After one that failed
 * nothing more is taken until the file is opened anew: after a failed fsync later commits only look fine.
 */
import type { CheckpointNotice } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import { headOf } from '@sentineld/ledger/chain';
import { eventText } from './event-text.ts';
import { type Submission, type SubmissionQueue, admitSubmission, createQueue } from './group-commit.ts';
import { type LedgerState, type LedgerTransaction, startTransaction } from './ledger-state.ts';
import { type OpenLedger, openLedger } from './open-ledger.ts';
import { refusedAfter, reserveRefusal, withReserve, writeError } from './refusals.ts';
import { type LedgerReserve, openReserve } from './reserve.ts';
import type { LedgerWriterOptions } from './writer-contract.ts';

/** An open ledger; changed in place by what is written. */
export type LedgerSession = {
  ledger: OpenLedger;
  /** Why nothing is taken any more. */
  failed: SentinelError | null;
  readonly options: LedgerWriterOptions;
  readonly reserve: LedgerReserve;
  readonly queue: SubmissionQueue;
};

export type TransactionWork = (transaction: LedgerTransaction) => void;

const RESERVE_BYTES = 1024 * 1024;
const CHECKPOINT_ENTRIES = 1_024;
const GROUP_MS = 2;

/** @throws SentinelError what openLedger throws. */
export function openSession(options: LedgerWriterOptions): LedgerSession {
  const { path, reserveBytes: sizeBytes = RESERVE_BYTES, nowMs = () => performance.now() } = options;
  const reserve = openReserve({ ledgerPath: path, sizeBytes, nowMs });
  const session: LedgerSession = {
    options,
    reserve,
    queue: createQueue({ groupMs: options.groupMs ?? GROUP_MS, nowMs, onDue: () => flush(session) }),
    ledger: withReserve(reserve, path, () => openLedger(options)),
    failed: null,
  };
  return session;
}

/**
 * Writes what waits and then `work`, in one transaction. `actions` say what it writes: on the reserve most is refused.
 * `work` may be done twice, where the first time had no space.
 * @throws SentinelError what it failed with; then nothing of it counts.
 */
export function write(session: LedgerSession, actions: readonly string[], work: TransactionWork): void {
  requireUsable(session, actions);
  const group = admitted(session);
  let committed: Committed;
  try {
    committed = guard(session, () => commitAll(session, group, work));
  } catch (thrown) {
    const error = writeError(thrown, session.options.path);
    for (const { reject } of group) reject(error);
    throw error;
  }
  const { state, lastNumbers, checkpoints } = committed;
  session.ledger = { ...session.ledger, state };
  const head = headOf(state.position);
  group.forEach(({ resolve }, at) => resolve({ head, lastOriginSequence: lastNumbers[at] ?? 0 }));
  for (const notice of checkpoints) session.options.onCheckpoint?.(notice);
}

/** Writes what waits. Never throws for the ledger: those who wait are told. */
export function flush(session: LedgerSession): void {
  if (session.queue.length() === 0) return;
  try {
    write(session, [], () => undefined);
  } catch (thrown) {
    if (!(thrown instanceof SentinelError)) throw thrown;
  }
}

/** Does what writes by other means. A failure is one of the ledger, unless another process held the lock: then nothing was written. */
export function guard<Result>(session: LedgerSession, work: () => Result): Result {
  const { reserve, options, queue } = session;
  try {
    // What failed is done anew on a file that was opened anew, as after every write that failed.
    return withReserve(reserve, options.path, work, () => openAnew(session));
  } catch (thrown) {
    const error = writeError(thrown, options.path);
    if (error.code === 'state.held') throw error;
    session.failed = error;
    for (const { reject } of queue.take()) reject(refusedAfter(error));
    throw error;
  }
}

/** @throws SentinelError after a write that failed, and on the reserve for what is routine. */
export function requireUsable({ failed, reserve }: LedgerSession, actions: readonly string[]): void {
  if (failed !== null) throw refusedAfter(failed);
  const refusal = reserve.isInUse() ? reserveRefusal(actions) : null;
  if (refusal !== null) throw refusal;
}

/** Opens the file anew after a failure, and records what it was. @throws what openLedger throws; it stays failed then. */
export function reopen(session: LedgerSession): void {
  const { failed } = session;
  openAnew(session);
  if (failed === null) return;
  session.failed = null;
  try {
    const data = { error: failed.message, code: failed.code };
    write(session, ['ledger_reopen'], (transaction) => transaction.add(['procmond', eventText({ action: 'ledger_reopen', data })]));
  } catch (thrown) {
    session.failed ??= failed;
    throw thrown;
  }
}

function openAnew(session: LedgerSession): void {
  const { options, reserve, ledger } = session;
  session.ledger = withReserve(reserve, options.path, () => openLedger(options));
  // Closed only now: the last connection to close would remove the WAL that readers need.
  ledger.file.db.close();
}

/** What waits, without what the reserve is not for. */
function admitted({ queue, reserve }: LedgerSession): readonly Submission[] {
  const waiting = queue.take();
  if (!reserve.isInUse()) return waiting;
  return waiting.filter(({ entries, reject }) => {
    const refusal = reserveRefusal(entries.map(({ event }) => event.action));
    if (refusal !== null) reject(refusal);
    return refusal === null;
  });
}

type Committed = {
  readonly state: LedgerState;
  readonly checkpoints: readonly CheckpointNotice[];
  /** Of each submission the last number that its origin has sent. */
  readonly lastNumbers: readonly number[];
};

function commitAll({ ledger, options }: LedgerSession, group: readonly Submission[], work: TransactionWork): Committed {
  const { file, state } = ledger;
  const { clock, signEntries = false, checkpointEntries = CHECKPOINT_ENTRIES } = options;
  const transaction = startTransaction(file, state, { nowMs: clock(), signEntries });
  let lastNumbers: readonly number[] = [];
  file.inTransaction(() => {
    file.requireNewest(state.position);
    const admittedNow = group.map((submission) => admitSubmission(file, submission, transaction.nowMs));
    transaction.add(...admittedNow.flatMap(({ events }) => events));
    lastNumbers = admittedNow.map(({ lastOriginSequence }) => lastOriginSequence);
    work(transaction);
    const { range, newest } = transaction.state();
    if (range.size - (newest?.treeSize ?? 0) >= checkpointEntries) transaction.closeEpoch();
  });
  return { state: transaction.state(), checkpoints: transaction.checkpoints, lastNumbers };
}
