/**
 * One installation that faults are done to: a state directory, and its two daemons started, signalled and asked from
 * outside, each as a service manager would. Whatever is started here ends with the campaign, stopped processes too.
 */
import { spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { statePaths, type StatePaths } from '@sentineld/runtime/config/state-dir';
import type { Campaign } from './campaign.ts';
import { askAgent, askProcmond, type AgentHealth, type ProcmondHealth } from './ask.ts';
import { eventually } from './eventually.ts';
import { childrenOf, descendantsOf, knownProcess, signalProcess, type KnownProcess } from './processes.ts';
import { plainEnvironment, temporaryDirectory, type Finished, type User } from './programs.ts';

export const DAEMONS = ['procmond', 'sentinelagent'] as const;
export type DaemonName = (typeof DAEMONS)[number];
export const PARTS = ['procmond', 'sentinelagent', 'spawner', 'executor'] as const;
export type Part = (typeof PARTS)[number];

export type End = { readonly status: number | null; readonly signal: string | null };

export type Daemon = {
  readonly name: DaemonName;
  readonly process: KnownProcess;
  readonly ended: Promise<End>;
  /** Null while it runs. */
  readonly end: () => End | null;
  /** What it has written to its standard error since it was started. */
  readonly said: () => string;
  /** Ends it by SIGTERM, by SIGKILL after a while, and waits. */
  readonly stop: () => Promise<End>;
};

export type SiteOptions = {
  /** Made below a new temporary directory unless given. */
  readonly stateDir?: string;
  readonly logDir?: string;
  /** KEY=VALUE, for --set. The interval is 500 ms unless given. */
  readonly settings?: readonly string[];
  /** Whoever runs the daemons, where that is not this user. */
  readonly user?: User;
  readonly environment?: Readonly<Record<string, string>>;
  /** A program and its words that procmond is started through. */
  readonly procmondWrapper?: readonly string[];
};

export type Site = {
  readonly stateDir: string;
  readonly paths: StatePaths;
  /** Whose processes the daemons can look into, where that is not everybody's. */
  readonly user: User | undefined;
  readonly start: (name: DaemonName) => Daemon;
  readonly running: (name: DaemonName) => Daemon | null;
  /** A part that runs now: a daemon, or the agent's spawner or executor. */
  readonly part: (part: Part) => KnownProcess | null;
  readonly procmond: () => Promise<ProcmondHealth | null>;
  readonly agent: () => Promise<AgentHealth | null>;
  /** Starts what does not run and waits until it works: a scan made, a cycle run. Null where patience ended. */
  readonly settle: (patienceMs?: number) => Promise<AgentHealth | null>;
  /** The agent first, as the supervisor does it. */
  readonly stop: () => Promise<void>;
  /** The command-line tool as this user. */
  readonly cli: (...words: readonly string[]) => Promise<Finished>;
  /** As a member of the operators' group, who may read events and alerts; as this user where there are no others. */
  readonly operator: (...words: readonly string[]) => Promise<Finished>;
  /** All that a daemon has written to its standard error. */
  readonly log: (name: DaemonName) => string;
  /** How a daemon ended, and the newest of what it wrote that was not routine. */
  readonly lastWords: (name: DaemonName) => string;
  /** The first stack trace in any log, or in those of the newest daemons, with what is around it; null where there is none. */
  readonly stackTrace: (of?: 'all' | 'newest') => string | null;
};

/** Not among those that the daemons become. */
const OPERATOR_UID = 61_100;
const STOP_PATIENCE_MS = 15_000;
/** A first cycle looks at ten thousand events with a hundred rules, beside whatever else storms the machine. */
const SETTLE_PATIENCE_MS = 90_000;
const STRETCHED_MS = 10_000;

export function openSite(campaign: Campaign, options: SiteOptions = {}): Site {
  const stateDir = options.stateDir ?? join(temporaryDirectory(campaign.cleanup), 's');
  const logDir = options.logDir ?? temporaryDirectory(campaign.cleanup);
  const paths = statePaths(stateDir);
  const daemons = new Map<DaemonName, Daemon>();
  const settings = ['collection.interval=500ms', ...(options.settings ?? [])];
  const start = (name: DaemonName): Daemon => {
    const words = ['run', '--supervised', '--state-dir', stateDir, ...settings.flatMap((one) => ['--set', one])];
    const daemon = startDaemon(campaign, name, words, join(logDir, `${name}.log`), options);
    daemons.set(name, daemon);
    return daemon;
  };
  const running = (name: DaemonName): Daemon | null => {
    const daemon = daemons.get(name);
    return daemon === undefined || daemon.end() !== null ? null : daemon;
  };
  const part = (wanted: Part): KnownProcess | null => {
    if (wanted === 'procmond' || wanted === 'sentinelagent') return running(wanted)?.process ?? null;
    const agent = running('sentinelagent');
    const [spawner] = agent === null ? [] : childrenOf(agent.process.pid);
    if (wanted === 'spawner' || spawner === undefined) return spawner ?? null;
    return childrenOf(spawner.pid)[0] ?? null;
  };
  const log = (name: DaemonName): string => readFileSync(join(logDir, `${name}.log`), 'utf8');
  const procmond = (): Promise<ProcmondHealth | null> => askProcmond(paths);
  const agent = (): Promise<AgentHealth | null> => askAgent(paths);
  return {
    stateDir,
    paths,
    user: options.user,
    start,
    running,
    part,
    procmond,
    agent,
    settle: async (patienceMs = SETTLE_PATIENCE_MS) => {
      // One after the other on a new directory: what both do at once is the fault `race`.
      if (running('procmond') === null) start('procmond');
      await eventually(patienceMs, procmond);
      if (running('sentinelagent') === null) start('sentinelagent');
      return eventually(patienceMs, async () => {
        const health = await agent();
        return health?.lastCycle !== null && health?.procmond.connected === true ? health : null;
      });
    },
    stop: async () => {
      for (const name of DAEMONS.toReversed()) await running(name)?.stop();
    },
    cli: (...words) => campaign.programs.cli(stateDir, words),
    operator: (...words) => campaign.programs.cli(stateDir, words, operatorOf(paths)),
    log,
    lastWords: (name) => {
      const end = daemons.get(name)?.end() ?? null;
      const said = log(name)
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('{"level":"info"'))
        .slice(-2)
        .map((line) => line.slice(0, 300));
      return [end === null ? 'running' : describeEnd(end), ...said].join(' | ');
    },
    stackTrace: (of = 'all') =>
      DAEMONS.map((name) => stackIn(name, of === 'all' ? log(name) : (daemons.get(name)?.said() ?? ''))).find((found) => found !== null) ??
      null,
  };
}

