/**
 * The programs a campaign runs: a copy that no build replaces half way, in a directory that the daemons' users can
 * read. Asks the command-line tool as a user would.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Cleanup } from './cleanup.ts';

const NODE_FLAGS = ['--disable-warning=ExperimentalWarning'] as const;
const PATIENCE_MS = 60_000;

export type Finished = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

export type Programs = {
  readonly directory: string;
  /** Says which build it is. */
  readonly fingerprint: string;
  /** Program and arguments to start one of them. */
  readonly command: (name: string, words: readonly string[]) => readonly [string, readonly string[]];
  /** Runs sentinelcli on a state directory to its end, as this user or another. */
  readonly cli: (stateDir: string, words: readonly string[], user?: User) => Promise<Finished>;
};

/** A directory that other users can pass through, removed at the end. Below /tmp, where built-in rules look. */
export function temporaryDirectory(cleanup: Cleanup): string {
  const directory = mkdtempSync('/tmp/sentineld-fault-');
  chmodSync(directory, 0o755);
  cleanup.defer(`directory ${directory}`, () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/**
 * What few rounds have: each start of an agent looks at all its rules, for a second of a core. Of every kind there is one:
 * over events, over changed processes, over all of them.
 */
const FEW_RULES: ReadonlySet<string> = new Set([
  'executable-in-temporary-directory',
  'interactive-shell-without-terminal',
  'deleted-executable',
  'memfd-executable',
  'reverse-shell-arguments',
  'memfd-exec',
  'exec-from-hidden-directory',
  'discovery-burst',
  'download-piped-to-shell',
  'private-key-read',
]);

/** With `fewRules` the copy has ten of the built-in rules. */
export function freezePrograms(source: string, cleanup: Cleanup, { fewRules }: { readonly fewRules: boolean }): Programs {
  const directory = join(temporaryDirectory(cleanup), 'programs');
  const isKept = (path: string): boolean => !fewRules || !path.endsWith('.yaml') || FEW_RULES.has(basename(path, '.yaml'));
  cpSync(source, directory, { recursive: true, filter: isKept });
  const hash = createHash('sha256');
  for (const name of ['procmond', 'sentinelagent', 'spawner', 'executor', 'sentinelcli'])
    hash.update(readFileSync(join(directory, `${name}.js`)));
  const command = (name: string, words: readonly string[]): readonly [string, readonly string[]] => [
    process.execPath,
    [...NODE_FLAGS, join(directory, `${name}.js`), ...words],
  ];
  return {
    directory,
    fingerprint: hash.digest('hex').slice(0, 12),
    command,
    cli: (stateDir, words, user) => {
      const [program, programWords] = command('sentinelcli', ['--state-dir', stateDir, ...words]);
      return finish(program, programWords, { user });
    },
  };
}

export type User = { readonly uid: number; readonly gid: number };

/** Runs a program to its end; status is null where it was ended by a signal or by impatience. */
export function finish(program: string, words: readonly string[], { user }: { readonly user?: User | undefined } = {}): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(program, words, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: plainEnvironment(),
      timeout: PATIENCE_MS,
      killSignal: 'SIGKILL',
      ...user,
    });
    const text = { stdout: '', stderr: '' };
    child.stdout.on('data', (bytes: Buffer) => (text.stdout += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (text.stderr += bytes.toString()));
    child.on('error', (cause) => resolve({ status: null, stdout: text.stdout, stderr: `${text.stderr}${cause.message}` }));
    child.on('close', (status) => resolve({ status, ...text }));
  });
}

/** Nothing of a package manager, and no configuration of the user who tests. */
export function plainEnvironment(): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|INIT_CWD$|PNPM_|XDG_|SENTINELD_|LD_)/.test(name));
  return { ...Object.fromEntries(kept), NO_COLOR: '1', XDG_CONFIG_HOME: '/nonexistent' };
}
