/**
 * The built daemons on a state directory of their own, with converted Sigma rules beside the built-in ones; and how often
 * each rule has fired so far.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { programPath } from '../programs.ts';

export type WatchedHost = {
  /** Waits until events of before this call were seen by every rule. */
  readonly caughtUp: () => Promise<void>;
  /** Alerts and their repeats, by rule. */
  readonly fired: () => ReadonlyMap<string, number>;
  readonly stop: () => Promise<void>;
};

export type WatchedOptions = {
  readonly programs: string;
  /** An empty directory that the daemons can pass through. */
  readonly directory: string;
  readonly rules: string;
  readonly events: 'kernel' | 'off';
};

const INTERVAL_MS = 1_000;
const PATIENCE_MS = 30_000;
const NODE_WORDS = ['--disable-warning=ExperimentalWarning'];
type LogLine = { readonly msg: string; readonly scanId: number; readonly timestampMs: number };

export async function startWatchedHost({ programs, directory, rules, events }: WatchedOptions): Promise<WatchedHost> {
  const stateDir = join(directory, `state-${events}`);
  const log = join(directory, `agent-${events}.log`);
  const settings = [`collection.interval=${INTERVAL_MS}ms`, `collection.events=${events}`, `detection.rules_dirs=[${rules}]`];
  const words = ['run', '--supervised', '--state-dir', stateDir, ...settings.flatMap((one) => ['--set', one])];
  const start = (name: string, file: string): ChildProcess => {
    const descriptor = openSync(file, 'a');
    const child = spawn(process.execPath, [...NODE_WORDS, programPath(programs, name), ...words], {
      stdio: ['ignore', 'ignore', descriptor],
    });
    closeSync(descriptor);
    return child;
  };
  const procmondLog = join(directory, `procmond-${events}.log`);
  const waitFor = async <Found>(look: () => Found | undefined): Promise<Found> => {
    for (const end = Date.now() + PATIENCE_MS; ; await pause(100)) {
      const found = look();
      if (found !== undefined) return found;
      if (Date.now() > end) throw new Error(`the daemons do not go on: ${readFileSync(log, 'utf8').slice(-500)}`);
    }
  };
  const cycleOf = (scanId: number): Promise<LogLine> =>
    waitFor(() => linesOf(log, 'cycle.completed').find((line) => line.scanId >= scanId));
  const procmond = start('procmond', procmondLog);
  await pause(INTERVAL_MS);
  const agent = start('sentinelagent', log);
  await cycleOf(1);
  return {
    caughtUp: async () => {
      const askedMs = Date.now();
      const scan = await waitFor(() => linesOf(procmondLog, 'scan.completed').find(({ timestampMs }) => timestampMs > askedMs));
      // What was read while that scan was stored belongs to the next one.
      await cycleOf(scan.scanId + 1);
    },
    fired: () => firedIn(programs, stateDir),
    stop: async () => {
      for (const child of [agent, procmond]) {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        if (child.exitCode === null && child.kill('SIGTERM')) await ended;
      }
    },
  };
}

/** What a daemon has logged of one kind so far. */
function linesOf(file: string, msg: string): readonly LogLine[] {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.filter((line) => line.includes(`"msg":"${msg}"`)).map((line) => JSON.parse(line) as LogLine);
}

function firedIn(programs: string, stateDir: string): ReadonlyMap<string, number> {
  const words = [programPath(programs, 'sentinelcli'), '--state-dir', stateDir, 'alerts', 'list', '--json', '--limit', '100000'];
  const { status, stdout, stderr } = spawnSync(process.execPath, [...NODE_WORDS, ...words], { encoding: 'utf8', maxBuffer: 1e9 });
  if (status !== 0) throw new Error(`the alerts cannot be read: ${stderr}`);
  const fired = new Map<string, number>();
  for (const { rule, repeats } of JSON.parse(stdout) as readonly { readonly rule: { readonly id: string }; readonly repeats: number }[])
    fired.set(rule.id, (fired.get(rule.id) ?? 0) + 1 + repeats);
  return fired;
}
