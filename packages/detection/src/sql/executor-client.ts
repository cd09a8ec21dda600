/**
 * The agent's and the command line's way to the SQL sandbox: starts the spawner and asks it. Start it before the
 * process confines itself; once the spawner is gone it stays gone, and whoever holds the client is told by `closed`.
 */
import { spawn } from 'node:child_process';
import { EXIT_STATUS_BY_CODE, SentinelError, type ErrorCode } from '@sentineld/model/error';
import type { Refusal, RuleOutcome, Validation } from '@sentineld/model/rule';
import type { ReadableSchema } from '@sentineld/model/schema';
import type { ReaderDatabase, ReaderView } from '@sentineld/store/reader';
import type { StartProgram } from './child-program.ts';
import { checkLength, refusal, RULE_PARAMETERS, type ParameterPolicy } from './policy.ts';
import { childEnvironment, type Lane, type RunParameters } from './protocol.ts';
import { connectSpawner, type ExecutorEvent, type ExecutorReady, type Reply } from './spawner-connection.ts';

export type { ExecutorEvent, ExecutorReady } from './spawner-connection.ts';

export type ExecutorLimits = {
  readonly deadlineMs: number;
  /** How much an executor's own memory may grow during one request. */
  readonly memoryBytes: number;
  readonly maxRows: number;
  /** Of the rows as JSON. */
  readonly maxBytes: number;
  readonly maxSqlBytes: number;
};

/**
 * As much as a rule file holds: a published Sigma rule over 1,093 names has 58,039. Judging grows with the length, 0.25 s
 * for that one and 1 s for the slowest kind that was found, in a process that is ended at its deadline.
 */
export const MAX_EXECUTED_SQL_BYTES = 65_536;

const DEFAULT_EXECUTOR_LIMITS: ExecutorLimits = {
  deadlineMs: 30_000,
  memoryBytes: 64 * 1024 * 1024,
  maxRows: 1_000,
  maxBytes: 4 * 1024 * 1024,
  maxSqlBytes: MAX_EXECUTED_SQL_BYTES,
};

export type RunRequest = {
  readonly sql: string;
  /** Values by the names of parameters, without their prefix. */
  readonly parameters?: RunParameters;
  /** Instead of the client's. */
  readonly allowedParameters?: ParameterPolicy;
  readonly maxRows?: number;
  readonly maxBytes?: number;
  readonly deadlineMs?: number;
  /** Whether to read the processes that the rows' pids name. */
  readonly enrich?: boolean;
  /** The scan that the statement sees as the newest one, instead of the client's. Going from one to another costs little. */
  readonly asOfScan?: number;
  /** Leaves out of `processes` those that are as they were at this scan; the client has to have been started with `readsChanges`. */
  readonly changedSince?: number;
  /** 'patient' has an executor of its own, started when it is first asked for: for what may take long. 'quick' unless given. */
  readonly lane?: Lane;
};

export type ExecutorClient = {
  /** The first executor; rejects with executor.failed where the spawner ends before there is one. */
  readonly ready: Promise<ExecutorReady>;
  /** Judges a statement. Rejects with store.* or executor.failed where it could not be judged. */
  readonly validate: (sql: string, allowedParameters?: ParameterPolicy) => Promise<Validation>;
  /** Runs a statement; never rejects. */
  readonly run: (request: RunRequest) => Promise<RuleOutcome>;
  readonly close: () => Promise<void>;
  /** Resolves when the spawner has ended, with how. */
  readonly closed: Promise<string>;
};

