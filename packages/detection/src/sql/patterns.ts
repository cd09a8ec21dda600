/**
 * Layer 2: LIKE and GLOB. Their time grows with every wildcard, so patterns are literals (or parameters) whose
 * wildcards can be counted; MATCH and REGEXP are not offered.
 */
import type { Refusal } from '@sentineld/model/rule';
import type { LikeExpr } from 'sqlite3-parser';
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
  if (operator === 'REGEXP' || operator === 'MATCH') {
    return refusal('function', `${operator} is not offered: its time cannot be bounded. Use LIKE, GLOB or instr().`, node.span);
  }
  const escape = unwrap(node.escape);
  if (escape !== undefined && (escape.type !== 'StringLiteral' || Array.from(escape.value).length !== 1)) {
    return refusal('pattern', "ESCAPE takes one literal character, such as '\\'.", escape.span);
  }
  const pattern = unwrap(node.rhs);
  if (pattern?.type === 'VariableExpr') return undefined;
  if (pattern?.type === 'Id' && sql.charAt(pattern.span.offset) === '"') {
    return refusal('pattern', 'Between double quotes stands the name of a column. Write text between single quotes.', pattern.span);
  }
  if (pattern?.type !== 'StringLiteral') {
    return refusal(
      'pattern',
      `The pattern of ${operator} has to be a literal text. To look for one column's value in another, write instr(a, b) > 0.`,
      node.rhs.span,
    );
  }
  if (pattern.value.length > bounds.maxPatternLength)
    return refusal('pattern', `The pattern is longer than ${bounds.maxPatternLength} characters.`, pattern.span);
  const wildcard = operator === 'LIKE' ? '%' : '*';
  const count = pattern.value.split(wildcard).length - 1;
  if (count <= bounds.maxWildcards) return undefined;
  return refusal(
    'pattern',
    `The pattern has ${count} times ${wildcard}, at most ${bounds.maxWildcards} are taken. Write several conditions, joined by AND.`,
    pattern.span,
  );
}
