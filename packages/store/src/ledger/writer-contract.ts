/**
 * What procmond may ask of its ledger, and what it must say to open it.
 */
import type { AuditActor, AuditEvent, CheckpointNotice, LedgerHead } from '@sentineld/model/audit';
import type { SentinelError } from '@sentineld/model/error';
import type { AppendReply, ArchiveReply, OriginEntry, RestoreReply, RotateKeyReply, SocketRole } from '@sentineld/model/request';
import type { AuditPeer } from './client-entry.ts';

export type LedgerWriterOptions = {
  readonly path: string;
  /** Stable id of this installation; part of the first entry. */
  readonly hostId: string;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Directory of the private key, ledger.pem; made 0700 where there is none. */
  readonly keyDir: string;
  /** Where `archive` writes; made 0750 when it is first needed. */
  readonly archiveDir: string;
  /** Whether each entry is signed by itself; false where it is left out: then checkpoints alone are. */
  readonly signEntries?: boolean;
  /** Entries after which an epoch is closed; 1,024 where it is left out. */
  readonly checkpointEntries?: number;
  /** How long a submission waits for company at most, while others keep arriving, in milliseconds; 2 where it is left out. */
  readonly groupMs?: number;
  /** Told of each checkpoint once it is on disk, but of none that the opening itself makes; must not throw. */
  readonly onCheckpoint?: (notice: CheckpointNotice) => void;
  /** Size of the reserve; 1 MiB where it is left out, 0 for none. */
  readonly reserveBytes?: number;
  /** Milliseconds by a clock that nobody sets. */
  readonly nowMs?: () => number;
};

/** How the run of procmond before this one ended; 'new' where there was none. */
export type PreviousEnd = 'new' | 'clean' | 'crash';

/** What a restore is told: why, by which user, and the signed checkpoints that others have of what is gone. */
export type RestoreClaims = { readonly reason: string; readonly uid: number; readonly notes: readonly string[] };

/** The key that signs, as c2sp.org/signed-note writes it. */
type LedgerKey = { readonly text: string; readonly id: string; readonly firstEpoch: number };

/**
 * After a write that failed everything throws what it failed with, until `reopen`. While `isOnReserve` everything but a
 * few entries is refused with state.unusable, and nothing is the worse for it: an epoch then lasts longer.
 */
export type LedgerWriter = {
  /**
   * Appends own entries in one transaction and returns once they are on disk; submissions that wait go along, before them.
   * Nothing to append gives the present head.
   */
  append(actor: AuditActor, events: readonly AuditEvent[]): LedgerHead;
  /**
   * Appends what a client sent, each originSequence once, with the role of its socket as the actor. Settles once all of
   * it is on disk, or nothing of it is. Rejects with ipc.refused or ipc.protocol for what no client of the product sends;
   * with state.unusable where too much waits already: then the client sends again.
   */
  submit(role: SocketRole, origin: string, entries: readonly OriginEntry[], peer: AuditPeer): Promise<AppendReply>;
  /** Closes the epoch now, also one without entries. */
  checkpoint(): CheckpointNotice;
  newestCheckpoint(): CheckpointNotice | null;
  /** The key that signs from now on. */
  key(): LedgerKey;
  /** Lets a new key sign and destroys the old one; the epoch ends with it, and the new key closes one at once. */
  rotateKey(): RotateKeyReply;
  /**
   * Moves entries up to the newest checkpoint before a time (milliseconds since 1970) into a file, at most some 100,000 of
   * them: whoever wants all calls it until `entries` of the reply is 0. Nothing is removed before
   * the file is on disk, was read back and holds. Rejects with state.unusable while another one runs or where the file cannot
   * be written, with ledger.broken where the entries do not hold; then all is as it was.
   */
  archive(beforeMs: number): Promise<ArchiveReply>;
  /**
   * Records that the file was put back from a backup. Throws ledger.input for a note that is no checkpoint of this ledger.
   */
  restore(claims: RestoreClaims): RestoreReply;
  /** As it was found when the ledger was opened. */
  previousEnd(): PreviousEnd;
  /** Submissions that wait. */
  pending(): number;
  head(): LedgerHead;
  /**
   * True while the disk is full or was a moment ago: then only entries that tell what becomes of the collection are
   * taken. Looks now and then whether there is space again, and makes the reserve anew.
   */
  isOnReserve(): boolean;
  /** Why nothing is taken any more, or null. */
  failure(): SentinelError | null;
  /**
   * Opens the file anew, verifies its newest entries and goes on; what had failed is recorded. Throws what openLedgerWriter
   * throws, and stays failed then.
   */
  reopen(): void;
  /** Writes what waits and empties the WAL; see stopWriter. False where a reader or an earlier failure prevented it. */
  stop(): boolean;
};
