/**
 * Where an installation keeps its state when nothing says so: a directory of the user (XDG Base Directory
 * Specification), or the system's, and the fixed places inside it.
 */
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const SYSTEM_STATE_DIR = '/var/lib/sentineld';

type Environment = Readonly<Record<string, string | undefined>>;

/** $XDG_CONFIG_HOME or ~/.config; null without a home. */
export function configHome(environment: Environment): string | null {
  return xdg(environment, 'XDG_CONFIG_HOME', '.config');
}

/**
 * The default state directory: the user's own. Root's home is closed to the users that the daemons become, so root
 * gets the system's directory where that is so. A user without a state directory of their own reads the system's, and
 * writes it only where it is theirs.
 */
export function defaultStateDir(environment: Environment, uid: number = process.getuid?.() ?? -1, use: 'read' | 'write' = 'read'): string {
  const base = xdg(environment, 'XDG_STATE_HOME', '.local/state');
  if (base === null) return SYSTEM_STATE_DIR;
  const own = join(base, 'sentineld');
  if (uid === 0) return openToOthers(own) ? own : SYSTEM_STATE_DIR;
  const system = existsSync(own) ? undefined : statSync(SYSTEM_STATE_DIR, { throwIfNoEntry: false });
  return system !== undefined && (use === 'read' || system.uid === uid) ? SYSTEM_STATE_DIR : own;
}

/** The files and directories of an installation. Each directory has one owner; each database one writer. */
export type StatePaths = {
  readonly root: string;
  readonly eventsDir: string;
  readonly eventsDb: string;
  /** Events that wait for room in the database. */
  readonly spillDir: string;
  readonly ledgerDir: string;
  readonly ledgerDb: string;
  /** The private key that signs checkpoints; closed to everyone but the collector. */
  readonly ledgerKeyDir: string;
  /** What was moved out of the ledger. */
  readonly ledgerArchiveDir: string;
  readonly agentDir: string;
  readonly agentDb: string;
  readonly logDir: string;
  /** procmond's sockets: operators come in by the first, the agent by the second. */
  readonly procmondRunDir: string;
  readonly procmondSocket: string;
  readonly procmondAgentSocket: string;
  readonly agentRunDir: string;
  readonly agentSocket: string;
};

export function statePaths(root: string): StatePaths {
  return {
    root,
    eventsDir: join(root, 'events'),
    eventsDb: join(root, 'events', 'events.db'),
    spillDir: join(root, 'events', 'spill'),
    ledgerDir: join(root, 'ledger'),
    ledgerDb: join(root, 'ledger', 'ledger.db'),
    ledgerKeyDir: join(root, 'ledger', 'key'),
    ledgerArchiveDir: join(root, 'ledger', 'archive'),
    agentDir: join(root, 'agent'),
    agentDb: join(root, 'agent', 'agent.db'),
    logDir: join(root, 'log'),
    procmondRunDir: join(root, 'run', 'procmond'),
    procmondSocket: join(root, 'run', 'procmond', 'procmond.sock'),
    procmondAgentSocket: join(root, 'run', 'procmond', 'agent.sock'),
    agentRunDir: join(root, 'run', 'agent'),
    agentSocket: join(root, 'run', 'agent', 'agent.sock'),
  };
}

function xdg(environment: Environment, variable: string, fallback: string): string | null {
  const given = environment[variable];
  if (given?.startsWith('/') === true) return given;
  const home = environment['HOME'];
  return home?.startsWith('/') === true ? join(home, fallback) : null;
}

/** Whether any user may pass through every directory that exists on the way to `path`. */
function openToOthers(path: string): boolean {
  for (let at = path; at !== '/'; at = dirname(at)) {
    const status = statSync(at, { throwIfNoEntry: false });
    if (status !== undefined && (status.mode & 0o001) === 0) return false;
  }
  return true;
}
