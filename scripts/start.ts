/**
 * `pnpm start`: the whole of SentinelD on one machine, for a first look and for development. Builds the programs,
 * starts procmond and the agent on one state directory, says what they do, and ends them together.
 */
import type { EventTier } from '@sentineld/model/process-event';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SentinelError, errnoOf, messageOf, reasonOf } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';
import { AgentReplySchema, ProcmondReplySchema } from '@sentineld/model/reply';
import { loadConfig, type LoadedConfig } from '@sentineld/runtime/config/load';
import { formatDuration } from '@sentineld/runtime/config/quantity';
import { defaultStateDir, statePaths } from '@sentineld/runtime/config/state-dir';
import { askOnce, openConnection, type Connection } from '@sentineld/runtime/ipc/client';
import { daemonAccounts } from '@sentineld/runtime/lifecycle/accounts';
import { CONFIG_OPTIONS, readArguments, writerConfig, type ProgramSyntax, type WriterConfig } from '@sentineld/runtime/lifecycle/arguments';
import { describeFailure, exitStatusOf } from '@sentineld/runtime/lifecycle/fail';
import { listenForStop } from '@sentineld/runtime/lifecycle/shutdown';
import { makeStateDirs } from '@sentineld/runtime/lifecycle/state-dirs';
import { takeStateLock, type StateLock } from '@sentineld/runtime/lifecycle/state-lock';
import { VERSION } from '@sentineld/runtime/version';
import { build, PROGRAMS_DIRECTORY } from './build.ts';
import { launchersAbove } from './start/ancestors.ts';
import { lastWords, startChild, type Child } from './start/children.ts';

const INTERVAL = '2s';
const READY_PATIENCE_MS = 15_000;
/** Together less than the five seconds in which a run must be over. */
const AGENT_PATIENCE_MS = 2500;
const PROCMOND_PATIENCE_MS = 1500;

/** A line of the report: a word, and what there is to say of it. */
function say(topic: string, text: string): void {
  process.stdout.write(`  ${topic.padEnd(9)} ${displayHostText(text)}\n`);
}

const HELP = `pnpm start: the whole of SentinelD on this machine, for a first look

Builds the programs, starts procmond and sentinelagent on one state directory,
shows alerts as they come, and ends both with Ctrl-C. Started as root it sees
more, and gives root up before it collects anything.

Options:
  --state-dir DIR    where databases, sockets and logs are
                     (~/.local/state/sentineld, for root /var/lib/sentineld)
  --config FILE      a configuration file above the user's own
  --set KEY=VALUE    one setting, for instance --set collection.interval=5s;
                     may be given again
  --no-build         take build/programs as it is
  --help, --version

Exit status: 0 fine, 2 usage, 3 configuration, 4 store or environment, 70 bug.
`;

const OPTIONS = {
  ...CONFIG_OPTIONS,
  'no-build': { value: null },
  help: { value: null, short: 'h' },
  version: { value: null },
} as const;

const SYNTAX: ProgramSyntax<keyof typeof OPTIONS> = { program: 'pnpm start', options: OPTIONS, words: [], mostWords: 0 };

async function main(): Promise<void> {
  const given = readArguments(SYNTAX, process.argv.slice(2));
  if (given.has('help') || given.has('version')) {
    process.stdout.write(given.has('help') ? HELP : `${VERSION}\n`);
    return;
  }
  await supervise(writerConfig(given), given.has('no-build'));
}

async function supervise(written: WriterConfig, isBuilt: boolean): Promise<void> {
  const configured = loadConfig(written);
  // A first look should not take half a minute: the default interval is for servers.
  const isDefault = configured.origins.get('collection.interval') === 'default';
  const assignments = isDefault ? [...written.assignments, `collection.interval=${INTERVAL}`] : written.assignments;
  const loaded = loadConfig({ ...written, assignments });
  const paths = statePaths(loaded.config.state_dir);
  makeStateDirs(paths, process.getuid?.() === 0 ? daemonAccounts(loaded.config) : null);
  const lock = takeStateLock(join(paths.root, 'start.lock'), 'start');
  process.stdout.write(`SentinelD ${VERSION}. Ctrl-C ends it (or: kill ${process.pid}).\n`);
  say('state', paths.root);
  const { children, watch } = endTogether(loaded, lock);
  const programs = isBuilt ? PROGRAMS_DIRECTORY : await buildPrograms();
  const daemonArguments = [
    'run',
    '--supervised',
    ...(written.file === undefined ? [] : ['--config', written.file]),
    ...assignments.flatMap((one) => ['--set', one]),
  ];
  watch(startChild('procmond', programs, daemonArguments, paths.logDir));
  await reportScans(loaded, paths.procmondSocket, children);
  watch(startChild('sentinelagent', programs, daemonArguments, paths.logDir));
  await reportRules(paths.agentSocket, children);
  reportCommands(loaded);
  for (const child of children) child.showOutput();
}

async function buildPrograms(): Promise<string> {
  try {
    return await build();
  } catch (cause) {
    if (errnoOf(cause) === undefined) throw cause;
    throw new SentinelError('state.unusable', {
      message: `the programs cannot be built into ${PROGRAMS_DIRECTORY}`,
      why: reasonOf(cause),
      hint: 'use a clone of your own, or take what is built: --no-build',
      cause,
    });
  }
}

type Watched = { readonly children: readonly Child[]; readonly watch: (child: Child) => void };

