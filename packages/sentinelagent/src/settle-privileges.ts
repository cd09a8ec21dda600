/**
 * The agent runs without any capability. Started as root it makes the directories and becomes its own user; then, and
 * for any other user, it proves that nothing is left.
 */
import { dirname, join } from 'node:path';
import { SentinelError } from '@sentineld/model/error';
import { resolvedConfigEnvironment, type LoadedConfig } from '@sentineld/runtime/config/load';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { daemonAccounts } from '@sentineld/runtime/lifecycle/accounts';
import { prepareToConfine } from '@sentineld/runtime/lifecycle/confine';
import { daemonNodeArguments } from '@sentineld/runtime/lifecycle/node-flags';
import { becomeThroughSetpriv, provePrivileges, threadPrivileges, type PrivilegeProof } from '@sentineld/runtime/lifecycle/privileges';
import { readablePrograms } from '@sentineld/runtime/lifecycle/staging';
import { makeStateDirs } from '@sentineld/runtime/lifecycle/state-dirs';

/** As root: starts this program again as the agent's user and does not return. Throws 'privilege.refused' where a thread has a capability. */
export function settlePrivileges(loaded: LoadedConfig, paths: StatePaths, programArguments: readonly string[]): PrivilegeProof {
  if (process.getuid?.() === 0) becomeAgent(loaded, paths, programArguments);
  prepareToConfine();
  // Cut to nothing: root made the directories before. Otherwise they are this user's own.
  const cut = threadPrivileges().every((thread) => thread.bounding === 0n);
  if (!cut) makeStateDirs(paths, null);
  return provePrivileges(0n);
}

function becomeAgent(loaded: LoadedConfig, paths: StatePaths, programArguments: readonly string[]): never {
  const accounts = daemonAccounts(loaded.config);
  makeStateDirs(paths, accounts);
  const program = process.argv[1];
  if (program === undefined) throw new SentinelError('internal.bug', { message: 'the path of this program is not known' });
  const gids = [accounts.operatorsGid];
  const programs = readablePrograms(dirname(program), accounts.agentUid, gids, join(paths.root, 'programs'));
  becomeThroughSetpriv(
    { uid: accounts.agentUid, gid: accounts.operatorsGid, supplementaryGids: gids, keepSysPtrace: false },
    programs.node,
    [...daemonNodeArguments(), join(programs.directory, 'sentinelagent.js'), ...programArguments],
    resolvedConfigEnvironment(loaded),
  );
}
