/**
 * The spawner as the agent holds it: started, asked in frames, told of its end. Once it is gone it stays gone: a confined
 * agent cannot start another, and one that can decides for itself.
 */
import { SentinelError } from '@sentineld/model/error';
import { readAnswer } from './answer.ts';
import { holdChild, type ChildProgram, type StartProgram } from './child-program.ts';
import { decodeFrame } from './frames.ts';
import {
  CHILD_NODE_FLAGS,
  isSpawnerOutput,
  type ExecutorAnswer,
  type ExecutorDeath,
  type ExecutorSettings,
  type ExecutorWork,
  type Lane,
  type LossKind,
  type SpawnerInit,
  type SpawnerOutput,
  type SpawnerRequest,
} from './protocol.ts';

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
  /** `lane` is 'quick' unless given. */
  readonly ask: (work: ExecutorWork, deadlineMs: number, lane?: Lane) => Promise<Reply>;
  /** The first executor; rejects with executor.failed where the spawner ends before there is one. */
  readonly ready: Promise<ExecutorReady>;
  /** Resolves when the spawner has ended, with how. */
  readonly closed: Promise<string>;
  readonly close: () => Promise<void>;
};

export type SpawnerOptions = {
  readonly start: StartProgram;
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
  const ready = Promise.withResolvers<ExecutorReady>();
  // Whoever does not wait for it is told by `closed` and by every request.
  ready.promise.catch(() => {});
  const closed = Promise.withResolvers<string>();
  const takeOutput = (output: SpawnerOutput, answer: Uint8Array): void => {
    if (output.kind === 'answer') return requests.settle(output.id, { kind: 'answer', answer: readAnswer(answer) });
    if (output.kind === 'lost') return requests.settle(output.id, output);
    if (output.kind === 'executor_died') return options.onEvent?.(output);
    const report = reportOf(output, spawner.pid);
    ready.resolve(report);
    return options.onEvent?.({ kind: 'executor_ready', ready: report });
  };
  const spawner = holdChild('The spawner of SQL executors', options.start(process.execPath, [...nodeFlags, options.programs.spawner]), {
    onFrame: pairFrames(takeOutput, () => spawner.kill()),
    onEnd: ({ message }) => {
      ready.reject(new SentinelError('executor.failed', { message }));
      requests.end(message);
      closed.resolve(message);
    },
  });
  const requests = createRequests(spawner);
  const commandArguments = [...nodeFlags, options.programs.executor];
  spawner.send({
    kind: 'init',
    command: process.execPath,
    commandArguments,
    memoryBytes: options.memoryBytes,
    settings: options.settings,
  } satisfies SpawnerInit);
  return { ask: requests.ask, ready: ready.promise, closed: closed.promise, close: () => closeSpawner(spawner, closed.promise) };
}

function reportOf({ ready, spawner }: Extract<SpawnerOutput, { kind: 'executor_ready' }>, spawnerPid: number): ExecutorReady {
  const { pid, confined, store } = ready;
  return { pid, spawnerPid, confined, store, detail: [...ready.detail, ...spawner.map((text) => `spawner: ${text}`)] };
}

/** Calls back per output; `answer` is the frame after an output of kind 'answer', which an executor wrote. */
function pairFrames(onOutput: (output: SpawnerOutput, answer: Uint8Array) => void, onNonsense: () => void): (body: Buffer) => void {
  let announced: SpawnerOutput | undefined;
  return (body) => {
    if (announced !== undefined) {
      const output = announced;
      announced = undefined;
      return onOutput(output, body);
    }
    const output = decodeFrame(body);
    if (!isSpawnerOutput(output)) return onNonsense();
    if (output.kind !== 'answer') return onOutput(output, body);
    announced = output;
    return undefined;
  };
}

type Requests = Pick<SpawnerConnection, 'ask'> & {
  readonly settle: (id: number, reply: Reply) => void;
  /** Gives every request that waits, and every later one, the reason why there is no answer. */
  readonly end: (reason: string) => void;
};

function createRequests(spawner: ChildProgram): Requests {
  const waiting = new Map<number, (reply: Reply) => void>();
  let ended: string | undefined;
  let lastId = 0;
  return {
    ask: (work, deadlineMs, lane = 'quick') =>
      new Promise((resolve) => {
        if (ended !== undefined) return resolve({ kind: 'lost', loss: 'crashed', message: ended, durationMs: 0 });
        lastId += 1;
        const request: SpawnerRequest = { kind: 'request', id: lastId, deadlineMs, lane, work };
        waiting.set(lastId, resolve);
        spawner.send(request);
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

/** The spawner ends with its input, and its executor with it. */
async function closeSpawner(spawner: ChildProgram, closed: Promise<string>): Promise<void> {
  spawner.finish();
  const overdue = setTimeout(() => spawner.kill(), CLOSE_MS);
  await closed;
  clearTimeout(overdue);
}
