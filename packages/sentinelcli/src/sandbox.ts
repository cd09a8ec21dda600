/**
 * SQL is run in a process of its own that can be ended: node:sqlite within this one could be stopped neither by a
 * deadline nor by Ctrl-C, and what it parses may come from a file somebody sent. Costs one start per invocation.
 */
import { EXIT_STATUS_BY_CODE, SentinelError, type ErrorCode } from '@sentineld/model/error';
import type { Refusal, RuleOutcome } from '@sentineld/model/rule';
import type { ReadableSchema } from '@sentineld/model/schema';
import { startExecutor, type ExecutorClient } from '@sentineld/detection/sql/executor-client';
import type { ReaderDatabase, ReaderView } from '@sentineld/store/reader';
import { executorPrograms } from './installation.ts';

export type SandboxOptions = {
  readonly databases: readonly ReaderDatabase[];
  readonly temporaryViews?: readonly ReaderView[];
  readonly schema: ReadableSchema;
  readonly deadlineMs: number;
  /** Parameters of statements: any, for an operator's own; those of rules unless given. */
  readonly anyParameters?: boolean;
  /** The scan that statements see as the newest one. */
  readonly asOfScan?: number;
};

const MEMORY_BYTES = 256 * 1024 * 1024;
/** Below what one frame between the processes may hold. */
const MAX_RESULT_BYTES = 12 * 1024 * 1024;

export function startSandbox({ databases, temporaryViews, schema, deadlineMs, anyParameters, asOfScan }: SandboxOptions): ExecutorClient {
  const { nodeArguments, ...programs } = executorPrograms();
  return startExecutor({
    programs,
    nodeArguments,
    databases,
    temporaryViews: temporaryViews ?? [],
    schema,
    limits: { deadlineMs, memoryBytes: MEMORY_BYTES, maxBytes: MAX_RESULT_BYTES },
    ...(anyParameters === true ? { allowedParameters: 'any' as const } : {}),
    ...(asOfScan === undefined ? {} : { asOfScan }),
  });
}

/** A refusal as an error, with the place in the statement drawn below it. */
export function refusedError(refusal: Refusal, sql: string): SentinelError {
  const { code, message, position } = refusal;
  const line = position === null ? undefined : sql.split('\n')[position.line - 1];
  const excerpt = line === undefined || position === null ? undefined : excerptOf(line, position.column);
  const place = position === null ? '' : ` at ${position.line}:${position.column}`;
  const { first, rest } = sentencesOf(message);
  return new SentinelError('query.refused', {
    message: `the statement is refused${place} (${code})`,
    why: first,
    ...(rest === null ? {} : { hint: rest }),
    context: { refusal, excerpt },
  });
}

/** Why a statement that was let through gave no rows, as an error. */
export function outcomeError(outcome: Exclude<RuleOutcome, { readonly outcome: 'ok' | 'refused' }>): SentinelError {
  const limits = {
    timeout: { hint: 'give it longer with --timeout, or ask for less' },
    memory: { hint: 'ask for less: fewer rows, no large sort' },
    crashed: {},
    failed: {},
  };
  const { first, rest } = sentencesOf(outcome.message);
  const [prefix = '', ...afterPrefix] = first.split(': ');
  const code = isErrorCode(prefix) ? prefix : outcome.outcome === 'crashed' ? 'executor.failed' : 'query.failed';
  const [what = '', ...why] = isErrorCode(prefix) ? afterPrefix : [first];
  const hint = rest === null ? {} : { hint: rest };
  if (code === 'query.failed') {
    const said = [what, ...why].join(': ');
    return new SentinelError(code, { message: 'the statement was run and failed', why: said, ...hint, ...limits[outcome.outcome] });
  }
  return new SentinelError(code, {
    message: what,
    ...(why.length === 0 ? {} : { why: why.join(': ') }),
    ...hint,
    ...limits[outcome.outcome],
  });
}

/** What the executor says is a sentence about what is wrong and, mostly, one that says what to do. */
function sentencesOf(text: string): { readonly first: string; readonly rest: string | null } {
  const [, first = text, rest = null] = /^(.+?[.?]) (.+)$/s.exec(text) ?? [];
  return { first, rest };
}

const EXCERPT_BEFORE = 40;
const EXCERPT_AFTER = 30;

/** The line around a column and a mark below the column. */
function excerptOf(line: string, column: number): string {
  const from = Math.max(0, column - 1 - EXCERPT_BEFORE);
  const shown = line.slice(from, column + EXCERPT_AFTER).replaceAll('\t', ' ');
  return `${shown}\n${' '.repeat(column - 1 - from)}^`;
}

function isErrorCode(word: string): word is ErrorCode {
  return Object.hasOwn(EXIT_STATUS_BY_CODE, word);
}