/** Starts what does not run and waits until both work; throws with their last words where they do not. */
export async function settled(site: Site): Promise<void> {
  if ((await site.settle()) !== null) return;
  throw new Error(`the daemons do not work: ${DAEMONS.map((name) => `${name}: ${site.lastWords(name)}`).join(' / ')}`);
}

/** Waits for so many scans that began after this was called; throws where there are none. */
export async function scansMore(site: Site, count: number): Promise<void> {
  const from = (await eventually(SETTLE_PATIENCE_MS, () => site.procmond()))?.scans ?? 0;
  // An interval of seconds may have been stretched to four times that.
  const patienceMs = SETTLE_PATIENCE_MS + count * STRETCHED_MS;
  const seen = await eventually(patienceMs, async () => ((await site.procmond())?.scans ?? 0) > from + count);
  if (seen === null) throw new Error(`there are no scans: ${site.lastWords('procmond')}`);
}

/** Without an account, in the group that the directory of events belongs to. */
export function operatorOf(paths: StatePaths): User | undefined {
  return process.getuid?.() === 0 ? { uid: OPERATOR_UID, gid: statSync(paths.eventsDir).gid } : undefined;
}

function stackIn(name: string, text: string): string | null {
  const lines = text.split('\n');
  const at = lines.findIndex((line) => /^\s+at .+:\d+:\d+\)?$/.test(line));
  return at < 0
    ? null
    : `in the log of ${name}: ${lines
        .slice(Math.max(0, at - 3), at + 2)
        .map((line) => line.trim().slice(0, 300))
        .join(' | ')}`;
}

function startDaemon(campaign: Campaign, name: DaemonName, words: readonly string[], logFile: string, options: SiteOptions): Daemon {
  const wrapper = name === 'procmond' ? (options.procmondWrapper ?? []) : [];
  const [daemon, daemonWords] = campaign.programs.command(name, words);
  const [program = daemon, ...programWords] = [...wrapper, daemon, ...daemonWords];
  const log = openSync(logFile, 'a', 0o640);
  const from = fstatSync(log).size;
  const child = spawn(program, programWords, {
    stdio: ['ignore', 'ignore', log],
    env: { ...plainEnvironment(), ...options.environment },
    ...options.user,
  });
  closeSync(log);
  const { pid } = child;
  const known = pid === undefined ? null : knownProcess(pid);
  if (known === null) throw new Error(`${name} cannot be started`);
  let end: End | null = null;
  const ended = new Promise<End>((resolve) => {
    child.on('exit', (status, signal) => {
      end = { status, signal };
      resolve(end);
    });
  });
  campaign.cleanup.defer(`${name}, pid ${known.pid}`, async () => {
    const family = [known, ...descendantsOf(known.pid)];
    for (const one of family) signalProcess(one, 'SIGKILL');
    if (end === null) await ended;
  });
  return {
    name,
    process: known,
    ended,
    end: () => end,
    said: () => readFileSync(logFile).subarray(from).toString('utf8'),
    stop: async () => {
      signalProcess(known, 'SIGTERM');
      const force = setTimeout(() => signalProcess(known, 'SIGKILL'), STOP_PATIENCE_MS);
      const how = await ended;
      clearTimeout(force);
      return how;
    },
  };
}

/** `exit status 4` or `signal SIGKILL`. */
export function describeEnd({ status, signal }: End): string {
  return signal === null ? `exit status ${status ?? 'unknown'}` : `signal ${signal}`;
}
