/**
 * From whatever rights procmond was started with to the few it may keep, in the order that holds: directories are made
 * as root, root is given up by replacing the program, calls that are not needed are closed off, and what is left is
 * proved on every thread before a database is opened.
 */
import { dirname, join } from 'node:path';
import { SentinelError } from '@sentineld/model/error';
import { loadNative, type Native } from '@sentineld/native/addon';
import { resolvedConfigEnvironment, type LoadedConfig } from '@sentineld/runtime/config/load';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { daemonAccounts } from '@sentineld/runtime/lifecycle/accounts';
import {
  becomeThroughSetpriv,
  provePrivileges,
  SYS_PTRACE_MASK,
  threadPrivileges,
  type PrivilegeProof,
} from '@sentineld/runtime/lifecycle/privileges';
import { confine } from '@sentineld/runtime/lifecycle/confine';
import { daemonNodeArguments } from '@sentineld/runtime/lifecycle/node-flags';
import { replaceProgram } from '@sentineld/runtime/lifecycle/replace-program';
import { readablePrograms } from '@sentineld/runtime/lifecycle/staging';
import { makeStateDirs } from '@sentineld/runtime/lifecycle/state-dirs';
import { EVENTS_VARIABLE, eventsEnvironment, inheritedEvents, openEvents, type OpenedEvents } from './events/open-events.ts';

export type SettledPrivileges = {
  readonly proof: PrivilegeProof;
  /** True where the executables of other users' processes can be read. */
  readonly seesOtherUsers: boolean;
  /** Null, or why calls that are not needed could not be closed off. */
  readonly unconfined: string | null;
  readonly native: Native | null;
  /** Where process events come from: opened while there were rights for it. */
  readonly events: OpenedEvents;
};

export type SettleOptions = {
  readonly loaded: LoadedConfig;
  readonly paths: StatePaths;
  /** Of the command line, to be given again after root is given up. */
  readonly programArguments: readonly string[];
  /** False where nobody will read events: then none are opened. */
  readonly wantsEvents: boolean;
};

/**
 * As root: makes the directories and starts this program again as the collector's user; does not return.
 * Otherwise: confines this process and proves what it has. Throws 'privilege.refused' where that is too much, and where
 * the one source of events that is wanted cannot be had.
 */
export function settlePrivileges(options: SettleOptions): SettledPrivileges {
  const { paths } = options;
  if (process.getuid?.() === 0) return becomeCollector(options);
  const addon = loadNative();
  if (addon.available) replaceProgram(addon.native);
  const ambient = threadPrivileges().some((thread) => thread.ambient === SYS_PTRACE_MASK);
  // With the capability the directories were made by root before; without it they are this user's own.
  if (!ambient) makeStateDirs(paths, null);
  const events = inheritedEvents(process.env) ?? openWanted(options);
  delete process.env[EVENTS_VARIABLE];
  // No sockets but Unix ones, no other program, no word to other processes: for ever, on every thread.
  const unconfined = confine({ socketFamilies: 'unix', exec: false, writeFiles: true, signalOthers: false });
  const proof = provePrivileges(SYS_PTRACE_MASK);
  return {
    proof,
    seesOtherUsers: proof.effective === SYS_PTRACE_MASK.toString(16),
    unconfined,
    native: addon.available ? addon.native : null,
    events,
  };
}

function openWanted({ loaded, wantsEvents }: SettleOptions): OpenedEvents {
  return openEvents(wantsEvents ? loaded.config.collection.events : 'off');
}

function becomeCollector(options: SettleOptions): never {
  const { loaded, paths, programArguments } = options;
  const accounts = daemonAccounts(loaded.config);
  makeStateDirs(paths, accounts);
  const program = process.argv[1];
  if (program === undefined) throw new SentinelError('internal.bug', { message: 'the path of this program is not known' });
  const addon = loadNative();
  // Inherited by what comes after, which then need not start itself again.
  if (addon.available) addon.native.refuseIoUring();
  const gids = [accounts.operatorsGid, accounts.auditorsGid];
  const programs = readablePrograms(dirname(program), accounts.collectorUid, gids, join(paths.root, 'programs'));
  const events = openWanted(options);
  becomeThroughSetpriv(
    { uid: accounts.collectorUid, gid: accounts.operatorsGid, supplementaryGids: gids, keepSysPtrace: true },
    programs.node,
    [...daemonNodeArguments(), join(programs.directory, 'procmond.js'), ...programArguments],
    { ...resolvedConfigEnvironment(loaded), ...eventsEnvironment(events) },
  );
}
