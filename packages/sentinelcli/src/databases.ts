/**
 * The databases of an installation as an operator meets them: there, not there yet, or not for this user. What can
 * be read is opened together, under the schemas main (events), agent and ledger; the rest is explained.
 */
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { SentinelError, errnoOf } from '@sentineld/model/error';
import type { ReadableSchema } from '@sentineld/model/schema';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { AGENT_SCHEMA, AGENT_VIEWS } from '@sentineld/store/agent/readable';
import { LEDGER_SCHEMA, LEDGER_VIEWS } from '@sentineld/store/ledger/readable';
import type { ReaderDatabase, ReaderView } from '@sentineld/store/reader';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';

export type DatabaseName = 'events' | 'agent' | 'ledger';

export type DatabaseState = 'readable' | 'missing' | 'denied';

export type DatabaseFile = {
  readonly name: DatabaseName;
  /** events.db, agent.db, ledger.db. */
  readonly file: string;
  readonly path: string;
  readonly state: DatabaseState;
  readonly schema: ReadableSchema;
  readonly views: readonly ReaderView[];
};

/** Everything a query may read, and what it may not and why. */
export type ReadableDatabases = {
  readonly databases: readonly ReaderDatabase[];
  readonly temporaryViews: readonly ReaderView[];
  readonly schema: ReadableSchema;
  readonly absent: readonly DatabaseFile[];
};

export function databaseFiles(paths: StatePaths): readonly DatabaseFile[] {
  const file = (name: DatabaseName, path: string, schema: ReadableSchema, views: readonly ReaderView[]): DatabaseFile => ({
    name,
    file: `${name}.db`,
    path,
    state: stateOf(path),
    schema,
    views,
  });
  return [
    file('events', paths.eventsDb, EVENTS_SCHEMA, []),
    file('agent', paths.agentDb, AGENT_SCHEMA, AGENT_VIEWS),
    file('ledger', paths.ledgerDb, LEDGER_SCHEMA, LEDGER_VIEWS),
  ];
}

/** The event store and whatever else this user may read. Throws 'store.missing' or 'store.unreadable' where there are no events. */
export function readableDatabases(paths: StatePaths): ReadableDatabases {
  const files = databaseFiles(paths);
  const readable = files.filter(({ state }) => state === 'readable');
  const events = files[0];
  if (events !== undefined && events.state !== 'readable') throw unavailable(events);
  return {
    databases: readable.map(({ name, path }) => ({ schema: name === 'events' ? 'main' : name, path })),
    temporaryViews: readable.flatMap(({ views }) => views),
    schema: {
      tables: readable.flatMap(({ schema }) => schema.tables),
      hiddenTables: readable.flatMap(({ schema }) => schema.hiddenTables),
    },
    absent: files.filter(({ state }) => state !== 'readable'),
  };
}

/** The path of agent.db where it can be read; otherwise throws 'store.missing' or 'store.unreadable'. */
export function requireAgentDatabase(paths: StatePaths): string {
  return requireDatabase(paths, 'agent');
}

/** The path of events.db where it can be read; otherwise throws 'store.missing' or 'store.unreadable'. */
export function requireEventsDatabase(paths: StatePaths): string {
  return requireDatabase(paths, 'events');
}

/** The path of ledger.db where it can be read; otherwise throws 'store.missing' or 'store.unreadable'. */
export function requireLedgerDatabase(paths: StatePaths): string {
  return requireDatabase(paths, 'ledger');
}

function requireDatabase(paths: StatePaths, wanted: DatabaseName): string {
  const file = databaseFiles(paths).find(({ name }) => name === wanted);
  if (file === undefined) throw new SentinelError('internal.bug', { message: `there is no database ${wanted}` });
  if (file.state !== 'readable') throw unavailable(file);
  return file.path;
}

/** Why a database cannot be read, as an error with what to do about it. */
export function unavailable({ file, name, path, state }: DatabaseFile): SentinelError {
  if (state === 'missing') {
    const writer = name === 'agent' ? 'sentinelagent' : 'procmond';
    return new SentinelError('store.missing', {
      message: `nothing recorded yet: there is no ${file}`,
      why: whyMissing(path, writer),
      context: { path },
    });
  }
  return new SentinelError('store.unreadable', { message: `${path} may not be read`, ...whoMay(path, name), context: { path } });
}

function whyMissing(path: string, writer: string): string {
  if (existsSync(path)) return `${path} is not a file`;
  const stateDir = dirname(dirname(path));
  const status = statSync(stateDir, { throwIfNoEntry: false });
  if (status === undefined) return `the state directory ${stateDir} does not exist`;
  return status.isDirectory() ? `${writer} makes it, and has not run on ${stateDir}` : `${stateDir} is not a directory`;
}

/** Who may read a database that this user may not, by the directory that keeps them out. */
function whoMay(path: string, name: DatabaseName): { readonly why: string; readonly hint: string } {
  const directory = dirname(path);
  const gid = groupOf(directory);
  if (gid === null) {
    const why = `the state directory ${dirname(directory)} is closed to this user`;
    return { why, hint: 'ask as the user whose it is, or as root; or give another --state-dir' };
  }
  const group = nameOfGroup(gid);
  const why = `it is for the ${name === 'ledger' ? 'auditors' : 'operators'}: group ${group ?? `${gid}, which has no name`}`;
  return { why, hint: group === null ? 'ask as root' : `ask as root, or join them: usermod -aG ${group} YOU, and log in again` };
}

/** The absent database that a statement names a table of, by the look of its text; null where it names none. */
export function absentTableIn(
  sql: string,
  absent: readonly DatabaseFile[],
): { readonly table: string; readonly database: DatabaseFile } | null {
  for (const database of absent) {
    const table = database.schema.tables.find(({ name }) => new RegExp(`\\b${name}\\b`, 'i').test(sql));
    if (table !== undefined) return { table: table.name, database };
  }
  return null;
}

function groupOf(directory: string): number | null {
  try {
    return statSync(directory).gid;
  } catch {
    return null;
  }
}

/** By /etc/group alone: what else a host may ask needs programs that are not started here. */
function nameOfGroup(gid: number): string | null {
  try {
    const line = readFileSync('/etc/group', 'utf8')
      .split('\n')
      .find((group) => group.split(':')[2] === String(gid));
    return line?.split(':')[0] ?? null;
  } catch {
    return null;
  }
}

function stateOf(path: string): DatabaseState {
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isFile() ? 'readable' : 'missing';
  } catch (cause) {
    return errnoOf(cause) === 'EACCES' || errnoOf(cause) === 'EPERM' ? 'denied' : 'missing';
  }
}