export type ExecutorOptions = {
  /** Paths of the two programs. */
  readonly programs: { readonly spawner: string; readonly executor: string };
  readonly databases: readonly ReaderDatabase[];
  readonly temporaryViews?: readonly ReaderView[];
  readonly schema: ReadableSchema;
  /** The scan that statements see as the newest one; the newest there is unless given. */
  readonly asOfScan?: number;
  /** Whether `changedSince` will be asked for. */
  readonly readsChanges?: boolean;
  readonly limits?: Partial<ExecutorLimits>;
  /** Parameters that statements may have; those of rules unless given. */
  readonly allowedParameters?: ParameterPolicy;
  /** Arguments of Node before the program, for running from sources. */
  readonly nodeArguments?: readonly string[];
  readonly onEvent?: (event: ExecutorEvent) => void;
};

export function startExecutor(options: ExecutorOptions): ExecutorClient {
  const limits = { ...DEFAULT_EXECUTOR_LIMITS, ...options.limits };
  const allowed = options.allowedParameters ?? RULE_PARAMETERS;
  const { databases, temporaryViews = [], schema, asOfScan, readsChanges = false, programs, nodeArguments = [], onEvent } = options;
  const shown = asOfScan === undefined ? {} : { asOfScan };
  const settings = { databases, temporaryViews, schema, maxSqlBytes: limits.maxSqlBytes, readsChanges, ...shown };
  const start: StartProgram = (command, commandArguments) => spawn(command, commandArguments, { stdio: 'pipe', env: childEnvironment() });
  const { ask, ready, closed, close } = connectSpawner({
    start,
    programs,
    nodeArguments,
    memoryBytes: limits.memoryBytes,
    settings,
    onEvent,
  });
  // Frames have a cap of their own, so what is far too long is not sent.
  const tooLong = (sql: string): Refusal | undefined => checkLength(sql, limits.maxSqlBytes);
  return {
    ready,
    closed,
    close,
    validate: async (sql, allowedParameters = allowed) => {
      const refused = tooLong(sql);
      return refused === undefined
        ? toValidation(await ask({ type: 'validate', sql, allowedParameters }, limits.deadlineMs))
        : { ok: false, refusal: refused };
    },
    run: async (request) => {
      const {
        sql,
        parameters = {},
        allowedParameters = allowed,
        maxRows = limits.maxRows,
        maxBytes = limits.maxBytes,
        deadlineMs = limits.deadlineMs,
        enrich = false,
        asOfScan: ownScan,
        changedSince,
        lane,
      } = request;
      const refused = tooLong(sql);
      if (refused !== undefined) return { outcome: 'refused', refusal: refused, durationMs: 0 };
      const moment = { ...(ownScan === undefined ? {} : { asOfScan: ownScan }), ...(changedSince === undefined ? {} : { changedSince }) };
      return toOutcome(
        await ask({ type: 'run', sql, parameters, allowedParameters, maxRows, maxBytes, enrich, ...moment }, deadlineMs, lane),
      );
    },
  };
}

function toValidation(reply: Reply): Validation {
  if (reply.kind === 'lost') {
    // What cannot be judged in time or memory is the statement's fault; a crash may be ours.
    if (reply.loss === 'timeout' || reply.loss === 'memory')
      return { ok: false, refusal: refusal('limit', `The statement is too costly to judge. ${reply.message}`, null) };
    throw new SentinelError('executor.failed', { message: reply.message });
  }
  const { answer } = reply;
  if (answer.kind === 'validation') return answer.validation;
  if (answer.kind === 'failed')
    throw new SentinelError(isErrorCode(answer.code) ? answer.code : 'executor.failed', { message: answer.message });
  throw new SentinelError('executor.failed', { message: 'The executor answered another question' });
}

function toOutcome(reply: Reply): RuleOutcome {
  if (reply.kind === 'lost') return { outcome: reply.loss, message: reply.message, durationMs: reply.durationMs };
  const { answer } = reply;
  if (answer.kind === 'outcome') return answer.outcome;
  const message = answer.kind === 'failed' ? `${answer.code}: ${answer.message}` : 'The executor answered another question';
  return { outcome: 'failed', message, durationMs: 0 };
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(EXIT_STATUS_BY_CODE, code);
}
