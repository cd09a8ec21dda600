/**
 * The ledger and what is done for it while procmond runs: its epochs are closed, each checkpoint goes to the mirrors and
 * to whoever subscribed, and what left it before is held against it.
 */
import type { CheckpointNotice, LedgerHead } from '@sentineld/model/audit';
import { messageOf } from '@sentineld/model/error';
import type { ArchiveReply, RestoreReply } from '@sentineld/model/request';
import type { Config } from '@sentineld/runtime/config/config';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import type { Logger } from '@sentineld/runtime/log/logger';
import { openLedgerWriter, type LedgerWriter, type RestoreClaims } from '@sentineld/store/ledger/writer';
import { createEpochs } from './ledger-epochs.ts';
import { createMirrors, mirrorProblems, type MirrorHealth } from './ledger-mirror.ts';
import { readMirror, setMirrorAside } from './mirror-file.ts';
import { contradictionsOf, unexcused, type Contradiction } from './outside-checkpoints.ts';

export type LedgerHealth = LedgerHead & {
  /** Of the key that signs: 8 hex digits. */
  readonly keyId: string;
  /** The newest checkpoint; null before the first. */
  readonly checkpoint: Omit<CheckpointNotice, 'note'> | null;
  readonly mirrors: readonly MirrorHealth[];
  /** Entries of clients that wait to be written. */
  readonly pending: number;
};

/** As a subscriber is told; see model/reply. */
export type CheckpointEvent = { readonly event: 'ledger.checkpoint'; readonly checkpoint: CheckpointNotice };

export type LedgerKeeper = {
  readonly ledger: LedgerWriter;
  readonly start: () => void;
  /** Closes the last epoch. */
  readonly stop: () => void;
  readonly health: () => LedgerHealth;
  /** What is not as it should be, each in a sentence: what nobody may pass over, and what only weakens the proof. */
  readonly problems: () => { readonly failures: readonly string[]; readonly degradations: readonly string[] };
  /** Closes the epoch, unless that was just done and there is nothing new. */
  readonly checkpoint: () => CheckpointNotice;
  /** Archives what is old, as far as one file takes it. Rejects with what the ledger rejects with. */
  readonly archive: (beforeMs: number) => Promise<ArchiveReply>;
  /** Records a restore; what it explains is no problem any more. Throws what the ledger throws. */
  readonly restore: (claims: RestoreClaims) => RestoreReply;
};

export type KeeperOptions = {
  /** As it was at the start. */
  readonly config: Config['ledger'];
  /** As it is now. */
  readonly intervalMs: () => number;
  readonly paths: Pick<StatePaths, 'ledgerDb' | 'ledgerKeyDir' | 'ledgerArchiveDir'>;
  readonly hostId: string;
  readonly log: Logger;
  readonly publish: (event: CheckpointEvent) => void;
};

/** Whoever asks again within this time, and nothing happened, is given the same checkpoint: asking must not fill the disk. */
const FRESH_MS = 1000;

/** Opens the ledger. Throws what openLedgerWriter throws. */
export function keepLedger(options: KeeperOptions): LedgerKeeper {
  const { config, paths, hostId, log, intervalMs } = options;
  // Before the ledger is opened: what it writes from then on says nothing of what it was.
  const witnesses = config.mirror.map((path) => ({ path, checkpoints: readMirror(path) }));
  const mirrors = createMirrors({ paths: config.mirror, clock: Date.now, log });
  const ledger = openLedgerWriter({
    path: paths.ledgerDb,
    hostId,
    clock: Date.now,
    keyDir: paths.ledgerKeyDir,
    archiveDir: paths.ledgerArchiveDir,
    signEntries: config.sign_entries,
    checkpointEntries: config.checkpoint_entries,
    onCheckpoint: (notice) => {
      mirrors.write(notice);
      tell(options, notice);
    },
  });
  let contradictions = contradictionsOf(witnesses, ledger);
  for (const { problem } of contradictions) log.error({ problem }, 'ledger.contradicted');
  const epochs = createEpochs({ ledger, intervalMs, nowMs: () => performance.now(), log });
  return {
    ledger,
    start: () => {
      mirrors.start();
      epochs.start();
    },
    stop: () => {
      epochs.stop();
      mirrors.stop();
      epochs.close();
    },
    health: () => healthOf(ledger, mirrors.health()),
    problems: () => ({
      failures: contradictions.map(({ problem }) => problem),
      degradations: [...epochProblems(epochs.failure()), ...mirrorProblems(mirrors.health())],
    }),
    checkpoint: closeWhenAsked(ledger),
    archive: async (beforeMs) => {
      const reply = await ledger.archive(beforeMs);
      // The entry that says so counts once a checkpoint covers it.
      if (reply.entries > 0) epochs.close();
      return reply;
    },
    restore: (claims) => {
      const reply = ledger.restore(claims);
      const left = unexcused(contradictions, claims.notes);
      beginAnew(contradictions, left, log);
      contradictions = left;
      epochs.close();
      return reply;
    },
  };
}

function tell({ publish, log }: KeeperOptions, checkpoint: CheckpointNotice): void {
  try {
    publish({ event: 'ledger.checkpoint', checkpoint });
  } catch (cause) {
    log.error({ error: messageOf(cause) }, 'checkpoint.untold');
  }
}

/** What a mirror has of a history that was given up would contradict the ledger again at the next start. */
function beginAnew(before: readonly Contradiction[], left: readonly Contradiction[], log: Logger): void {
  for (const { path } of before.filter((one) => !left.includes(one))) {
    const result = setMirrorAside(path);
    if (!result.ok) log.warn({ path, errno: result.errno, error: result.why }, 'mirror.not_renamed');
  }
}

function closeWhenAsked(ledger: LedgerWriter): LedgerKeeper['checkpoint'] {
  let madeMs = Number.NEGATIVE_INFINITY;
  return () => {
    const newest = ledger.newestCheckpoint();
    const isFresh = performance.now() - madeMs < FRESH_MS && ledger.failure() === null;
    if (newest !== null && isFresh && newest.treeSize === ledger.head().sequence) return newest;
    const made = ledger.checkpoint();
    madeMs = performance.now();
    return made;
  };
}

function healthOf(ledger: LedgerWriter, mirrors: readonly MirrorHealth[]): LedgerHealth {
  const newest = ledger.newestCheckpoint();
  const checkpoint = newest === null ? null : { epoch: newest.epoch, treeSize: newest.treeSize, timestampMs: newest.timestampMs };
  return { ...ledger.head(), keyId: ledger.key().id, checkpoint, mirrors, pending: ledger.pending() };
}

function epochProblems(failure: { readonly message: string; readonly sinceMs: number } | null): string[] {
  if (failure === null) return [];
  return [`no epoch of the ledger can be closed since ${new Date(failure.sinceMs).toISOString()}: ${failure.message}`];
}
