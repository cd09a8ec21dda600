/**
 * Databases as the product writes them: procmond scans this host twice, a child has the agent's writer store an alert.
 * Both are programs of their own, so that this process loads the readers' SQLite alone.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { statePaths } from '@sentineld/runtime/config/state-dir';
import { programPath } from '../programs.ts';

export const DATABASE_NAMES = ['events', 'agent', 'ledger'] as const;
export type DatabaseName = (typeof DATABASE_NAMES)[number];
export type DatabasePaths = Readonly<Record<DatabaseName, string>>;

const NODE_FLAGS = ['--disable-warning=ExperimentalWarning'];
const PATIENCE_MS = 30_000;

/** `directory` is empty and open to other users: started as root, procmond becomes one. */
export function writeDatabases(programs: string, directory: string): DatabasePaths {
  const procmond = programPath(programs, 'procmond');
  const paths = statePaths(join(directory, 'state'));
  // The second scan has what takes two: CPU time since the one before.
  for (let scan = 0; scan < 2; scan++) runNode([...NODE_FLAGS, procmond, 'run', '--once', '--state-dir', paths.root]);
  const agent = join(directory, 'agent.db');
  runNode([...NODE_FLAGS, '--conditions=sentineld-source', join(import.meta.dirname, '..', 'fill-agent.ts'), agent]);
  return { events: paths.eventsDb, agent, ledger: paths.ledgerDb };
}

function runNode(words: readonly string[]): void {
  const { status, stderr, error } = spawnSync(process.execPath, words, { encoding: 'utf8', timeout: PATIENCE_MS });
  if (status !== 0) throw new Error(`${words.join(' ')} ended with status ${String(status)}: ${error?.message ?? stderr}`);
}
