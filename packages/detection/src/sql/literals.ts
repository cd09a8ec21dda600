/**
 * Expressions as the literals they are: bounds can only be seen where a number or a text stands in the statement.
 */
import type { Expr } from 'sqlite3-parser';

/** An expression without the brackets around it. */
export function unwrap(expression: Expr | undefined): Expr | undefined {
  let inner = expression;
  while (inner?.type === 'ParenthesizedExpr' && inner.exprs.length === 1) inner = inner.exprs[0];
  return inner;
}

/** The value of an integer literal of up to nine digits, with or without a sign. */
export function integerOf(expression: Expr | undefined): number | undefined {
  const inner = unwrap(expression);
  if (inner?.type === 'UnaryExpr' && inner.op === 'Negative') {
    const value = integerOf(inner.expr);
    return value === undefined ? undefined : -value;
  }
  return inner?.type === 'NumericLiteral' && /^\d{1,9}$/.test(inner.value) ? Number(inner.value) : undefined;
}
