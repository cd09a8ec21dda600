/**
 * A program that stays, is asked by one line and answers by one line. It ends when its standard input does, so nothing
 * stays behind when the benchmark dies. In a session of its own: Ctrl-C reaches the benchmark alone, which ends it.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Run } from './run.ts';

export type LineChild = {
  readonly pid: number;
  /** Its answer; throws where it ended or took longer than the patience. */
  readonly ask: (line: string) => Promise<string>;
  /** The next line that it says unasked. */
  readonly next: () => Promise<string>;
  /** Ends its input and waits for its end; by force after the patience. */
  readonly stop: () => Promise<void>;
};

/** One measurement as every reader and writer answers it. CPU is user and system time of the process and its children. */
export type Measured = { readonly cpuMs: number; readonly wallMs: number; readonly count: number };

const PATIENCE_MS = 180_000;
const STOP_PATIENCE_MS = 30_000;

export function startLineChild(run: Run, name: string, program: string, programArguments: readonly string[]): LineChild {
  const child = spawn(program, programArguments, { stdio: ['pipe', 'pipe', 'inherit'], detached: true, env: plainEnvironment() });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let end = 'it closed its output';
  const ended = new Promise<void>((resolve) => {
    child.once('exit', (status, signal) => {
      end = signal ?? `exit status ${status ?? '?'}`;
      resolve();
    });
    child.once('error', (cause) => {
      end = cause.message;
      resolve();
    });
  });
  // What is written to a child that is gone shows as the end of its output.
  child.stdin.on('error', () => undefined);
  const next = async (): Promise<string> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${name} did not answer within ${PATIENCE_MS / 1000} s`)), PATIENCE_MS);
    });
    try {
      const answer = await Promise.race([lines.next(), late]);
      if (answer.done !== true) return answer.value;
    } finally {
      clearTimeout(timer);
    }
    await ended;
    throw new Error(`${name} ended: ${end}`);
  };
  const stop = async (): Promise<void> => {
    child.stdin.end();
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_PATIENCE_MS);
    await ended;
    clearTimeout(force);
  };
  run.scope.defer(stop);
  return {
    pid: child.pid ?? -1,
    ask: (line) => {
      child.stdin.write(`${line}\n`);
      return next();
    },
    next,
    stop,
  };
}

/** For answers in JSON. */
export async function askJson(child: LineChild, line: string): Promise<unknown> {
  return JSON.parse(await child.ask(line));
}

export async function askMeasured(child: LineChild, line: string): Promise<Measured> {
  const answer = await askJson(child, line);
  const { cpuMs, wallMs, count } = answer as Readonly<Record<string, unknown>>;
  if (typeof cpuMs !== 'number' || typeof wallMs !== 'number' || typeof count !== 'number') {
    throw new TypeError(`not a measurement: ${JSON.stringify(answer)}`);
  }
  return { cpuMs, wallMs, count };
}

/** Nothing that a package manager or a locale adds to the start or the work of a program. */
function plainEnvironment(): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE_OPTIONS$|NODE_EXTRA_CA_CERTS$|INIT_CWD$|PNPM_|LANG$|LC_)/.test(name),
  );
  return { ...Object.fromEntries(kept), LC_ALL: 'C' };
}
