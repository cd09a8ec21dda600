/**
 * `pnpm start`: the whole of SentinelD on one machine, for a first look and for development. Builds the programs,
 * starts procmond and the agent on one state directory, says what they do, and ends them together.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { SentinelError, messageOf } from '@sentineld/model/error';
import { displayHostText } from '@sentineld/model/host-text';
import { AgentReplySchema, ProcmondReplySchema } from '@sentineld/model/reply';
import { loadConfig, type LoadedConfig } from '@sentineld/runtime/config/load';
import { formatDuration } from '@sentineld/runtime/config/quantity';
import { defaultStateDir, statePaths } from '@sentineld/runtime/config/state-dir';
import { askOnce, openConnection, type Connection } from '@sentineld/runtime/ipc/client';
import { daemonAccounts } from '@sentineld/runtime/lifecycle/accounts';
import { describeFailure, exitStatusOf } from '@sentineld/runtime/lifecycle/fail';
import { listenForStop } from '@sentineld/runtime/lifecycle/shutdown';
import { makeStateDirs } from '@sentineld/runtime/lifecycle/state-dirs';
import { takeStateLock } from '@sentineld/runtime/lifecycle/state-lock';
import { VERSION } from '@sentineld/runtime/version';
import { build, PROGRAMS_DIRECTORY } from './build.ts';
import { launchersAbove } from './start/ancestors.ts';
import { lastLines, startChild, type Child } from './start/children.ts';

const INTERVAL = '2s';
const READY_PATIENCE_MS = 15_000;
/** Together less than the five seconds in which a run must be over. */
const AGENT_PATIENCE_MS = 2500;
const PROCMOND_PATIENCE_MS = 1500;

/** A line of the report: a word, and what there is to say of it. */
function say(topic: string, text: string): void {
  process.stdout.write(`  ${topic.padEnd(9)} ${displayHostText(text)}\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      config: { type: 'string' },
      'state-dir': { type: 'string' },
      set: { type: 'string', multiple: true },
      'no-build': { type: 'boolean' },
    },
  });
  const given = [...(values['state-dir'] === undefined ? [] : [`state_dir=${values['state-dir']}`]), ...(values.set ?? [])];
  const file = values.config === undefined ? {} : { file: values.config };
  const configured = loadConfig({ ...file, assignments: given });
  // A first look should not take half a minute: the default interval is for servers.
  const assignments = configured.origins.get('collection.interval') === 'default' ? [...given, `collection.interval=${INTERVAL}`] : given;
  const loaded = loadConfig({ ...file, assignments });
  const paths = statePaths(loaded.config.state_dir);
  makeStateDirs(paths, process.getuid?.() === 0 ? daemonAccounts(loaded.config) : null);
  const lock = takeStateLock(join(paths.root, 'start.lock'), 'start');
  process.stdout.write(`SentinelD ${VERSION}. Ctrl-C ends it (or: kill ${process.pid}).\n`);
  say('state', paths.root);
  const children: Child[] = [];
  let stopping = false;
  const stop = async (status: number): Promise<void> => {
    if (stopping) return;
    stopping = true;
    // The agent first: what it still has to say goes into procmond's ledger.
    for (const child of children.toReversed()) await child.stop(child.name === 'procmond' ? PROCMOND_PATIENCE_MS : AGENT_PATIENCE_MS);
    lock.release();
    process.stdout.write('stopped; the ledger can be verified with: sentinelcli audit verify\n');
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
      process.stderr.write(`${child.name} ended unasked (${how}); the end of ${child.logFile}:\n${lastLines(child.logFile, 5)}\n`);
      return stop(4);
    });
  };
  const programs = values['no-build'] === true ? PROGRAMS_DIRECTORY : await build();
  const daemonArguments = [
    'run',
    '--supervised',
    ...(values.config === undefined ? [] : ['--config', values.config]),
    ...assignments.flatMap((one) => ['--set', one]),
  ];
  watch(startChild('procmond', programs, daemonArguments, paths.logDir));
  await reportScans(loaded, paths.procmondSocket, children);
  watch(startChild('sentinelagent', programs, daemonArguments, paths.logDir));
  await reportRules(paths.agentSocket, children);
  reportCommands(loaded);
  for (const child of children) child.showOutput();
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
  say('not seen', `processes that live less than ${interval}: they are found by polling`);
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

function reportCommands(loaded: LoadedConfig): void {
  const where = loaded.config.state_dir === defaultStateDir(process.env) ? '' : ` --state-dir ${loaded.config.state_dir}`;
  const cli = join(import.meta.dirname, '..', 'node_modules', '.bin', 'sentinelcli');
  say('ask', `${cli}${where} health`);
  for (const command of ['query "SELECT pid, name, exe_path FROM processes LIMIT 5"', 'rules list', 'alerts list', 'audit verify'])
    say('', `sentinelcli${where} ${command}`);
  process.stdout.write('Alerts follow as they come.\n');
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
        message: `no answer within ${READY_PATIENCE_MS / 1000} s: ${reason}`,
        hint: `look at ${children.at(-1)?.logFile ?? 'the log'}`,
      });
    }
    await sleep(40);
  }
}

try {
  await main();
} catch (cause) {
  process.stderr.write(describeFailure('start', cause));
  process.exit(exitStatusOf(cause));
}
