/**
 * When storing stops and when it goes on: a disk that is full or fails, or a log that cannot be emptied because somebody reads
 * an old state of the database, pause the collection. Each pause and its end is an entry of the ledger and a sentence
 * of health; what ends it is that storing works again.
 */
import { SentinelError, errnoOf, messageOf } from '@sentineld/model/error';
import type { AuditEvent } from '@sentineld/model/audit';
import { formatSize } from '@sentineld/runtime/config/quantity';

const NO_ROOM = /^(SQLITE_FULL|ENOSPC|EDQUOT)/;
/** So often the log is moved into the database: that is when it shows that the disk does not take what it said it took. */
const LOOK_MS = 5000;
const DISK_ERROR = /^(SQLITE_IOERR|EIO|EROFS)/;

export type LogReader = { readonly pid: number; readonly name: string };

export type StorageGuardOptions = {
  readonly walLimitBytes: () => number;
  readonly walBytes: () => number;
  /** Moves what it can out of the log and says how large that is now. Throws where the disk fails. */
  readonly checkpoint: () => { readonly walBytes: number };
  /** Who reads the database now, except for this process. */
  readonly readers: () => readonly LogReader[];
  /** True while the ledger has only its reserve left to write to. */
  readonly ledgerIsFull: () => boolean;
  readonly record: (event: AuditEvent) => void;
  readonly nowMs: () => number;
};

export type StoragePause = { readonly kind: 'no_room' | 'log_held' | 'disk_error'; readonly reason: string; readonly sinceMs: number };

export type StorageGuard = {
  /**
   * Looks at log and ledger before something is stored. Throws 'state.held' while the log is too large and cannot be
   * emptied, 'state.unusable' while the ledger has no room for what is stored, and what the checkpoint throws while the disk fails.
   */
  readonly check: () => void;
  readonly stored: () => void;
  readonly failed: (cause: unknown) => void;
  readonly pause: () => StoragePause | null;
};

export function createStorageGuard(options: StorageGuardOptions): StorageGuard {
  let pause: StoragePause | null = null;
  const begin = (kind: StoragePause['kind'], reason: string): void => {
    const isNew = pause?.kind !== kind;
    pause = { kind, reason, sinceMs: isNew ? options.nowMs() : (pause?.sinceMs ?? options.nowMs()) };
    if (isNew) options.record({ action: 'storage_pause', data: { kind, reason } });
  };
  let lookedMs = options.nowMs();
  /** The size of the log, after a checkpoint where it is large or none was made for a while. */
  const look = (walBytes: number): number => {
    const isDue = pause !== null || Math.abs(options.nowMs() - lookedMs) >= LOOK_MS;
    if (!isDue && walBytes <= options.walLimitBytes()) return walBytes;
    lookedMs = options.nowMs();
    try {
      return options.checkpoint().walBytes;
    } catch (cause) {
      begin('disk_error', messageOf(cause));
      throw cause;
    }
  };
  return {
    check: () => {
      if (options.ledgerIsFull()) {
        const message = 'the file system of the ledger is full, and what is left in its reserve is for entries about that';
        begin('no_room', message);
        throw new SentinelError('state.unusable', { message, hint: 'make space on its file system' });
      }
      const walBytes = look(options.walBytes());
      if (walBytes <= options.walLimitBytes()) return;
      const message = logHeldSentence(walBytes, options.walLimitBytes(), options.readers());
      begin('log_held', message);
      throw new SentinelError('state.held', {
        message,
        why: 'what a reader still looks at cannot be moved out of the log',
        hint: 'end that reader, or raise storage.wal_limit',
      });
    },
    stored: () => {
      if (pause === null) return;
      const { kind, reason, sinceMs } = pause;
      pause = null;
      options.record({ action: 'storage_resume', data: { kind, reason, paused_ms: options.nowMs() - sinceMs } });
    },
    failed: (cause) => {
      const errno = errnoOf(cause) ?? '';
      if (DISK_ERROR.test(errno)) begin('disk_error', messageOf(cause));
      else if (NO_ROOM.test(errno) || isUnusable(cause)) begin('no_room', messageOf(cause));
    },
    pause: () => pause,
  };
}

function isUnusable(cause: unknown): boolean {
  return cause instanceof SentinelError && cause.code === 'state.unusable';
}

function logHeldSentence(walBytes: number, limitBytes: number, readers: readonly LogReader[]): string {
  const who = readers.map(({ pid, name }) => `${name} (pid ${pid})`).join(', ');
  const held = who === '' ? 'somebody who cannot be seen from here' : who;
  return `the log of events.db has ${formatSize(roundToMiB(walBytes))}, more than ${formatSize(limitBytes)}, and is held by ${held}`;
}

function roundToMiB(bytes: number): number {
  return Math.ceil(bytes / 1_048_576) * 1_048_576;
}
