/**
 * What runs after root is given up must be readable by the user that runs it. A checkout or an installation below a
 * closed home is not: then Node and the built programs are copied to a directory of root's that everybody can read.
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { startTicksOf } from './process-identity.ts';

/** A Node binary and a directory of programs that the new user can read. */
export type ReadablePrograms = { readonly node: string; readonly directory: string; readonly staged: boolean };

/** Whether somebody of this uid and gid may read `path` (a file) or pass through it (a directory), by mode bits alone. */
export function reachableBy(path: string, uid: number, gids: readonly number[]): boolean {
  for (let at = path; ; at = dirname(at)) {
    const status = statSync(at);
    const shift = status.uid === uid ? 6 : gids.includes(status.gid) ? 3 : 0;
    const needed = at === path && !status.isDirectory() ? 0o4 : 0o5;
    // Directories on the way need only be passed through.
    const wanted = at === path ? needed : 0o1;
    if (((status.mode >> shift) & wanted) !== wanted) return false;
    if (at === '/') return true;
  }
}

/** Programs that `uid` can run: those in place, or copies below `stageRoot`. */
export function readablePrograms(directory: string, uid: number, gids: readonly number[], stageRoot: string): ReadablePrograms {
  const node = process.execPath;
  if (reachableBy(node, uid, gids) && reachableBy(directory, uid, gids)) return { node, directory, staged: false };
  const target = join(
    stageRoot,
    fingerprint([node, ...readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name))]),
  );
  if (!existsSync(target)) {
    mkdirSync(stageRoot, { recursive: true, mode: 0o755 });
    chmodSync(stageRoot, 0o755);
    for (const old of readdirSync(stageRoot)) if (!isLiveDraft(old)) rmSync(join(stageRoot, old), { recursive: true, force: true });
    const draft = `${target}.${process.pid}`;
    mkdirSync(draft);
    copyFile(node, join(draft, 'node'), 0o755);
    copyOpenly(directory, join(draft, basename(directory)));
    chmodSync(draft, 0o755);
    putInPlace(draft, target);
  }
  return { node: join(target, 'node'), directory: join(target, basename(directory)), staged: true };
}

/** Copies a directory so that everybody can read it, whatever its modes and the umask; of a link, what it leads to. */
function copyOpenly(from: string, to: string): void {
  mkdirSync(to);
  for (const name of readdirSync(from)) {
    const [source, copy] = [join(from, name), join(to, name)];
    if (statSync(source).isDirectory()) {
      copyOpenly(source, copy);
    } else {
      copyFile(source, copy, 0o644);
    }
  }
  chmodSync(to, 0o755);
}

/** Not by copyFile(), which gives the copy to the owner of what was copied: nobody but this user may change what runs. */
function copyFile(from: string, to: string, mode: number): void {
  const buffer = Buffer.allocUnsafe(1_048_576);
  const source = openSync(from, constants.O_RDONLY);
  const copy = openSync(to, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    for (let length = readSync(source, buffer); length > 0; length = readSync(source, buffer)) {
      for (let at = 0; at < length; at += writeSync(copy, buffer, at, length - at));
    }
    fchmodSync(copy, mode);
  } finally {
    closeSync(source);
    closeSync(copy);
  }
}

/** Another daemon that starts at the same time may be making its own. */
function isLiveDraft(name: string): boolean {
  const pid = /\.(\d+)$/.exec(name)?.[1];
  return pid !== undefined && startTicksOf(Number(pid)) !== null;
}

function putInPlace(draft: string, target: string): void {
  try {
    renameSync(draft, target);
  } catch (cause) {
    if (!existsSync(target)) throw cause;
    // The other was faster, and its copies are the same.
    rmSync(draft, { recursive: true });
  }
}

/** A short hash of names, sizes and times: another build is another stage. */
function fingerprint(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files.toSorted()) {
    const status = statSync(file);
    hash.update(`${file}\0${status.size}\0${status.mtimeMs}\0`);
  }
  return hash.digest('hex').slice(0, 16);
}
