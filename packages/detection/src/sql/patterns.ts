/**
 * Layer 2: LIKE, GLOB and REGEXP. The time of the first two grows with every wildcard, so patterns are literals (or
 * parameters) whose wildcards can be counted. That of a regular expression cannot be told from its text: it has to be a
 * literal that compiles and repeats no repetition, and what takes too long is ended with its executor. MATCH is not offered.
 */
import type { Refusal } from '@sentineld/model/rule';
import { compileExpression } from '@sentineld/store/regular-expression';
import type { Expr, LikeExpr } from 'sqlite3-parser';
import { nestedRepetition } from './expression-shape.ts';
import { unwrap } from './literals.ts';
import { boundsOf, refusal, type SqlBounds, type SqlPolicy } from './policy.ts';
import type { Statement } from './statement.ts';

export function checkPatterns({ sql, nodes }: Statement, policy: SqlPolicy): Refusal | undefined {
  const bounds = boundsOf(policy);
  for (const node of nodes) {
    const refused = node.type === 'LikeExpr' ? checkPattern(sql, node, bounds) : undefined;
    if (refused !== undefined) return refused;
  }
  return undefined;
}

function checkPattern(sql: string, node: LikeExpr, bounds: SqlBounds): Refusal | undefined {
  const operator = node.op.toUpperCase();
  if (operator === 'MATCH')
    return refusal('function', 'MATCH is not offered: full-text search is not. Use LIKE, GLOB or instr().', node.span);
  if (operator === 'REGEXP') return checkExpression(sql, node, bounds);
  const escape = unwrap(node.escape);
  if (escape !== undefined && (escape.type !== 'StringLiteral' || Array.from(escape.value).length !== 1)) {
    return refusal('pattern', "ESCAPE takes one literal character, such as '\\'.", escape.span);
  }
  const pattern = unwrap(node.rhs);
  if (pattern?.type === 'VariableExpr') return undefined;
  if (isQuotedName(sql, pattern)) return quotedNameRefusal(pattern);
  if (pattern?.type !== 'StringLiteral') {
    return refusal(
      'pattern',
      `The pattern of ${operator} has to be a literal text. To look for one column's value in another, write instr(a, b) > 0.`,
      node.rhs.span,
    );
  }
  if (pattern.value.length > bounds.maxPatternLength) return tooLong(pattern, bounds);
  const wildcard = operator === 'LIKE' ? '%' : '*';
  const count = pattern.value.split(wildcard).length - 1;
  if (count <= bounds.maxWildcards) return undefined;
  return refusal(
    'pattern',
    `The pattern has ${count} times ${wildcard}, at most ${bounds.maxWildcards} are taken. Write several conditions, joined by AND.`,
    pattern.span,
  );
}

/** No parameter either: whether it compiles would be known only when a rule runs. */
function checkExpression(sql: string, node: LikeExpr, bounds: SqlBounds): Refusal | undefined {
  if (node.escape !== undefined) return refusal('pattern', 'REGEXP takes no ESCAPE: a backslash escapes.', node.escape.span);
  const pattern = unwrap(node.rhs);
  if (isQuotedName(sql, pattern)) return quotedNameRefusal(pattern);
  if (pattern?.type !== 'StringLiteral') return refusal('pattern', 'The expression of REGEXP has to be a literal text.', node.rhs.span);
  if (pattern.value.length > bounds.maxPatternLength) return tooLong(pattern, bounds);
  const compiled = compileExpression(pattern.value);
  if (compiled.ok) return checkShape(pattern);
  const hint = /^\(\?[a-z]+\)/.test(pattern.value)
    ? 'Flags stand in a group around what they hold for: (?i:…).'
    : 'Its syntax is that of JavaScript.';
  return refusal('pattern', `This regular expression cannot be used: ${compiled.reason}. ${hint}`, pattern.span);
}

function checkShape({ value, span }: Extract<Expr, { type: 'StringLiteral' }>): Refusal | undefined {
  const nested = nestedRepetition(value);
  if (nested === undefined) return undefined;
  return refusal('pattern', `${nested} repeats a repetition, which takes exponential time. Write the inner or the outer one alone.`, span);
}

function isQuotedName(sql: string, pattern: Expr | undefined): pattern is Extract<Expr, { type: 'Id' }> {
  return pattern?.type === 'Id' && sql.charAt(pattern.span.offset) === '"';
}

function quotedNameRefusal({ span }: Expr): Refusal {
  return refusal('pattern', 'Between double quotes stands the name of a column. Write text between single quotes.', span);
}

function tooLong({ span }: Expr, { maxPatternLength }: SqlBounds): Refusal {
  return refusal('pattern', `The pattern is longer than ${maxPatternLength} characters.`, span);
}
