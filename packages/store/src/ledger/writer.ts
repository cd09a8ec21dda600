/**
 * Appends to the audit ledger. procmond alone imports this. An entry that was acknowledged is on disk; after a write
 * that failed nothing more is taken until `reopen`, because after a failed fsync later commits only look fine.
 */
import type { AuditActor, AuditEvent, LedgerHead } from '@sentineld/model/audit';
import { SentinelError, messageOf } from '@sentineld/model/error';
import type { AppendReply, OriginEntry, SocketRole } from '@sentineld/model/request';
import { stopWriter, storeErrorFrom } from '../open.ts';
import { type ChainPosition, headOf, sealEntry } from './chain.ts';
import { type AuditPeer, checkClientEntries, clientEvent, originKey } from './client-entry.ts';
import { type LedgerFile, openLedgerFile } from './ledger-file.ts';

export type { AuditPeer } from './client-entry.ts';

export type LedgerWriterOptions = {
  readonly path: string;
  /** Stable id of this installation; part of the first entry. */
  readonly hostId: string;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
};

export type LedgerWriter = {
  /** Appends own entries in one transaction and returns once they are on disk. Nothing to append gives the present head. */
  append(actor: AuditActor, events: readonly AuditEvent[]): LedgerHead;
  /**
   * Appends what a client sent, each originSequence once, with the role of its socket as the actor. Returns once all of
   * it is on disk. Throws ipc.refused or ipc.protocol for what no client of the product sends.
   */
  appendFromOrigin(role: SocketRole, origin: string, entries: readonly OriginEntry[], peer: AuditPeer): AppendReply;
  head(): LedgerHead;
  /** Why nothing is taken any more, or null. */
  failure(): SentinelError | null;
  /** Opens the file anew, verifies its newest entries and goes on. Throws what openLedgerWriter throws, and stays failed then. */
  reopen(): void;
  /** Empties the WAL; see stopWriter. False where a reader or an earlier failure prevented it. */
  stop(): boolean;
};

/** UTF-8 bytes of event_data at most. */
export const MAX_EVENT_DATA_BYTES: number = 256 * 1024;

/**
 * Opens or creates the ledger and verifies its newest entries.
 * @throws SentinelError ledger.broken with the sequence, or what openWriter throws.
 */
export function openLedgerWriter(options: LedgerWriterOptions): LedgerWriter {
  let file = openLedgerFile(options);
  let position = file.start;
  let failed: SentinelError | null = null;

  /** Runs `work` in a transaction; the position moves only when it is on disk. */
  const commit = (work: (transaction: AppendTransaction) => void): void => {
    if (failed !== null) throw refusedAfter(failed);
    const transaction = startTransaction(file, position, options.clock());
    const run = file.db.transaction(() => {
      file.requireNewest(position);
      work(transaction);
    });
    try {
      run.immediate();
    } catch (thrown) {
      const error = writeError(thrown, options.path);
      // Nothing was written while another process held the lock; everything else is a reason to stop.
      if (error.code !== 'state.held') failed = error;
      throw error;
    }
    position = transaction.position;
  };

  return {
    append: (actor, events) => {
      const texts = events.map(eventText);
      if (events.length > 0) commit((transaction) => texts.forEach(({ action, text }) => transaction.add(actor, action, text)));
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
      commit((transaction) => {
        last = file.lastOf(key);
        const fresh = texts.filter(({ originSequence }) => originSequence > last);
        for (const { originSequence, action, text } of fresh) {
          transaction.add(role, action, text);
          last = originSequence;
        }
        if (fresh.length > 0) file.recordOrigin(key, last, transaction.nowMs);
      });
      return { head: headOf(position), lastOriginSequence: last };
    },
    head: () => headOf(position),
    failure: () => failed,
    reopen: () => {
      const next = openLedgerFile(options);
      // Closed only now: the last connection to close would remove the WAL that readers need.
      file.db.close();
      file = next;
      position = next.start;
      failed = null;
    },
    stop: () => failed === null && stopWriter(file.db),
  };
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
