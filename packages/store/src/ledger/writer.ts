/**
 * Appends to the audit ledger. procmond alone imports this. An entry that was acknowledged is on disk; after a write
 * that failed nothing more is taken until `reopen`, because after a failed fsync later commits only look fine. Where the
 * disk is full it lives on a reserve, for entries that tell what becomes of the collection.
 */
import type { AuditAction, AuditActor, AuditEvent, LedgerHead } from '@sentineld/model/audit';
import { SentinelError, messageOf } from '@sentineld/model/error';
import type { AppendReply, OriginEntry, SocketRole } from '@sentineld/model/request';
import { stopWriter, storeErrorFrom } from '../open.ts';
import { type ChainPosition, headOf, sealEntry } from '@sentineld/ledger/chain';
import { type AuditPeer, checkClientEntries, clientEvent, originKey } from './client-entry.ts';
import { type LedgerFile, openLedgerFile } from './ledger-file.ts';
import { type LedgerReserve, openReserve } from './reserve.ts';

export type { AuditPeer } from './client-entry.ts';

export type LedgerWriterOptions = {
  readonly path: string;
  /** Stable id of this installation; part of the first entry. */
  readonly hostId: string;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Size of the reserve; 1 MiB where it is left out, 0 for none. */
  readonly reserveBytes?: number;
  /** Milliseconds by a clock that nobody sets. */
  readonly nowMs?: () => number;
};

export type LedgerWriter = {
  /**
   * Appends own entries in one transaction and returns once they are on disk. Nothing to append gives the present head.
   * While `isOnReserve` routine entries are refused with state.unusable, and nothing is the worse for it.
   */
  append(actor: AuditActor, events: readonly AuditEvent[]): LedgerHead;
  /**
   * Appends what a client sent, each originSequence once, with the role of its socket as the actor. Returns once all of
   * it is on disk. Throws ipc.refused or ipc.protocol for what no client of the product sends.
   */
  appendFromOrigin(role: SocketRole, origin: string, entries: readonly OriginEntry[], peer: AuditPeer): AppendReply;
  head(): LedgerHead;
  /**
   * True while the disk is full or was a moment ago: then only entries that tell what becomes of the collection are
   * taken. Looks now and then whether there is space again, and makes the reserve anew.
   */
  isOnReserve(): boolean;
  /** Why nothing is taken any more, or null. */
  failure(): SentinelError | null;
  /** Opens the file anew, verifies its newest entries and goes on. Throws what openLedgerWriter throws, and stays failed then. */
  reopen(): void;
  /** Empties the WAL; see stopWriter. False where a reader or an earlier failure prevented it. */
  stop(): boolean;
};

/** UTF-8 bytes of event_data at most. */
export const MAX_EVENT_DATA_BYTES: number = 256 * 1024;

const RESERVE_BYTES = 1024 * 1024;

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
]);

/**
 * Opens or creates the ledger and verifies its newest entries.
 * @throws SentinelError ledger.broken with the sequence, or what openWriter throws.
 */
