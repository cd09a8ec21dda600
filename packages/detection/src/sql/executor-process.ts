/**
 * One executor as its parent holds it: started, spoken to in frames, ended. What it writes is not trusted.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createFrameReader, encodeFrame, MAX_RESULT_BYTES } from './frames.ts';
import { childEnvironment, type ExecutorRequest, type SpawnerInit } from './protocol.ts';

export type ExecutorProcess = {
  readonly pid: number;
  readonly request: (request: ExecutorRequest) => void;
  readonly kill: () => void;
};

/** `message` says how it ended, with the last of what it wrote to stderr. */
export type ExecutorEnd = { readonly status: number | null; readonly message: string };

export type ExecutorEvents = {
  readonly onFrame: (body: Buffer) => void;
  readonly onExit: (end: ExecutorEnd) => void;
};

const STDERR_KEPT = 2_000;

/** Starts an executor. It is killed by the kernel when this process dies, where setpriv of util-linux is there to ask for it. */
export function startExecutorProcess(init: SpawnerInit, events: ExecutorEvents): ExecutorProcess {
  const [command, args] = hasSetpriv() ? ['setpriv', ['--pdeathsig', 'KILL', '--', init.command, ...init.commandArguments]] : [init.command, init.commandArguments];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: childEnvironment() });
  let stderr = '';
  let ended = false;
  const end = (status: number | null, how: string): void => {
    if (ended) return;
    ended = true;
    events.onExit({ status, message: stderr.trim() === '' ? how : `${how}: ${stderr.trim()}` });
  };
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  const frames = createFrameReader(MAX_RESULT_BYTES, events.onFrame);
  child.stdout.on('data', (bytes: Buffer) => {
    if (!ended && !frames.push(bytes)) kill();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_KEPT);
  });
  // A dead executor is told by 'close', after its last output; a write to it must not end this process.
  child.stdin.on('error', () => {});
  child.on('error', (error) => end(null, `The executor cannot be started: ${error.message}`));
  child.on('close', (status, signal) => end(status, signal === null ? `The executor ended with status ${status}` : `The executor was ended by ${signal}`));
  child.stdin.write(encodeFrame({ kind: 'init', settings: init.settings }));
  return { pid: child.pid ?? 0, request: (request) => void child.stdin.write(encodeFrame(request)), kill };
}

let setprivFound: boolean | undefined;

/** Busybox has a setpriv without --pdeathsig. Pipes only: a confined spawner may not open /dev/null for writing. */
function hasSetpriv(): boolean {
  setprivFound ??= probeSetpriv();
  return setprivFound;
}

function probeSetpriv(): boolean {
  try {
    return execFileSync('setpriv', ['--version'], { env: childEnvironment(), stdio: 'pipe', encoding: 'utf8' }).includes('util-linux');
  } catch {
    return false;
  }
}
