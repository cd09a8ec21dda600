/**
 * Makes the directories of an installation, each with the one owner that may write it. As root nothing that exists is
 * given away: a directory that has the wrong owner is an error with the command that mends it, because chown of what
 * an unprivileged user could have planted is how root gets tricked.
 */
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SentinelError, errnoOf, reasonOf } from '@sentineld/model/error';
import type { StatePaths } from '../config/state-dir.ts';
import type { DaemonAccounts } from './accounts.ts';

type Wanted = { readonly path: string; readonly mode: number; readonly uid: number; readonly gid: number };

/** Makes what is missing. `accounts` is null where everything belongs to the current user. */
export function makeStateDirs(paths: StatePaths, accounts: DaemonAccounts | null): void {
  const uid = process.getuid?.() ?? 0;
  const gid = process.getgid?.() ?? 0;
  const collector = accounts?.collectorUid ?? uid;
  const agent = accounts?.agentUid ?? uid;
  const operators = accounts?.operatorsGid ?? gid;
  const auditors = accounts?.auditorsGid ?? gid;
  const open = accounts === null ? 0o700 : 0o755;
  const wanted: readonly Wanted[] = [
    { path: paths.root, mode: open, uid, gid },
    { path: join(paths.root, 'run'), mode: open, uid, gid },
    { path: paths.logDir, mode: 0o750, uid, gid },
    { path: paths.eventsDir, mode: 0o2750, uid: collector, gid: operators },
    { path: paths.ledgerDir, mode: 0o2750, uid: collector, gid: auditors },
    { path: paths.procmondRunDir, mode: 0o2750, uid: collector, gid: operators },
    { path: paths.agentDir, mode: 0o2750, uid: agent, gid: operators },
    { path: paths.agentRunDir, mode: 0o2750, uid: agent, gid: operators },
  ];
  try {
    makeParents(paths.root, accounts !== null);
    for (const directory of wanted) makeDirectory(directory);
  } catch (cause) {
    if (cause instanceof SentinelError) throw cause;
    const message = `the state directory ${paths.root} cannot be made`;
    throw new SentinelError('state.unusable', { message, why: reasonOf(cause), hint: 'give another one with --state-dir DIR', cause });
  }
}

/**
 * What is missing above the state directory, from the top: where nothing can be made (/proc) the recursive mkdir of Node
 * goes round for ever. Root's umask must not close it to the users that the daemons become.
 */
function makeParents(path: string, asRoot: boolean): void {
  const missing: string[] = [];
  for (let at = dirname(path); !existsSync(at); at = dirname(at)) missing.unshift(at);
  const before = asRoot ? process.umask(0o022) : null;
  try {
    for (const parent of missing) makeParent(parent);
  } finally {
    if (before !== null) process.umask(before);
  }
}

function makeParent(path: string): void {
  try {
    mkdirSync(path, { mode: 0o755 });
  } catch (cause) {
    // Another start makes the same.
    if (errnoOf(cause) !== 'EEXIST') throw cause;
  }
}

function makeDirectory({ path, mode, uid, gid }: Wanted): void {
  let status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) {
    makeWhole({ path, mode, uid, gid });
    status = lstatSync(path);
  }
  if (!status.isDirectory()) throw unusable(path, 'is not a directory', `move it away: ls -ld ${path}`);
  if (status.uid !== uid) {
    // Nobody but root gives files away.
    const mend =
      process.getuid?.() === 0 ? `after looking at what is in it: chown -R ${uid}:${gid} ${path}` : 'give one of your own: --state-dir DIR';
    throw unusable(path, `belongs to uid ${status.uid}, not ${uid}`, mend);
  }
  if ((status.mode & 0o022) !== 0) throw unusable(path, 'can be written by its group or by others', `chmod ${mode.toString(8)} ${path}`);
}

/** A daemon that starts at the same time may be making the same: it must not find a directory without its owner. */
function makeWhole(wanted: Wanted): void {
  const { path, mode, uid, gid } = wanted;
  const isOwn = uid === process.getuid?.() && gid === process.getgid?.();
  const draft = isOwn ? path : `${path}.${process.pid}`;
  try {
    mkdirSync(draft, { mode: 0o700 });
    if (!isOwn) chownSync(draft, uid, gid);
    chmodSync(draft, mode);
    if (!isOwn) renameSync(draft, path);
  } catch (cause) {
    if (!isOwn) rmSync(draft, { recursive: true, force: true });
    if (errnoOf(cause) !== 'ENOTEMPTY' && errnoOf(cause) !== 'EEXIST') throw cause;
  }
}

function unusable(path: string, what: string, hint: string): SentinelError {
  const why = 'whoever else could write there could change what is recorded';
  return new SentinelError('state.unusable', { message: `${path} ${what}`, why, hint, context: { path } });
}
