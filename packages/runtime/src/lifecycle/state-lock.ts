/**
 * One holder at a time for a directory. The lock is a file that names its holder (pid, start time, boot), made whole
 * and put in place by link(2), so it is never seen half written; a lock whose holder is dead is taken over.
 */
import { existsSync, linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { SentinelError, errnoOf, reasonOf } from '@sentineld/model/error';
import { z } from 'zod';
import { bootId, startTicksOf } from './process-identity.ts';

export type LockHolder = {
  readonly pid: number;
  readonly startTicks: number | null;
  readonly bootId: string;
  readonly program: string;
  readonly sinceMs: number;
};

const HolderSchema: z.ZodType<LockHolder> = z.object({
  pid: z.int().positive(),
  startTicks: z.int().nullable(),
  bootId: z.string(),
  program: z.string(),
  sinceMs: z.int(),
});

export type StateLock = { readonly release: () => void };

/** Takes the lock or throws 'state.held' with the holder's pid and start. `now` in milliseconds since 1970. */
export function takeStateLock(path: string, program: string, now: number = Date.now()): StateLock {
  const own: LockHolder = { pid: process.pid, startTicks: startTicksOf(process.pid), bootId: bootId(), program, sinceMs: now };
  const draft = `${path}.${process.pid}`;
  try {
    writeFileSync(draft, `${JSON.stringify(own)}\n`, { mode: 0o644 });
  } catch (cause) {
    throw new SentinelError('state.unusable', {
      message: `${path}: the lock cannot be written`,
      why: reasonOf(cause),
      hint: 'check the owner and mode of the directory, and the free space',
      cause,
    });
  }
  try {
    for (let attempt = 0; attempt < 8; attempt++) {
      if (linked(draft, path) || takenOver(draft, path)) return { release: () => release(path, own) };
    }
  } finally {
    rmSync(draft, { force: true });
  }
  throw new SentinelError('state.held', { message: `${path} changes hands too fast`, hint: 'start one at a time' });
}

/** The holder a lock file names, or null where there is none or it cannot be read. */
export function readHolder(path: string): LockHolder | null {
  try {
    return HolderSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return null;
  }
}

function isAlive(holder: LockHolder): boolean {
  return holder.bootId === bootId() && holder.startTicks !== null && startTicksOf(holder.pid) === holder.startTicks;
}

function linked(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (cause) {
    if (errnoOf(cause) === 'EEXIST') return false;
    throw cause;
  }
}

/**
 * Puts our lock in the place of a dead holder's. Only whoever has the guard does so, and looks again once it has it: of
 * several that start at once, one would otherwise replace the lock that another has just taken over. False: try again.
 */
function takenOver(draft: string, path: string): boolean {
  refuseIfHeld(path, path);
  const guard = `${path}.takeover`;
  if (!linked(draft, guard)) {
    // Gone by now: its holder has finished. Left by a process that died: ours to remove.
    if (refuseIfHeld(path, guard)) rmSync(guard, { force: true });
    return false;
  }
  try {
    refuseIfHeld(path, path);
    if (!existsSync(path)) return false;
    renameSync(draft, path);
    return true;
  } finally {
    rmSync(guard, { force: true });
  }
}

/** Throws where `file` names a process that lives; true where it names one that does not. */
function refuseIfHeld(path: string, file: string): boolean {
  const holder = readHolder(file);
  if (holder === null) return false;
  if (!isAlive(holder)) return true;
  throw new SentinelError('state.held', {
    message: `${path} is held by ${holder.program}, pid ${holder.pid}`,
    why: `it runs since ${new Date(holder.sinceMs).toISOString()}, and one at a time may write there`,
    hint: `use that one, stop it with "kill ${holder.pid}", or give this one another --state-dir`,
    context: { pid: holder.pid, path },
  });
}

function release(path: string, own: LockHolder): void {
  const holder = readHolder(path);
  if (holder?.pid === own.pid && holder.startTicks === own.startTicks) rmSync(path, { force: true });
}
