/**
 * A file that is there whole or not at all: it is written beside its place, on the same file system, and gets its name
 * when it is complete. Only its owner may read it, because what is in it is the host's business. Nothing is overwritten
 * unless that was asked for.
 */
import { closeSync, fsyncSync, linkSync, lstatSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { SentinelError, errnoOf, reasonOf } from '@sentineld/model/error';

export type NewFile = {
  /** As it was given, for messages. */
  readonly name: string;
  /** Where it is written until it is complete: an empty file, mode 0600. */
  readonly temporaryPath: string;
  readonly write: (text: string) => void;
  /** Puts it on the disk and in its place, and says how large it is, in bytes. */
  readonly complete: () => number;
  /** Removes what was written; after `complete` there is nothing to remove. */
  readonly discard: () => void;
};

const BUFFER_BYTES = 262_144;

/** Throws 'usage.invalid' where something is in the way, 'state.unusable' where nothing can be written. */
export function startNewFile(output: string, { force }: { readonly force: boolean }): NewFile {
  const path = resolve(output);
  const temporaryPath = join(dirname(path), `.${basename(path).slice(0, 100)}.${process.pid}.part`);
  const attempt = <T>(work: () => T): T => {
    try {
      return work();
    } catch (cause) {
      if (cause instanceof SentinelError) throw cause;
      throw unwritable(output, cause);
    }
  };
  attempt(() => checkPlace(path, output, force));
  const fd = attempt(() => openSync(temporaryPath, 'wx', 0o600));
  let waiting: string[] = [];
  let waitingLength = 0;
  let isOpen = true;
  const flush = (): void => {
    const bytes = Buffer.from(waiting.join(''));
    waiting = [];
    waitingLength = 0;
    // A disk that is nearly full takes a part.
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
  };
  const discard = (): void => {
    if (!isOpen) return;
    isOpen = false;
    closeSync(fd);
    rmSync(temporaryPath, { force: true });
  };
  return {
    name: output,
    temporaryPath,
    write: (text) => {
      waiting.push(text);
      waitingLength += text.length;
      if (waitingLength >= BUFFER_BYTES) attempt(flush);
    },
    complete: () =>
      attempt(() => {
        flush();
        fsyncSync(fd);
        const { size } = statSync(temporaryPath);
        putInPlace(temporaryPath, path, output, force);
        isOpen = false;
        closeSync(fd);
        return size;
      }),
    discard,
  };
}

/** Before any work is done; what comes in between is found when the file is put in its place. */
function checkPlace(path: string, output: string, force: boolean): void {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return;
  // A rename would put a file in the place of a device or a link, as root that of /dev/null.
  if (!status.isFile()) {
    const kind = status.isDirectory() ? 'a directory' : status.isSymbolicLink() ? 'a symbolic link' : 'a device, socket or pipe';
    throw inTheWay(output, `it is ${kind}, not a file`, 'give the name of a new file; without --output the rows go to standard output');
  }
  if (!force) throw exists(output);
}

function putInPlace(temporaryPath: string, path: string, output: string, force: boolean): void {
  if (force) return renameSync(temporaryPath, path);
  try {
    // Unlike a rename it fails where somebody was faster.
    linkSync(temporaryPath, path);
  } catch (cause) {
    if (errnoOf(cause) === 'EEXIST') throw exists(output);
    // A file system without hard links.
    checkPlace(path, output, force);
    return renameSync(temporaryPath, path);
  }
  return rmSync(temporaryPath);
}

function exists(output: string): SentinelError {
  return inTheWay(output, 'what is there is not overwritten', 'give another name, or --force to replace it');
}

function inTheWay(output: string, why: string, hint: string): SentinelError {
  return new SentinelError('usage.invalid', { message: `${output} is in the way`, why, hint });
}

function unwritable(output: string, cause: unknown): SentinelError {
  return new SentinelError('state.unusable', {
    message: `${output} cannot be written`,
    why: reasonOf(cause),
    hint: 'make room or give another place; nothing was left behind',
    cause,
  });
}
