/**
 * Keeps one warm executor and gives it requests in order. Whatever happens to the executor, every request gets exactly
 * one answer or one reason why there is none, and the next one finds a fresh executor.
 */
import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { holdChild, type ChildProgram, type ProgramEnd, type StartProgram } from './child-program.ts';
import { decodeFrame } from './frames.ts';
import {
  EXIT_STALE,
  isReadyFrame,
  type ExecutorDeath,
  type ExecutorInit,
  type ExecutorRequest,
  type LossKind,
  type ReadyFrame,
  type SpawnerInit,
  type SpawnerOutput,
  type SpawnerRequest,
} from './protocol.ts';
import { cpuMs, ownMemoryBytes, watchRequest } from './watchdog.ts';

export type KeeperOptions = {
  readonly start: StartProgram;
  readonly init: SpawnerInit;
  /** For the reports of a ready executor: what holds for this process itself. */
  readonly spawner: readonly string[];
  /** `answer` is the frame body that follows an output of kind 'answer'. */
  readonly emit: (output: SpawnerOutput, answer?: Buffer) => void;
};

type Running = { readonly request: SpawnerRequest; readonly startedAt: number; readonly unwatch: () => void };
type Death = { readonly reason: ExecutorDeath['reason']; readonly message: string };

/** What is known of one executor. */
type Executor = {
  readonly process: ChildProgram;
  readonly startup: NodeJS.Timeout;
  /** Its own memory when it was ready; undefined until then. */
  readyBytes: number | undefined;
  running: Running | undefined;
  /** Why it was killed, where this process did it. */
  killedFor: Death | undefined;
};

const MAX_QUEUED = 256;
const STARTUP_MS = 15_000;
/** After so many starts without one that got ready, requests are not kept waiting. They failed: no statement is to blame. */
const HOPELESS_STARTS = 3;
const MAX_PAUSE_MS = 5_000;
/** An executor is replaced while it is idle, well before the CPU limit of its whole life would end it in a request. */
const RETIRE_CPU_MS = 60_000;
const RETIRE_GROWTH_BYTES = 32 * 1024 * 1024;
/** Whether it is worn is asked after a request that took longer, and after one of so many others. */
const SMALL_REQUEST_MS = 5;
const LOOK_EVERY = 16;
/** CPU time that the kernel allows beyond the deadline of a request. */
const CPU_RESERVE_SECONDS = 5;

