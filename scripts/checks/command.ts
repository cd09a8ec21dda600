/**
 * Runs a program of this repository to its end, or until its time is up; what it started dies with it. Programs
 * named without a directory are those in node_modules/.bin.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from './finding.ts';

export type CommandResult = {
  readonly ok: boolean;
  /** What went wrong, where it is not the program's own status. */
  readonly failure?: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
};

export type CommandOptions = {
  /** Show the output as it comes instead of collecting it. */
  readonly show?: boolean;
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
};

const BIN = join(REPOSITORY, 'node_modules/.bin');

function locate(program: string): string {
  if (program === 'node') return process.execPath;
  return program.includes('/') ? program : join(BIN, program);
}

export function runCommand(
  command: readonly [string, ...string[]],
  { show = false, timeoutMs = 300_000, env = {} }: CommandOptions = {},
): Promise<CommandResult> {
  const [program, ...parameters] = command;
  const started = performance.now();
  const output = { stdout: '', stderr: '' };
  return new Promise((resolve) => {
    const stdio = show ? 'inherit' : 'pipe';
    // A group of its own, so that what the program started can be ended with it.
    const child = spawn(locate(program), parameters, {
      cwd: REPOSITORY,
      detached: true,
      stdio: ['ignore', stdio, stdio],
      env: { ...process.env, ...env },
    });
    let failure: string | undefined;
    const end = (): void => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    };
    const timer = setTimeout(() => {
      failure = `stopped after ${String(Math.round(timeoutMs / 1000))} s`;
      end();
    }, timeoutMs);
    const interrupt = (signal: NodeJS.Signals): void => {
      end();
      process.exit(128 + constants.signals[signal]);
    };
    process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
    for (const name of ['stdout', 'stderr'] as const) child[name]?.setEncoding('utf8').on('data', (text: string) => (output[name] += text));
    child.on('error', (error) => (failure = error.message));
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
      if (failure === undefined && signal !== null) failure = `ended by ${signal}`;
      resolve({
        ok: status === 0 && failure === undefined,
        ...output,
        ms: Math.round(performance.now() - started),
        ...(failure === undefined ? {} : { failure }),
      });
    });
  });
}
