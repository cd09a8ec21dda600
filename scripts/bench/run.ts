/**
 * One run of a benchmark: a directory of its own, what is to be ended with it, and progress for whoever waits. The
 * directory lies in build/, not in /tmp: programs that run from there are a finding of SentinelD.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from '../checks/finding.ts';

export type Run = {
  /** A short seeded form that claims no targets. */
  readonly quick: boolean;
  readonly directory: string;
  /** Ended in reverse order at the end, on a signal and on a failure. */
  readonly scope: AsyncDisposableStack;
  /** Ends all of it, once; whoever asks waits for the same end. */
  readonly end: () => Promise<void>;
  readonly progress: (text: string) => void;
  /** Part of the report: standard output. */
  readonly print: (text: string) => void;
};

export function startRun(quick: boolean): Run {
  const parent = join(REPOSITORY, 'build', 'bench');
  mkdirSync(parent, { recursive: true });
  for (const name of readdirSync(parent)) if (!isAlive(name)) rmSync(join(parent, name), { recursive: true, force: true });
  const directory = mkdtempSync(join(parent, `run-${process.pid}-`));
  // Daemons that give up root pass through it.
  chmodSync(directory, 0o755);
  const scope = new AsyncDisposableStack();
  scope.defer(() => rmSync(directory, { recursive: true, force: true }));
  const started = performance.now();
  let ending: Promise<void> | undefined;
  return {
    quick,
    directory,
    scope,
    end: () => (ending ??= scope.disposeAsync()),
    progress: (text) => process.stderr.write(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}\n`),
    print: (text) => process.stdout.write(`${text}\n`),
  };
}

/** The machine's load over 1, 5 and 15 minutes: figures taken under load are worth less. */
export function loadFigures(): readonly number[] {
  return loadavg().map((value) => Math.round(value * 100) / 100);
}

/** Whether the run that a directory is named after goes on: one that was killed could not remove its own. */
function isAlive(name: string): boolean {
  return existsSync(`/proc/${name.split('-')[1] ?? ''}`);
}
