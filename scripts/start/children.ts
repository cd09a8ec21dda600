/**
 * The daemons that a development run supervises: started in sessions of their own, so that Ctrl-C reaches the
 * supervisor alone and it can end them in the order that loses nothing.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type Child = {
  readonly name: string;
  readonly pid: number;
  /** Where its log goes. */
  readonly logFile: string;
  /** Settles when it has ended, with how. */
  readonly ended: Promise<string>;
  /** Lets what it writes to its standard output through; it is kept back until then. */
  readonly showOutput: () => void;
  readonly hasEnded: () => boolean;
  /** Asks it to end and waits; ends it by force after `patienceMs`. */
  readonly stop: (patienceMs: number) => Promise<void>;
};

export function startChild(name: string, programs: string, programArguments: readonly string[], logDirectory: string): Child {
  const logFile = join(logDirectory, `${name}.log`);
  const log = openSync(logFile, 'a', 0o640);
  const child = spawn(process.execPath, [join(programs, `${name}.js`), ...programArguments], {
    stdio: ['ignore', 'pipe', log],
    detached: true,
    env: withoutNodeOptions(),
  });
  closeSync(log);
  let over = false;
  const ended = new Promise<string>((resolve) => {
    child.on('exit', (status, signal) => {
      over = true;
      resolve(signal === null ? `exit status ${status ?? '?'}` : `signal ${signal}`);
    });
    child.on('error', (cause) => {
      over = true;
      resolve(cause.message);
    });
  });
  return {
    name,
    pid: child.pid ?? -1,
    logFile,
    ended,
    showOutput: () => child.stdout?.pipe(process.stdout, { end: false }),
    hasEnded: () => over,
    stop: async (patienceMs) => {
      if (over) return;
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), patienceMs);
      await ended;
      clearTimeout(force);
    },
  };
}

/** The newest lines of a log that are not places in the code, for when its daemon ended unasked. */
export function lastLines(file: string, count: number): string {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines
    .filter((line) => line !== '' && !line.startsWith('    at '))
    .slice(-count)
    .join('\n');
}

/** What a daemon said of its end: why and what to do, where it ended with an error of its own; else its last line. */
export function lastWords(file: string, name: string): { readonly why: string; readonly hint: string | null } {
  const [what = '', why = '', hint = ''] = lastLines(file, 3).split('\n');
  if (what.startsWith(`${name}: `)) return { why: `${what.slice(name.length + 2).replace(/\.$/, '')}: ${why.trim()}`, hint: hint.trim() };
  // Where Node itself gave up, its last line is its version.
  const lines = lastLines(file, 30).split('\n');
  return { why: lines.findLast((line) => /^\w*Error\b.*: /.test(line)) ?? lines.at(-1) ?? '', hint: null };
}

/** What package managers put into the environment is not for the daemons. */
function withoutNodeOptions(): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS$|NODE_EXTRA_CA_CERTS$|INIT_CWD$|PNPM_)/.test(name)),
  );
}
