/**
 * Space that is kept beside the ledger, so that it can still record that the disk is full. It is given back in slices,
 * each just before it is needed: what is let go for all at once, others take.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, statfsSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';

export type LedgerReserve = {
  /** True while some of it is missing: then there is room for what matters and for nothing else. */
  readonly isInUse: () => boolean;
  /** Gives a slice back to the file system. False where there is nothing left to give. */
  readonly release: () => boolean;
};

export type ReserveOptions = {
  /** Path of the database that it is for. */
  readonly ledgerPath: string;
  readonly sizeBytes: number;
  /** Milliseconds by a clock that nobody sets. */
  readonly nowMs: () => number;
};

const SLICES = 8;
/** Whether there is space again is looked at this often. */
const LOOK_MS = 2000;
/** Makes the reserve, or what of it there is space for. Never throws: without it the ledger is as it was. */
export function openReserve({ ledgerPath, sizeBytes, nowMs }: ReserveOptions): LedgerReserve {
  const path = join(dirname(ledgerPath), 'reserve');
  let heldBytes = hold(path, sizeBytes);
  let lookedMs = nowMs();
  return {
    isInUse: () => {
      if (heldBytes >= sizeBytes) return false;
      if (nowMs() - lookedMs < LOOK_MS) return true;
      lookedMs = nowMs();
      heldBytes = hold(path, sizeBytes);
      return heldBytes < sizeBytes;
    },
    release: () => {
      if (heldBytes === 0) return false;
      lookedMs = nowMs();
      heldBytes = cut(path, Math.max(0, heldBytes - Math.ceil(sizeBytes / SLICES)));
      return true;
    },
  };
}

/** Fills the file up where there is space enough; gives the size that it has. */
function hold(path: string, sizeBytes: number): number {
  return withFile(path, (descriptor) => {
    const before = fstatSync(descriptor).size;
    if (before > sizeBytes) ftruncateSync(descriptor, sizeBytes);
    if (before >= sizeBytes) return sizeBytes;
    const { bavail, bsize } = statfsSync(dirname(path));
    // As much again is left for others: otherwise it would be what fills the disk.
    if (bavail * bsize < sizeBytes - before + sizeBytes) return before;
    try {
      // Written and not just asked for, and nothing that a file system could compress: then the blocks are there.
      const bytes = randomBytes(sizeBytes - before);
      for (let at = 0; at < bytes.length; at += writeSync(descriptor, bytes, at, bytes.length - at, before + at));
      fsyncSync(descriptor);
      return sizeBytes;
    } catch {
      ftruncateSync(descriptor, before);
      return before;
    }
  });
}

function cut(path: string, sizeBytes: number): number {
  return withFile(path, (descriptor) => {
    ftruncateSync(descriptor, sizeBytes);
    return sizeBytes;
  });
}

/** What `work` gives, or 0 where the file cannot be used: then there is no reserve. */
function withFile(path: string, work: (descriptor: number) => number): number {
  try {
    const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600);
    try {
      return fstatSync(descriptor).isFile() ? work(descriptor) : 0;
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return 0;
  }
}
