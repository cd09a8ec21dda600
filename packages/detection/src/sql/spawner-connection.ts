/**
 * The spawner as the agent holds it: started, asked in frames, told of its end. Once it is gone it stays gone: a confined
 * agent cannot start another, and one that can decides for itself.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { SentinelError } from '@sentineld/model/error';
import { readAnswer } from './answer.ts';
import { createFrameReader, decodeFrame, encodeFrame, MAX_RESULT_BYTES } from './frames.ts';
import { CHILD_NODE_FLAGS, childEnvironment, type ExecutorAnswer, type ExecutorDeath, type ExecutorSettings, type ExecutorWork, type LossKind, type SpawnerInit, type SpawnerOutput, type SpawnerRequest } from './protocol.ts';

/** An executor that is ready, and what holds for it. */
export type ExecutorReady = {
  readonly pid: number;
  readonly spawnerPid: number;
  /** True where every measure holds for the executor; `detail` has them one by one, the spawner's too. */
  readonly confined: boolean;
  readonly detail: readonly string[];
  /** 'open', or why the databases cannot be read yet. */
  readonly store: string;
};

export type ExecutorEvent = ExecutorDeath | { readonly kind: 'executor_ready'; readonly ready: ExecutorReady };

export type Reply =
  | { readonly kind: 'answer'; readonly answer: ExecutorAnswer }
  | { readonly kind: 'lost'; readonly loss: LossKind; readonly message: string; readonly durationMs: number };

export type SpawnerConnection = {
  readonly ask: (work: ExecutorWork, deadlineMs: number) => Promise<Reply>;
  /** The first executor; rejects with executor.failed where the spawner ends before there is one. */
  readonly ready: Promise<ExecutorReady>;
  /** Resolves when the spawner has ended, with how. */
  readonly closed: Promise<string>;
  readonly close: () => Promise<void>;
};

export type SpawnerOptions = {
  /** Paths of the two programs. */
  readonly programs: { readonly spawner: string; readonly executor: string };
  /** Arguments of Node before the program, for running from sources. */
  readonly nodeArguments: readonly string[];
  readonly memoryBytes: number;
  readonly settings: ExecutorSettings;
  readonly onEvent: ((event: ExecutorEvent) => void) | undefined;
};

const CLOSE_MS = 2_000;

export function connectSpawner(options: SpawnerOptions): SpawnerConnection {
  const nodeFlags = [...CHILD_NODE_FLAGS, ...options.nodeArguments];
  const child = spawn(process.execPath, [...nodeFlags, options.programs.spawner], { stdio: ['pipe', 'pipe', 'pipe'], env: childEnvironment() });
  const requests = createRequests(child);
  const ready = Promise.withResolvers<ExecutorReady>();
  // Whoever does not wait for it is told by `closed` and by every request.
  ready.promise.catch(() => {});
  const closed = endOf(child);
  void closed.then((reason) => {
    ready.reject(new SentinelError('executor.failed', { message: reason }));
    requests.end(reason);
  });
  readSpawner(child, (output, answer) => {
    if (output.kind === 'answer') return requests.settle(output.id, { kind: 'answer', answer: readAnswer(answer) });
    if (output.kind === 'lost') return requests.settle(output.id, output);
    if (output.kind === 'executor_died') return options.onEvent?.(output);
    const { pid, confined, detail, store } = output.ready;
    const report: ExecutorReady = { pid, spawnerPid: child.pid ?? 0, confined, store, detail: [...detail, ...output.spawner.map((text) => `spawner: ${text}`)] };
    ready.resolve(report);
    return options.onEvent?.({ kind: 'executor_ready', ready: report });
  });
  const commandArguments = [...nodeFlags, options.programs.executor];
  const init: SpawnerInit = { kind: 'init', command: process.execPath, commandArguments, memoryBytes: options.memoryBytes, settings: options.settings };
  child.stdin.write(encodeFrame(init));
  return { ask: requests.ask, ready: ready.promise, closed, close: () => closeSpawner(child, closed) };
}

type Spawner = ChildProcessByStdio<Writable, Readable, Readable>;

type Requests = Pick<SpawnerConnection, 'ask'> & {
  readonly settle: (id: number, reply: Reply) => void;
  /** Gives every request that waits, and every later one, the reason why there is no answer. */
  readonly end: (reason: string) => void;
};

function createRequests(child: Spawner): Requests {
  const waiting = new Map<number, (reply: Reply) => void>();
  let ended: string | undefined;
  let lastId = 0;
  return {
    ask: (work, deadlineMs) =>
      new Promise((resolve) => {
        if (ended !== undefined) return resolve({ kind: 'lost', loss: 'crashed', message: ended, durationMs: 0 });
        lastId += 1;
        const request: SpawnerRequest = { kind: 'request', id: lastId, deadlineMs, work };
        waiting.set(lastId, resolve);
        child.stdin.write(encodeFrame(request));
        return undefined;
      }),
    settle: (id, reply) => {
      waiting.get(id)?.(reply);
      waiting.delete(id);
    },
    end: (reason) => {
      ended = reason;
      for (const resolve of waiting.values()) resolve({ kind: 'lost', loss: 'crashed', message: reason, durationMs: 0 });
      waiting.clear();
    },
  };
}

/** Calls back per output; `answer` is the frame after an output of kind 'answer'. */
function readSpawner(child: Spawner, onOutput: (output: SpawnerOutput, answer: Uint8Array) => void): void {
  let answered: SpawnerOutput | undefined;
  const frames = createFrameReader(MAX_RESULT_BYTES, (body) => {
    // The spawner runs our own code and parses nothing hostile; what an executor wrote is in the frame after.
    const output = answered ?? (decodeFrame(body) as SpawnerOutput);
    const isAnnouncement = answered === undefined && output.kind === 'answer';
    answered = isAnnouncement ? output : undefined;
    if (!isAnnouncement) onOutput(output, body);
  });
  child.stdout.on('data', (bytes: Buffer) => {
    if (!frames.push(bytes)) child.kill('SIGKILL');
  });
}

function endOf(child: Spawner): Promise<string> {
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-2_000);
  });
  child.stdin.on('error', () => {});
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(`The spawner of SQL executors cannot be started: ${error.message}`));
    child.on('close', (status, signal) => resolve(`The spawner of SQL executors ended (${signal ?? `status ${status}`})${stderr === '' ? '' : `: ${stderr.trim()}`}`));
  });
}

/** The spawner ends with its input, and its executor with it. */
async function closeSpawner(child: Spawner, closed: Promise<string>): Promise<void> {
  child.stdin.end();
  const overdue = setTimeout(() => child.kill('SIGKILL'), CLOSE_MS);
  await closed;
  clearTimeout(overdue);
}
