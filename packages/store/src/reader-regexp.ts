/**
 * The operator REGEXP of a reader's connection: `x REGEXP 'a|b'` is true where the expression matches anywhere in x. A
 * value that is no text is compared as the text that SQLite makes of it, as LIKE does; NULL gives NULL.
 */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { SentinelError } from '@sentineld/model/error';
import { compileExpression, reasonOf } from './regular-expression.ts';

/** SQLite calls `x REGEXP y` as regexp(y, x). */
export const REGEXP_FUNCTION = 'regexp';

/** More than a statement that is accepted can hold; many statements share an executor. */
const MAX_COMPILED = 256;

/** To be called before the authorizer is set. */
export function offerRegexp(database: DatabaseSync): void {
  const compiled = new Map<string, RegExp>();
  const asText = database.prepare('SELECT CAST(?1 AS TEXT)');
  asText.setReturnArrays(true);
  const textOf = (value: SQLOutputValue): string => {
    const row: unknown = asText.get(value);
    return Array.isArray(row) ? String(row[0]) : '';
  };
  const expressionOf = (pattern: string): RegExp => {
    const known = compiled.get(pattern);
    if (known !== undefined) return known;
    const result = compileExpression(pattern);
    if (!result.ok) throw new SentinelError('query.failed', { message: `REGEXP cannot use this expression: ${result.reason}` });
    if (compiled.size >= MAX_COMPILED) compiled.clear();
    compiled.set(pattern, result.expression);
    return result.expression;
  };
  const regexp = (pattern: SQLOutputValue, value: SQLOutputValue): bigint | null => {
    if (pattern === null || value === null) return null;
    const text = typeof value === 'string' ? value : textOf(value);
    return matches(expressionOf(typeof pattern === 'string' ? pattern : textOf(pattern)), text) ? 1n : 0n;
  };
  database.function(REGEXP_FUNCTION, { deterministic: true, directOnly: true, useBigIntArguments: true }, regexp);
}

/** The engine gives up, with an error, where its code would be too large or it needs more room to go back than it may have. */
function matches(expression: RegExp, text: string): boolean {
  try {
    return expression.test(text);
  } catch (cause) {
    throw new SentinelError('query.failed', {
      message: `REGEXP could not be tried on a value of ${text.length} characters: ${reasonOf(cause)}`,
      hint: 'Write a shorter expression, without repetitions within repetitions, or look at a part of the value with substr().',
      cause,
    });
  }
}