export function openLedgerWriter(options: LedgerWriterOptions): LedgerWriter {
  const reserve = openReserve({
    ledgerPath: options.path,
    sizeBytes: options.reserveBytes ?? RESERVE_BYTES,
    nowMs: options.nowMs ?? (() => performance.now()),
  });
  const openFile = (): LedgerFile => withReserve(reserve, options.path, () => openLedgerFile(options));
  let file = openFile();
  let position = file.start;
  let failed: SentinelError | null = null;

  const reopen = (): void => {
    const next = openFile();
    // Closed only now: the last connection to close would remove the WAL that readers need.
    file.db.close();
    file = next;
    position = next.start;
    failed = null;
  };

  /** Runs `work` in a transaction; the position moves only when it is on disk. */
  const commit = (work: (transaction: AppendTransaction) => void): void => {
    const transaction = startTransaction(file, position, options.clock());
    const run = file.db.transaction(() => {
      file.requireNewest(position);
      work(transaction);
    });
    run.immediate();
    position = transaction.position;
  };

  const append = (actions: readonly string[], work: (transaction: AppendTransaction) => void): void => {
    if (failed !== null) throw refusedAfter(failed);
    if (reserve.isInUse()) refuseRoutine(actions);
    try {
      // What failed is done anew on a file that was opened anew, as after every write that failed.
      withReserve(reserve, options.path, () => commit(work), reopen);
    } catch (thrown) {
      const error = writeError(thrown, options.path);
      // Nothing was written while another process held the lock; everything else is a reason to stop.
      if (error.code !== 'state.held') failed = error;
      throw error;
    }
  };

  return {
    append: (actor, events) => {
      const texts = events.map(eventText);
      if (events.length > 0) {
        append(
          texts.map(({ action }) => action),
          (transaction) => texts.forEach(({ action, text }) => transaction.add(actor, action, text)),
        );
      }
      return headOf(position);
    },
    appendFromOrigin: (role, origin, entries, peer) => {
      checkClientEntries(role, entries);
      const texts = entries.map((entry) => ({
        originSequence: entry.originSequence,
        ...eventText(clientEvent(role, origin, entry, peer)),
      }));
      const key = originKey(role, origin, peer);
      let last = 0;
      append(
        texts.map(({ action }) => action),
        (transaction) => {
          last = file.lastOf(key);
          const fresh = texts.filter(({ originSequence }) => originSequence > last);
          for (const { originSequence, action, text } of fresh) {
            transaction.add(role, action, text);
            last = originSequence;
          }
          if (fresh.length > 0) file.recordOrigin(key, last, transaction.nowMs);
        },
      );
      return { head: headOf(position), lastOriginSequence: last };
    },
    head: () => headOf(position),
    failure: () => failed,
    reopen,
    isOnReserve: reserve.isInUse,
    stop: () => failed === null && stopWriter(file.db),
  };
}

/** Does `work`; where there is no space for it, gives up a slice of the reserve and does it again, after `before`. */
function withReserve<Result>(reserve: LedgerReserve, path: string, work: () => Result, before?: () => void): Result {
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

function refuseRoutine(actions: readonly string[]): void {
  const routine = actions.find((action) => !TAKEN_ON_RESERVE.has(action));
  if (routine === undefined) return;
  throw new SentinelError('state.unusable', {
    message: `The disk is full: the ledger takes no '${routine}' while it lives on its reserve.`,
    why: 'what space is left is for entries that tell what becomes of the collection',
    hint: 'Make space on its file system; within a minute it goes on by itself.',
    context: { action: routine },
  });
}

type AppendTransaction = {
  readonly nowMs: number;
  position: ChainPosition;
  add(actor: AuditActor, action: string, eventData: string): void;
};

function startTransaction(file: LedgerFile, start: ChainPosition, nowMs: number): AppendTransaction {
  const transaction: AppendTransaction = {
    nowMs,
    position: start,
    add: (actor, action, eventData) => {
      const entry = sealEntry(transaction.position, { timestampMs: nowMs, actor, action, eventData });
      file.insert(entry);
      transaction.position = { sequence: entry.sequence, entryHash: entry.entryHash };
    },
  };
  return transaction;
}

function eventText(event: AuditEvent): { readonly action: string; readonly text: string } {
  const text = JSON.stringify(event.data);
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes <= MAX_EVENT_DATA_BYTES) return { action: event.action, text };
  throw new SentinelError('internal.bug', {
    message: `An audit entry '${event.action}' of ${sizeBytes} bytes is larger than ${MAX_EVENT_DATA_BYTES}.`,
    hint: 'Record a hash and a count of the details, not the details.',
    context: { action: event.action, sizeBytes },
  });
}

function writeError(thrown: unknown, path: string): SentinelError {
  const error = storeErrorFrom(thrown, path);
  if (error instanceof SentinelError) return error;
  return new SentinelError('internal.bug', { message: `${path}: an entry could not be written: ${messageOf(thrown)}`, cause: thrown });
}

function refusedAfter(cause: SentinelError): SentinelError {
  return new SentinelError(cause.code, {
    message: `The ledger takes no entries since a write failed: ${cause.message}`,
    hint: 'Reopen it once the cause is gone; that verifies its newest entries.',
    cause,
    context: cause.context,
  });
}