/** The executor of one lane, started at once. `close` ends it; requests that wait are then left without an answer. */
export class ExecutorKeeper {
  readonly #options: KeeperOptions;
  readonly #queue: SpawnerRequest[] = [];
  /** Requests whose executor was stale once: they are not tried a third time. */
  readonly #retried = new Set<number>();
  #executor: Executor | undefined;
  #answers = 0;
  #failedStarts = 0;
  #lastDeath = '';
  #pause: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#start();
  }

  submit(request: SpawnerRequest): void {
    if (this.#isHopeless()) return this.#lose(request.id, 'failed', `No executor can be started. ${this.#lastDeath}`);
    if (this.#queue.length >= MAX_QUEUED) return this.#lose(request.id, 'failed', `${MAX_QUEUED} requests are waiting already`);
    this.#queue.push(request);
    return this.#dispatch();
  }

  isIdle(): boolean {
    return this.#queue.length === 0 && this.#executor?.running === undefined;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#pause);
    this.#executor?.running?.unwatch();
    this.#executor?.process.kill();
  }

  #start(): void {
    const executor: Executor = {
      process: holdChild('The executor', this.#startProgram(), {
        onFrame: (body) => this.#takeFrame(executor, body),
        onEnd: (end) => this.#takeEnd(executor, end),
      }),
      startup: setTimeout(() => kill(executor, 'crashed', `The executor was not ready after ${STARTUP_MS} ms`), STARTUP_MS),
      readyBytes: undefined,
      running: undefined,
      killedFor: undefined,
    };
    this.#executor = executor;
    executor.process.send({ kind: 'init', settings: this.#options.init.settings } satisfies ExecutorInit);
  }

  /** Through setpriv, so that the kernel kills it when this process dies; without, should that be why it does not start. */
  #startProgram(): ReturnType<StartProgram> {
    const { start, init } = this.#options;
    const setpriv = this.#failedStarts === 0 ? findSetpriv() : undefined;
    if (setpriv === undefined) return start(init.command, init.commandArguments);
    return start(setpriv, ['--pdeathsig', 'KILL', '--', init.command, ...init.commandArguments]);
  }

  #dispatch(): void {
    const executor = this.#executor;
    if (executor?.readyBytes === undefined || executor.running !== undefined || executor.killedFor !== undefined) return;
    const request = this.#queue.shift();
    if (request === undefined) return;
    const unwatch = watchRequest({
      pid: executor.process.pid,
      deadlineMs: request.deadlineMs,
      memoryBytes: this.#options.init.memoryBytes,
      onBreach: ({ kind, message }) => kill(executor, kind, message),
    });
    executor.running = { request, startedAt: performance.now(), unwatch };
    const cpuSeconds = Math.ceil(request.deadlineMs / 1_000) + CPU_RESERVE_SECONDS;
    executor.process.send({ kind: 'work', work: request.work, cpuSeconds } satisfies ExecutorRequest);
  }

  #takeFrame(executor: Executor, body: Buffer): void {
    if (executor.killedFor !== undefined) return;
    if (executor.readyBytes === undefined) this.#takeReady(executor, body);
    else if (executor.running === undefined) kill(executor, 'crashed', 'The executor spoke without being asked');
    else this.#takeAnswer(executor, executor.running, executor.readyBytes, body);
  }

  #takeReady(executor: Executor, body: Buffer): void {
    const ready = readReady(body);
    if (ready === undefined) return kill(executor, 'crashed', 'The executor did not say that it is ready');
    clearTimeout(executor.startup);
    this.#failedStarts = 0;
    executor.readyBytes = ownMemoryBytes(executor.process.pid);
    this.#options.emit({ kind: 'executor_ready', ready, spawner: this.#options.spawner });
    return this.#dispatch();
  }

  #takeAnswer(executor: Executor, { request, startedAt, unwatch }: Running, readyBytes: number, body: Buffer): void {
    unwatch();
    executor.running = undefined;
    this.#retried.delete(request.id);
    this.#options.emit({ kind: 'answer', id: request.id }, body);
    this.#answers += 1;
    // To look costs as much as a small request does.
    const isLookedAt = performance.now() - startedAt > SMALL_REQUEST_MS || this.#answers % LOOK_EVERY === 0;
    if (isLookedAt && isWorn(executor.process.pid, readyBytes))
      kill(executor, 'retired', 'The executor has used much CPU time or memory and is replaced');
    else this.#dispatch();
  }

  #takeEnd(executor: Executor, end: ProgramEnd): void {
    clearTimeout(executor.startup);
    executor.running?.unwatch();
    this.#executor = undefined;
    if (this.#closed) return;
    const death = executor.killedFor ?? deathOf(end);
    this.#lastDeath = death.message;
    if (executor.running !== undefined) this.#settle(executor.running, death);
    if (executor.readyBytes === undefined) this.#failedStarts += 1;
    this.#options.emit({ kind: 'executor_died', pid: executor.process.pid, reason: death.reason, message: death.message });
    this.#restart();
  }

  /** The request that ran when the executor died: a stale executor's is tried once more, first in line. */
  #settle({ request, startedAt }: Running, { reason, message }: Death): void {
    if (reason === 'stale' && !this.#retried.has(request.id)) {
      this.#retried.add(request.id);
      this.#queue.unshift(request);
      return;
    }
    const loss = reason === 'stale' ? 'failed' : reason === 'retired' ? 'crashed' : reason;
    this.#lose(request.id, loss, message, performance.now() - startedAt);
  }

  #restart(): void {
    if (this.#isHopeless())
      for (const { id } of this.#queue.splice(0)) this.#lose(id, 'failed', `No executor can be started. ${this.#lastDeath}`);
    if (this.#failedStarts === 0) this.#start();
    else this.#pause = setTimeout(() => this.#start(), Math.min(MAX_PAUSE_MS, 100 * 2 ** this.#failedStarts));
  }

  #isHopeless(): boolean {
    return this.#failedStarts >= HOPELESS_STARTS;
  }

  #lose(id: number, loss: LossKind, message: string, durationMs = 0): void {
    this.#retried.delete(id);
    this.#options.emit({ kind: 'lost', id, loss, message, durationMs });
  }
}

function isWorn(pid: number, readyBytes: number): boolean {
  return cpuMs(pid) > RETIRE_CPU_MS || ownMemoryBytes(pid) > readyBytes + RETIRE_GROWTH_BYTES;
}

/** The first reason counts: a kill takes a moment, in which another may come up. */
function kill(executor: Executor, reason: Death['reason'], message: string): void {
  executor.killedFor ??= { reason, message };
  executor.process.kill();
}

function deathOf({ status, message }: ProgramEnd): Death {
  if (status === EXIT_STALE) return { reason: 'stale', message: 'The databases were replaced, or could not be opened before' };
  // What V8 writes when its heap is full. SQLite's own want of memory is an error of the statement.
  return { reason: /heap out of memory|Allocation failed/.test(message) ? 'memory' : 'crashed', message };
}

/** Written before the executor has seen any statement, so only its kind is looked at. */
function readReady(body: Buffer): ReadyFrame | undefined {
  try {
    const value = decodeFrame(body);
    return isReadyFrame(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The setpriv of util-linux; busybox has one without --pdeathsig, under its own name. */
function findSetpriv(): string | undefined {
  try {
    const path = realpathSync('/usr/bin/setpriv');
    return basename(path) === 'setpriv' ? path : undefined;
  } catch {
    return undefined;
  }
}