/** Ends what is watched, and this process, when it is told to, when whoever started it is gone, or when one of them ends. */
function endTogether(loaded: LoadedConfig, lock: StateLock): Watched {
  const children: Child[] = [];
  let stopping = false;
  const stop = async (status: number): Promise<void> => {
    if (stopping) return;
    stopping = true;
    // The agent first: what it still has to say goes into procmond's ledger.
    for (const child of children.toReversed()) await child.stop(child.name === 'procmond' ? PROCMOND_PATIENCE_MS : AGENT_PATIENCE_MS);
    lock.release();
    process.stdout.write(`stopped; the ledger can be verified with: sentinelcli${whereOf(loaded)} audit verify\n`);
    process.exit(status);
  };
  listenForStop({
    watchParent: true,
    watchPids: launchersAbove(process.pid),
    onStop: (reason) => {
      if (reason === 'parent_died') process.stdout.write('whoever started this is gone: stopping\n');
      void stop(0);
    },
  });
  // Whoever read the output is gone, and with them the reason to run.
  process.stdout.on('error', () => void stop(0));
  const watch = (child: Child): void => {
    children.push(child);
    void child.ended.then((how) => {
      if (stopping) return undefined;
      process.stderr.write(describeFailure('pnpm start', endedUnasked(child, how)));
      return stop(4);
    });
  };
  return { children, watch };
}

function endedUnasked({ name, logFile }: Child, how: string): SentinelError {
  const { why, hint } = lastWords(logFile, name);
  return new SentinelError('state.unusable', {
    message: `${name} ended unasked (${how})`,
    why,
    hint: hint ?? `look at the end of ${logFile}`,
  });
}

async function reportScans(loaded: LoadedConfig, socket: string, children: readonly Child[]): Promise<void> {
  const connection = await whenReady(socket, children);
  const procmond = await poll(children, async () => {
    const health = ProcmondReplySchema.parse(await connection.ask({ request: 'health' }));
    return health.lastScan === null ? null : health;
  });
  connection.close();
  const { lastScan, privileges } = procmond;
  const capability = privileges.effective === '0' ? 'no capability' : 'CAP_SYS_PTRACE alone';
  say('procmond', `pid ${procmond.pid}, uid ${procmond.uid}, ${capability}${privileges.seccomp ? ', no network, no exec' : ''}`);
  const interval = formatDuration(loaded.config.collection.interval);
  if (lastScan !== null) {
    say('scan', `${lastScan.processes} processes in ${lastScan.durationMs} ms (scan ${lastScan.scanId}); again every ${interval}`);
    if (lastScan.reducedVisibility !== null)
      say('not seen', `${lastScan.reducedVisibility}${process.getuid?.() === 0 ? '' : "; root sees other users' too"}`);
  }
  sayEvents(lastScan?.events.tier ?? 'off', interval);
}

function sayEvents(tier: EventTier, interval: string): void {
  if (tier === 'off') say('not seen', `processes that live less than ${interval}: there is no source of events, see health`);
  else
    say('events', `every exec and exit between scans, from ${tier === 'kernel' ? "the kernel's process connector" : 'a trace instance'}`);
}

async function reportRules(socket: string, children: readonly Child[]): Promise<void> {
  const agent = await poll(children, async () => {
    const health = AgentReplySchema.parse(await askOnce(socket, { request: 'health' }));
    return (health.rules['unverified'] ?? 0) > 0 ? null : health;
  });
  say('agent', `pid ${agent.pid}, uid ${agent.uid}, no capability`);
  const { rules } = agent;
  const left = ['refused', 'notLoaded', 'disabled']
    .filter((state) => (rules[state] ?? 0) > 0)
    .map((state) => `, ${rules[state] ?? 0} ${state === 'notLoaded' ? 'not loaded' : state}`);
  say('rules', `${rules['active'] ?? 0} active${left.join('')}`);
}

/** Lines that can be pasted into another terminal, whatever directory it is in. */
function reportCommands(loaded: LoadedConfig): void {
  const where = whereOf(loaded);
  say('ask', `PATH="${join(import.meta.dirname, '..', 'node_modules', '.bin')}:$PATH"`);
  const sql = '"SELECT pid, name, exe_path FROM processes LIMIT 5"';
  for (const command of ['health', `query ${sql}`, 'rules list', 'alerts list', 'audit verify']) say('', `sentinelcli${where} ${command}`);
  process.stdout.write('Alerts follow as they come.\n');
}

/** How sentinelcli is told of a state directory that it would not take by itself. */
function whereOf({ config }: LoadedConfig): string {
  return config.state_dir === defaultStateDir(process.env) ? '' : ` --state-dir ${quoted(config.state_dir)}`;
}

function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

/** A connection as soon as the daemon listens. */
function whenReady(socket: string, children: readonly Child[]): Promise<Connection> {
  return poll(children, () => openConnection(socket));
}

/** Tries until there is an answer; gives up when a daemon has ended or patience has. */
async function poll<Answer>(children: readonly Child[], ask: () => Promise<Answer | null>): Promise<Answer> {
  const deadline = performance.now() + READY_PATIENCE_MS;
  for (let reason = ''; ;) {
    try {
      const answer = await ask();
      if (answer !== null) return answer;
      reason = 'not ready yet';
    } catch (cause) {
      reason = messageOf(cause);
    }
    // The end of a daemon is told, and ends this process, elsewhere.
    if (children.some((child) => child.hasEnded())) await new Promise(() => undefined);
    if (performance.now() > deadline) {
      throw new SentinelError('ipc.unreachable', {
        message: `no answer within ${READY_PATIENCE_MS / 1000} s`,
        why: reason,
        hint: `look at ${children.at(-1)?.logFile ?? 'the log'}`,
      });
    }
    await sleep(40);
  }
}

try {
  await main();
} catch (cause) {
  process.stderr.write(describeFailure('pnpm start', cause));
  process.exit(exitStatusOf(cause));
}
