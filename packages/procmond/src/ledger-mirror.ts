/**
 * Copies of the ledger's checkpoints in other places, so that whoever changes the ledger would have to change those too. A mirror
 * that fails is named in health, keeps nothing from being recorded, and gets the newest checkpoint once it works again.
 */
import type { CheckpointNotice } from '@sentineld/model/audit';
import { displayHostText } from '@sentineld/model/host-text';
import type { Logger } from '@sentineld/runtime/log/logger';
import { appendToMirror, type MirrorResult } from './mirror-file.ts';

/** So often it is looked whether mirrors that failed work again. */
const RETRY_MS = 30_000;
const HOUR_MS = 3_600_000;

export type MirrorOptions = {
  /** Absolute paths. */
  readonly paths: readonly string[];
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly log: Logger;
  /** How a line is appended; tests give another. */
  readonly append?: (path: string, seenMs: number, note: string) => MirrorResult;
};

export type MirrorHealth = {
  readonly path: string;
  /** Of the newest checkpoint that this run wrote there; null before the first. */
  readonly treeSize: number | null;
  /** Why it takes none, and since when; null where it does. */
  readonly failure: string | null;
};

export type LedgerMirrors = {
  /** Copies a checkpoint of an epoch with entries, the first of each hour, and what a mirror has missed. Never throws. */
  readonly write: (notice: CheckpointNotice) => void;
  /** Tries the mirrors that failed again, with the newest checkpoint. */
  readonly retry: () => void;
  readonly health: () => readonly MirrorHealth[];
  /** Tries again by itself from time to time. */
  readonly start: () => void;
  readonly stop: () => void;
};

type Mirror = { readonly path: string; written: CheckpointNotice | null; failure: Failure | null };
type Failure = { readonly errno: string; readonly why: string; readonly sinceMs: number };

export function createMirrors(options: MirrorOptions): LedgerMirrors {
  const mirrors = options.paths.map((path): Mirror => ({ path, written: null, failure: null }));
  let newest: CheckpointNotice | null = null;
  let timer: NodeJS.Timeout | undefined;
  const retry = (): void => {
    for (const mirror of mirrors) if (mirror.failure !== null && newest !== null) copy(mirror, newest, options);
  };
  return {
    write: (notice) => {
      newest = notice;
      for (const mirror of mirrors) if (isWanted(mirror, notice)) copy(mirror, notice, options);
    },
    retry,
    health: () => mirrors.map(healthOf),
    start: () => {
      timer = setInterval(retry, RETRY_MS).unref();
    },
    stop: () => clearInterval(timer),
  };
}

/** What health says of mirrors that fail, a sentence each. */
export function mirrorProblems(mirrors: readonly MirrorHealth[]): string[] {
  return mirrors.flatMap(({ path, failure }) =>
    failure === null ? [] : [`the mirror ${displayHostText(path)} takes no checkpoints: ${failure}`],
  );
}

/** A checkpoint of an epoch without entries says again what the one before said, so one an hour is enough. */
function isWanted({ written, failure }: Mirror, notice: CheckpointNotice): boolean {
  if (written === null || failure !== null || written.treeSize !== notice.treeSize) return true;
  return hourOf(written) !== hourOf(notice);
}

function hourOf({ timestampMs }: CheckpointNotice): number {
  return Math.floor(timestampMs / HOUR_MS);
}

function copy(mirror: Mirror, notice: CheckpointNotice, { clock, log, append = appendToMirror }: MirrorOptions): void {
  const result = append(mirror.path, clock(), notice.note);
  if (result.ok) {
    if (mirror.failure !== null) log.info({ path: mirror.path, treeSize: notice.treeSize }, 'mirror.works_again');
    Object.assign(mirror, { written: notice, failure: null });
    return;
  }
  const { errno, why } = result;
  // Once for as long as the reason stays: it is tried with every checkpoint.
  if (mirror.failure?.errno !== errno) log.warn({ path: mirror.path, errno, error: why }, 'mirror.failed');
  mirror.failure = { errno, why, sinceMs: mirror.failure?.sinceMs ?? clock() };
}

function healthOf({ path, written, failure }: Mirror): MirrorHealth {
  return {
    path,
    treeSize: written?.treeSize ?? null,
    failure: failure === null ? null : `${failure.errno} since ${new Date(failure.sinceMs).toISOString()}: ${failure.why}`,
  };
}
