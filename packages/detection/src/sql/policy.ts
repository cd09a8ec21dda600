/**
 * What a statement may be: the argument of every check. It is data, so that the validator runs anywhere and tests
 * can use another schema than the product's.
 */
import type { Refusal } from '@sentineld/model/rule';
import type { ReadableSchema } from '@sentineld/model/schema';

export type SqlBounds = {
  readonly maxSqlBytes: number;
  /** Levels of the syntax tree; a chain of n ANDs is n levels. */
  readonly maxDepth: number;
  /** SELECTs and VALUES, wherever they stand. */
  readonly maxSelects: number;
  /** Tables, views, subqueries and table functions in one FROM clause. */
  readonly maxFromItems: number;
  /** FROM items that nothing links to the others, the first one included. */
  readonly maxUnlinkedItems: number;
  readonly maxArguments: number;
  /** Rows, or rounds, of one recursive CTE. */
  readonly maxRecursion: number;
  /** % in LIKE, * in GLOB. */
  readonly maxWildcards: number;
  readonly maxPatternLength: number;
  /** Width and precision in printf and format. */
  readonly maxFormatWidth: number;
};

export const DEFAULT_BOUNDS: SqlBounds = {
  maxSqlBytes: 16_384,
  maxDepth: 400,
  maxSelects: 32,
  maxFromItems: 24,
  maxUnlinkedItems: 2,
  maxArguments: 64,
  maxRecursion: 10_000,
  maxWildcards: 8,
  maxPatternLength: 1_000,
  maxFormatWidth: 256,
};

/** Named parameters with their prefix. 'any' is for tools and tests whose statements come from a trusted place. */
export type ParameterPolicy = 'any' | readonly string[];

/**
 * What rules may use: the time of the scan in ms, that of the scan which the rule saw before it, the id of the scan, and
 * the number of the newest process event that the rule saw before.
 */
export const RULE_PARAMETERS: readonly string[] = [':now', ':since', ':scan_id', ':since_seq'];

/** The table of what happened between scans: a rule that reads it can miss something. */
export const EVENTS_TABLE = 'process_events';

/** The table of what the newest scan saw. */
export const PROCESSES_TABLE = 'processes';

/** Table-valued functions without side effects or access to files. */
export const TABLE_FUNCTIONS: readonly string[] = ['json_each', 'json_tree'];

export type SqlPolicy = {
  readonly schema: ReadableSchema;
  readonly parameters: ParameterPolicy;
  readonly bounds?: Partial<SqlBounds>;
};

/** A place in the text as the parser gives it: line counts from 1, col from 0. */
export type SourceSpan = { readonly line: number; readonly col: number };

export function refusal(code: string, message: string, at: SourceSpan | null): Refusal {
  return { code, message, position: at === null ? null : { line: at.line, column: at.col + 1 } };
}

export function boundsOf(policy: SqlPolicy): SqlBounds {
  return { ...DEFAULT_BOUNDS, ...policy.bounds };
}

/** SQLite folds the case of ASCII letters in names, and only of those. */
export function foldName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** A statement that is longer than is read, or undefined. */
export function checkLength(sql: string, maxSqlBytes: number): Refusal | undefined {
  const bytes = Buffer.byteLength(sql);
  if (bytes <= maxSqlBytes) return undefined;
  return refusal(
    'limit',
    `The statement has ${bytes} bytes, at most ${maxSqlBytes} are read. Split it, or move lists into a shorter test.`,
    null,
  );
}
