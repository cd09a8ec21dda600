/**
 * Layer 2: which kinds of syntax a statement may be made of. What is not listed is refused, also what a later version
 * of the grammar adds.
 */
import type { Refusal } from '@sentineld/model/rule';
import type { AstNode } from 'sqlite3-parser';
import { refusal } from './policy.ts';
import type { Statement } from './statement.ts';

const ALLOWED: ReadonlySet<AstNode['type']> = new Set<AstNode['type']>([
  // The shape of a SELECT.
  'Select', 'SelectFrom', 'SelectValues', 'ValuesRow', 'CompoundSelect', 'With', 'CommonTableExpr', 'IndexedColumn', 'Limit', 'SortedColumn',
  'ExprResultColumn', 'StarResultColumn', 'TableStarResultColumn', 'AsAs', 'ElidedAs',
  'FromClause', 'JoinedSelectTable', 'CommaJoinOperator', 'TypedJoinJoinOperator', 'OnJoinConstraint', 'UsingJoinConstraint',
  'TableSelectTable', 'TableCallSelectTable', 'SelectSelectTable', 'SubSelectTable',
  // Expressions.
  'Id', 'Name', 'QualifiedName', 'QualifiedExpr', 'NameExpr', 'VariableExpr',
  'NumericLiteral', 'StringLiteral', 'BlobLiteral', 'KeywordLiteral', 'NullLiteral', 'CurrentDateLiteral', 'CurrentTimeLiteral', 'CurrentTimestampLiteral',
  'BinaryExpr', 'UnaryExpr', 'BetweenExpr', 'CaseExpr', 'WhenThen', 'CastExpr', 'Type', 'MaxSizeTypeSize', 'TypeSizeTypeSize', 'CollateExpr', 'ParenthesizedExpr',
  'IsNullExpr', 'NotNullExpr', 'LikeExpr', 'InListExpr', 'InSelectExpr', 'InTableExpr', 'ExistsExpr', 'SubqueryExpr',
  // Functions and windows.
  'FunctionCallExpr', 'FunctionCallStarExpr', 'FunctionTail', 'SortListFunctionCallOrder', 'WindowOver', 'NameOver', 'WindowDef', 'Window', 'FrameClause',
  'CurrentRowFrameBound', 'FollowingFrameBound', 'PrecedingFrameBound', 'UnboundedFollowingFrameBound', 'UnboundedPrecedingFrameBound',
]); // prettier-ignore

const HINTS: Readonly<Record<string, string>> = {
  RaiseExpr: 'RAISE belongs to triggers.',
  IndexedByIndexed: 'INDEXED BY is not offered: indexes are no part of the schema. Leave it out.',
  NotIndexedIndexed: 'NOT INDEXED is not offered: indexes are no part of the schema. Leave it out.',
  WithinGroupFunctionCallOrder: 'WITHIN GROUP is not offered. Use percentile(value, 95) or median(value).',
};

const COLLATIONS = ['binary', 'nocase', 'rtrim'];

export function checkNodes({ nodes }: Statement): Refusal | undefined {
  for (const node of nodes) {
    if (!ALLOWED.has(node.type))
      return refusal('node', HINTS[node.type] ?? `This kind of syntax (${node.type}) is not offered.`, node.span);
    if (node.type === 'CollateExpr' && !COLLATIONS.includes(node.collation.toLowerCase())) {
      return refusal('node', `There is no collation ${node.collation}. There are BINARY, NOCASE and RTRIM.`, node.span);
    }
    if (node.type === 'InTableExpr' && node.args !== undefined) {
      return refusal('node', 'IN with a table function is not offered. Write IN (SELECT value FROM json_each(…)).', node.span);
    }
  }
  return undefined;
}
