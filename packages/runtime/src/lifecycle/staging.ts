/**
 * What runs after root is given up must be readable by the user that runs it. A checkout or an installation below a
 * closed home is not: then Node and the built programs are copied to a directory of root's that everybody can read.
 */
import { createHash } from 'node:crypto';
import { chmodSync, constants, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
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
  const target = join(stageRoot, fingerprint([node, ...readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name))]));
  if (!existsSync(target)) {
    mkdirSync(stageRoot, { recursive: true, mode: 0o755 });
    chmodSync(stageRoot, 0o755);
    for (const old of readdirSync(stageRoot)) if (!isLiveDraft(old)) rmSync(join(stageRoot, old), { recursive: true, force: true });
    const draft = `${target}.${process.pid}`;
    mkdirSync(draft);
    copyFileSync(node, join(draft, 'node'), constants.COPYFILE_FICLONE);
    cpSync(directory, join(draft, basename(directory)), { recursive: true, dereference: true });
    openToAll(draft);
    chmodSync(join(draft, 'node'), 0o755);
    putInPlace(draft, target);
  }
  return { node: join(target, 'node'), directory: join(target, basename(directory)), staged: true };
}

/** Copies keep the modes of what was copied, and a umask may close them further. */
function openToAll(directory: string): void {
  chmodSync(directory, 0o755);
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const path = join(directory, name);
    const status = statSync(path);
    chmodSync(path, status.isDirectory() ? 0o755 : 0o644 | (status.mode & 0o111));
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
