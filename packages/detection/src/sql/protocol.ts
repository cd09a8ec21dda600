/**
 * What the agent, the spawner and an executor say to each other. The agent checks answers by schema where it reads them
 * (answer.ts); the spawner passes them on unread, because the program that wrote them may have been taken over.
 */
import { DAEMON_NODE_FLAGS } from '@sentineld/runtime/lifecycle/node-flags';
import type { RuleOutcome, SqlValue, Validation } from '@sentineld/model/rule';
import type { ReadableSchema } from '@sentineld/model/schema';
import type { ReaderDatabase, ReaderView } from '@sentineld/store/reader';
import type { ParameterPolicy } from './policy.ts';

/** What an executor is for; the same for its whole life. */
export type ExecutorSettings = {
  readonly databases: readonly ReaderDatabase[];
  readonly temporaryViews: readonly ReaderView[];
  readonly schema: ReadableSchema;
  readonly maxSqlBytes: number;
  /** The scan that statements see as the newest one; left out where that is the newest there is. */
  readonly asOfScan?: number;
  /** Whether statements can be run over changed processes alone. */
  readonly readsChanges?: boolean;
};

export type ValidateWork = { readonly type: 'validate'; readonly sql: string; readonly allowedParameters: ParameterPolicy };

/** Values by the names of named parameters, without their prefix; in a list for ?1, ?2, …. */
export type RunParameters = Readonly<Record<string, SqlValue>> | readonly SqlValue[];

export type RunWork = {
  readonly type: 'run';
  readonly sql: string;
  readonly allowedParameters: ParameterPolicy;
  readonly parameters: RunParameters;
  readonly maxRows: number;
  readonly maxBytes: number;
  /** Whether to read the processes that the rows' pids name. */
  readonly enrich: boolean;
  /** The scan that this statement sees as the newest one, instead of that of the settings. */
  readonly asOfScan?: number;
  /** Leaves out of `processes` what is as it was at this scan; needs `readsChanges`. */
  readonly changedSince?: number;
};

export type ExecutorWork = ValidateWork | RunWork;

export type ExecutorInit = { readonly kind: 'init'; readonly settings: ExecutorSettings };
export type ExecutorRequest = { readonly kind: 'work'; readonly work: ExecutorWork; readonly cpuSeconds: number };

/** The first frame of an executor; every later one is an ExecutorAnswer. */
export type ReadyFrame = {
  readonly kind: 'ready';
  readonly pid: number;
  readonly confined: boolean;
  readonly detail: readonly string[];
  /** 'open', or why the databases cannot be read yet: the next request tries again. */
  readonly store: string;
};

export type ExecutorAnswer =
  | { readonly kind: 'validation'; readonly validation: Validation }
  | { readonly kind: 'outcome'; readonly outcome: RuleOutcome }
  /** A statement could not be judged, for a reason that lies in the environment. */
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

export type SpawnerInit = {
  readonly kind: 'init';
  /** Program and arguments of an executor. */
  readonly command: string;
  readonly commandArguments: readonly string[];
  /** How much an executor's own memory may grow during one request. */
  readonly memoryBytes: number;
  readonly settings: ExecutorSettings;
};
/** Requests of one lane are answered in order, those of the other beside them: what takes long delays nothing else. */
export type Lane = 'quick' | 'patient';
export type SpawnerRequest = {
  readonly kind: 'request';
  readonly id: number;
  readonly deadlineMs: number;
  readonly lane: Lane;
  readonly work: ExecutorWork;
};
export type SpawnerInput = SpawnerInit | SpawnerRequest;

/** Why a request has no answer. */
export type LossKind = 'timeout' | 'memory' | 'crashed' | 'failed';

export type ExecutorDeath = {
  readonly kind: 'executor_died';
  readonly pid: number;
  readonly reason: LossKind | 'retired' | 'stale';
  readonly message: string;
};

export type SpawnerOutput =
  | { readonly kind: 'executor_ready'; readonly ready: ReadyFrame; readonly spawner: readonly string[] }
  | ExecutorDeath
  /** The next frame is the executor's answer. */
  | { readonly kind: 'answer'; readonly id: number }
  | { readonly kind: 'lost'; readonly id: number; readonly loss: LossKind; readonly message: string; readonly durationMs: number };

/** Exit status of an executor whose databases were replaced or could not be opened: a fresh one tries the request again. */
export const EXIT_STALE = 75;

/**
 * Flags of Node for the spawner and the executors, whose time is SQLite's: their own code may be slower to be smaller. A
 * regular expression that has gone back 5,000 times in a text is tried on it without going back, where V8 can do that.
 */
export const CHILD_NODE_FLAGS: readonly string[] = [
  '--max-old-space-size=128',
  '--optimize-for-size',
  '--enable-experimental-regexp-engine-on-excessive-backtracks',
  '--regexp-backtracks-before-fallback=5000',
  ...DAEMON_NODE_FLAGS,
];

/** The environment of children: nothing of the parent's, which may hold credentials. */
export function childEnvironment(): Record<string, string> {
  return { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' };
}

/** Frames of a parent, or of a child before it saw any statement, are taken for what their kind says. */
export function isSpawnerInput(value: unknown): value is SpawnerInput {
  return hasKind(value, ['init', 'request']);
}

export function isSpawnerOutput(value: unknown): value is SpawnerOutput {
  return hasKind(value, ['executor_ready', 'executor_died', 'answer', 'lost']);
}

export function isExecutorInput(value: unknown): value is ExecutorInit | ExecutorRequest {
  return hasKind(value, ['init', 'work']);
}

export function isReadyFrame(value: unknown): value is ReadyFrame {
  return hasKind(value, ['ready']);
}

function hasKind(value: unknown, kinds: readonly string[]): boolean {
  return typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string' && kinds.includes(value.kind);
}
