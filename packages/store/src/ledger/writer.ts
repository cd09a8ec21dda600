/**
 * Writes the audit ledger. procmond alone imports this. An entry that was acknowledged is on disk; after a write that
 * failed nothing more is taken until `reopen`. Where the disk is full it lives on a reserve, for entries that tell what
 * becomes of the collection.
 */
import type { AuditEvent } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import type { AppendReply, ArchiveReply, RotateKeyReply } from '@sentineld/model/request';
import { headOf } from '@sentineld/ledger/chain';
import { stopWriter } from '../open.ts';
import { archiveEntries } from './archive.ts';
import { checkClientEntries, clientEvent, originKey } from './client-entry.ts';
import { type LedgerSession, flush, guard, openSession, reopen, requireUsable, write } from './commit.ts';
import { eventText } from './event-text.ts';
import type { PrivateKey } from './key-file.ts';
import { type ActorEvent, newestKey, signerOf } from './ledger-state.ts';
import { readPreviousEnd } from './previous-end.ts';
import { restoreEvent } from './restore.ts';
import type { LedgerWriter, LedgerWriterOptions } from './writer-contract.ts';

export type { LedgerWriter, LedgerWriterOptions, RestoreClaims } from './writer-contract.ts';

/**
 * Opens or creates the ledger and its key, verifies its newest entries and its newest checkpoint.
 * @throws SentinelError ledger.broken with the sequence; state.unusable and ledger.input where the key cannot be used; or
 * what openWriter throws.
 */
export function openLedgerWriter(options: LedgerWriterOptions): LedgerWriter {
  const session = openSession(options);
  const previousEnd = readPreviousEnd(session.ledger.file.db);
  const head: LedgerWriter['head'] = () => headOf(session.ledger.state.position);
  return {
    append: (actor, events) => {
      const texts = events.map((event) => eventText(event));
      if (texts.length > 0) {
        const actions = texts.map(({ action }) => action);
        write(session, actions, (transaction) => transaction.add(...texts.map((text): ActorEvent => [actor, text])));
      }
      return head();
    },
    submit: async (...submission) => submit(session, ...submission),
    checkpoint: () => {
      write(session, ['checkpoint'], (transaction) => void transaction.closeEpoch());
      return requireCheckpoint(session);
    },
    newestCheckpoint: () => session.ledger.state.newest,
    key: () => {
      const { key, firstEpoch } = newestKey(session.ledger.state);
      return { text: key.text, id: key.id, firstEpoch };
    },
    rotateKey: () => rotateKey(session),
    archive: archiver(session),
    restore: (claims) => {
      requireUsable(session, ['ledger_restore']);
      const text = eventText(restoreEvent(claims, session.ledger.state, session.ledger.file.db));
      write(session, [text.action], (transaction) => transaction.add(['procmond', text]));
      return { sequence: head().sequence };
    },
    previousEnd: () => previousEnd,
    pending: () => session.queue.length(),
    head,
    isOnReserve: session.reserve.isInUse,
    failure: () => session.failed,
    reopen: () => reopen(session),
    stop: () => {
      flush(session);
      return session.failed === null && emptyLog(session);
    },
  };
}

/** False where the disk refuses: what was acknowledged is in the log. */
function emptyLog(session: LedgerSession): boolean {
  try {
    return guard(session, () => stopWriter(session.ledger.file.db));
  } catch {
    return false;
  }
}

function submit(session: LedgerSession, ...[role, origin, entries, peer]: Parameters<LedgerWriter['submit']>): Promise<AppendReply> {
  checkClientEntries(role, entries);
  const submitted = entries.map((entry) => ({ originSequence: entry.originSequence, event: clientEvent(role, origin, entry, peer) }));
  requireUsable(
    session,
    submitted.map(({ event }) => event.action),
  );
  return new Promise((resolve, reject) => {
    session.queue.add({ role, originKey: originKey(role, origin, peer), entries: submitted, resolve, reject });
  });
}

function requireCheckpoint({ ledger }: LedgerSession): NonNullable<ReturnType<LedgerWriter['newestCheckpoint']>> {
  if (ledger.state.newest === null) throw new SentinelError('internal.bug', { message: 'A checkpoint that was made is not there.' });
  return ledger.state.newest;
}

/**
 * The next key lies beside the one in use until the entry that names it is on disk. Whatever is interrupted, the next
 * opening finishes or undoes it by what the entries say.
 */
function rotateKey(session: LedgerSession): RotateKeyReply {
  requireUsable(session, ['key_rotate']);
  let prepared: PrivateKey | null = session.ledger.keys.prepare();
  try {
    write(session, ['key_rotate'], (transaction) => {
      // A second attempt is on a ledger that was opened anew, which has removed the first key.
      const next = signerOf(transaction.state().ledgerId, prepared ?? session.ledger.keys.prepare());
      prepared = null;
      const event: AuditEvent = { action: 'key_rotate', data: { key: next.key.text, retired: transaction.state().signer.key.id } };
      transaction.add(['procmond', eventText(event)]);
      transaction.closeEpoch();
      transaction.signWith(next);
      transaction.closeEpoch();
    });
  } catch (thrown) {
    // Nothing was written where the ledger goes on.
    if (session.failed === null) session.ledger.keys.discard();
    throw thrown;
  }
  guard(session, () => session.ledger.keys.install());
  const { key, firstEpoch } = newestKey(session.ledger.state);
  return { key: key.text, firstEpoch };
}

function archiver(session: LedgerSession): (beforeMs: number) => Promise<ArchiveReply> {
  let isRunning = false;
  return async (beforeMs) => {
    requireUsable(session, ['ledger_archive']);
    if (isRunning) {
      throw new SentinelError('state.unusable', {
        message: 'The ledger is being archived already.',
        why: 'one archive is written at a time',
        hint: 'Wait until it is done.',
      });
    }
    isRunning = true;
    try {
      return await archiveEntries(
        {
          db: () => session.ledger.file.db,
          state: () => session.ledger.state,
          archiveDir: session.options.archiveDir,
          commit: (work) => write(session, ['ledger_archive'], work),
          maintain: (work) => guard(session, () => work(session.ledger.file.db)),
        },
        beforeMs,
      );
    } finally {
      isRunning = false;
    }
  };
}
