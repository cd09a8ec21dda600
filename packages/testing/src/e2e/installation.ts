/**
 * A whole SentinelD for one test: the built programs on a state directory of their own, talked to from outside as a
 * user would. Everything it starts it ends by pid.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

export const ROOT: string = join(import.meta.dirname, '..', '..', '..', '..');
/** Those that tests name. */
const KEPT_RULES: readonly string[] = [
  'deleted-executable',
  'memfd-executable',
  'reverse-shell-exec',
  'reverse-shell-arguments',
  'discovery-burst',
];
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning'];

export type Finished = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

export type Installation = {
  readonly stateDir: string;
  /** pid of the supervisor. */
  readonly pid: number;
  readonly output: () => string;
  readonly errors: () => string;
  /** Waits until the output matches, and gives the match. Fails with the whole output where the supervisor ends first. */
  readonly waitFor: (pattern: RegExp) => Promise<RegExpExecArray>;
  readonly cli: (...words: readonly string[]) => Finished;
  /** What a command with --json prints, as its caller says it is. */
  readonly json: <Value>(...words: readonly string[]) => Value;
  /** Waits until it ends by itself. */
  readonly ended: () => Promise<Finished>;
  /** Sends a signal and waits for the end. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<Finished>;
};

/** A new directory that other users can pass through, for daemons that give up root. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sentineld-e2e-'));
  chmodSync(directory, 0o755);
  return directory;
}

/** Runs a built program to its end. */
export function runProgram(name: string, words: readonly string[], environment: Readonly<Record<string, string>> = {}): Finished {
  const program = join(ROOT, 'build', 'programs', `${name}.js`);
  const { status, stdout, stderr } = spawnSync(process.execPath, [...NODE_FLAGS, program, ...words], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', ...environment },
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

/** Starts `pnpm start` without pnpm: the supervisor with procmond and the agent. */
export function startInstallation(stateDir: string, words: readonly string[] = []): Installation {
  if (!existsSync(join(ROOT, 'build', 'programs', 'procmond.js'))) throw new Error('build/programs is missing: run "pnpm build" first');
  const child = spawn(
    process.execPath,
    ['--conditions=sentineld-source', 'scripts/start.ts', '--no-build', '--state-dir', stateDir, ...words],
    {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const text = { stdout: '', stderr: '' };
  child.stdout.on('data', (bytes: Buffer) => (text.stdout += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (text.stderr += bytes.toString()));
  const ended = new Promise<Finished>((resolve) => child.once('close', (status) => resolve({ status, ...text })));
  return {
    stateDir,
    pid: child.pid ?? -1,
    output: () => text.stdout,
    errors: () => text.stderr,
    waitFor: (pattern) => waitForOutput(child, text, pattern),
    cli: (...words_) => runProgram('sentinelcli', ['--state-dir', stateDir, ...words_]),
    json: <Value>(...words_: readonly string[]) =>
      parseJson<Value>(runProgram('sentinelcli', ['--state-dir', stateDir, ...words_, '--json'])),
    ended: () => ended,
    stop: (signal = 'SIGTERM') => {
      child.kill(signal);
      return ended;
    },
  };
}

/** For tests that are not about rules: each start of an agent looks at all that it has, for a second of a core. */
export function fewRules(): readonly string[] {
  const directory = join(ROOT, 'packages/detection/rules');
  const ids = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.yaml') && !name.endsWith('.case.yaml'))
    .map((name) => basename(name, '.yaml'));
  return ['--set', `detection.disabled_rules=[${ids.filter((id) => !KEPT_RULES.includes(id)).join(', ')}]`];
}

export function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}

function waitForOutput(
  child: ChildProcess,
  text: { readonly stdout: string; readonly stderr: string },
  pattern: RegExp,
): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const match = pattern.exec(text.stdout);
      if (match === null) return;
      child.stdout?.off('data', look);
      child.off('close', fail);
      resolve(match);
    };
    const fail = (): void => reject(new Error(`ended without ${String(pattern)}\n${text.stdout}\n${text.stderr}`));
    child.stdout?.on('data', look);
    child.once('close', fail);
    look();
  });
}

/** The JSON on a program's standard output; fails with what it said instead. */
export function parseJson<Value>({ stdout, stderr, status }: Finished): Value {
  try {
    // A test says what it expects and then holds it against that.
    return JSON.parse(stdout) as Value;
  } catch (cause) {
    throw new Error(`exit status ${status}, no JSON: ${stdout}${stderr}`, { cause });
  }
}
