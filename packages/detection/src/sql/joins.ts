/**
 * Layer 2: how much one FROM clause may multiply. Its items are linked where a condition speaks of two of them;
 * items that nothing links are a cross product, of which one is allowed (a threshold beside a table), not more.
 */
import type { Refusal } from '@sentineld/model/rule';
import type { AstNode, Expr, FromClause, JoinedSelectTable, SelectFrom, SelectTable } from 'sqlite3-parser';
import { unwrap } from './literals.ts';
import { boundsOf, foldName, refusal, type SqlPolicy } from './policy.ts';
import { nodesWithin, type Statement } from './statement.ts';

// Bits of the parser's joinType (its JoinType, which it exports as a type only).
const JOIN_NATURAL = 4;
const JOIN_LEFT = 8;
const JOIN_RIGHT = 16;
const JOIN_OUTER = 32;

/** One table, subquery or table function of a FROM clause. */
export type FromItem = {
  readonly table: SelectTable;
  /** What its columns are qualified with, folded. */
  readonly name: string | undefined;
  /** Folded; undefined where only SQLite knows them. */
  readonly columns: ReadonlySet<string> | undefined;
};

export function checkJoins({ nodes }: Statement, policy: SqlPolicy): Refusal | undefined {
  const bounds = boundsOf(policy);
  const selects = nodes.filter((node) => node.type === 'SelectFrom' || node.type === 'SelectValues').length;
  if (selects > bounds.maxSelects)
    return refusal(
      'limit',
      `The statement has ${selects} SELECTs, at most ${bounds.maxSelects} are run. Use IN with a list, or CTEs.`,
      null,
    );
  for (const node of nodes) {
    if (node.type !== 'SelectFrom' || node.from === undefined) continue;
    const items = fromItems(node.from, policy);
    if (items.length > bounds.maxFromItems)
      return refusal('limit', `This FROM has ${items.length} tables, at most ${bounds.maxFromItems} are joined.`, node.from.span);
    const groups = countGroups(node, items);
    if (groups > bounds.maxUnlinkedItems) {
      return refusal(
        'join',
        `Nothing links ${groups} of these tables to each other, so every row meets every row. Join them ON a column of both.`,
        node.from.span,
      );
    }
  }
  return undefined;
}

/** The items of a FROM clause, those within brackets included. */
export function fromItems(from: FromClause, policy: SqlPolicy): readonly FromItem[] {
  const tables = [from.select, ...(from.joins ?? []).map(({ table }) => table)];
  return tables.flatMap((table) => {
    if (table === undefined) return [];
    if (table.type === 'SubSelectTable' && table.alias === undefined) return fromItems(table.from, policy);
    return [{ table, name: nameOf(table), columns: columnsOf(table, policy) }];
  });
}

/** Conditions of WHERE and ON, split at AND. */
function conditionsOf(select: SelectFrom): readonly Expr[] {
  return [
    ...split(select.whereClause),
    ...joinsOf(select.from).flatMap(({ constraint }) => (constraint?.type === 'OnJoinConstraint' ? split(constraint.expr) : [])),
  ];
}

/** Conditions that every row of the result meets: an ON of an outer join only says which rows stay without a partner. */
export function filtersOf(select: SelectFrom): readonly Expr[] {
  return joinsOf(select.from).some(isOuter) ? split(select.whereClause) : conditionsOf(select);
}

/** How many groups of linked items there are; a row by itself and a table function of another item's column count as linked. */
export function countGroups(select: SelectFrom, items: readonly FromItem[]): number {
  const groups = items.map((_, at) => at);
  const link = (mentioned: readonly number[]): void => {
    const [first] = mentioned;
    const into = first === undefined ? undefined : groups[first];
    const from = new Set(mentioned.map((at) => groups[at]));
    if (into !== undefined) groups.forEach((group, at) => (groups[at] = from.has(group) ? into : group));
  };
  for (const condition of conditionsOf(select)) link(mentionedItems(condition, items));
  for (const joined of joinsOf(select.from)) {
    const isNatural = joined.operator.type === 'TypedJoinJoinOperator' && ((joined.operator.joinType ?? 0) & JOIN_NATURAL) !== 0;
    const at = items.findIndex(({ table }) => table === joined.table);
    if (at > 0 && (isNatural || joined.constraint?.type === 'UsingJoinConstraint')) link([at - 1, at]);
  }
  items.forEach(({ table }, at) => {
    if (table.type === 'TableCallSelectTable')
      link([...new Set([at, ...(table.args ?? []).flatMap((argument) => mentionedItems(argument, items))])]);
  });
  const isCounted = items.map(({ table }) => !isOneRow(table));
  return new Set(groups.filter((_, at) => isCounted[at])).size;
}

function joinsOf(from: FromClause | undefined): readonly JoinedSelectTable[] {
  if (from === undefined) return [];
  const inner = [from.select, ...(from.joins ?? []).map(({ table }) => table)].flatMap((table) =>
    table?.type === 'SubSelectTable' ? joinsOf(table.from) : [],
  );
  return [...(from.joins ?? []), ...inner];
}

/** Whether every join of a FROM keeps only rows with a partner ('inner'), or some keep those of their left side too ('left'). */
export function joinKindOf(from: FromClause): 'inner' | 'left' | 'other' {
  const outer = joinsOf(from).filter(isOuter);
  if (outer.length === 0) return 'inner';
  return outer.every((joined) => (typeOf(joined) & JOIN_LEFT) !== 0 && (typeOf(joined) & JOIN_RIGHT) === 0) ? 'left' : 'other';
}

function isOuter(joined: JoinedSelectTable): boolean {
  return (typeOf(joined) & (JOIN_LEFT | JOIN_RIGHT | JOIN_OUTER)) !== 0;
}

function typeOf({ operator }: JoinedSelectTable): number {
  return operator.type === 'TypedJoinJoinOperator' ? (operator.joinType ?? 0) : 0;
}

/** Which items an expression speaks of, subqueries in it included; where a name may belong to several, all of them. */
function mentionedItems(expression: AstNode, items: readonly FromItem[]): readonly number[] {
  const mentioned = new Set<number>();
  for (const node of nodesWithin(expression)) {
    items.forEach(({ name, columns }, at) => {
      if (node.type === 'QualifiedExpr' && foldName(node.table.text) === name) mentioned.add(at);
      if (node.type === 'Id' && columns?.has(foldName(node.name)) !== false) mentioned.add(at);
    });
  }
  return [...mentioned];
}

/** A subquery that gives one row at most multiplies nothing. */
function isOneRow(table: SelectTable): boolean {
  if (table.type !== 'SelectSelectTable') return false;
  const { select, compounds, limit } = table.select;
  const most = unwrap(limit?.expr);
  if (most?.type === 'NumericLiteral' && most.value === '1') return true;
  if (compounds !== undefined && compounds.length > 0) return false;
  if (select.type === 'SelectValues') return select.values.length === 1;
  if (select.from === undefined) return true;
  const isAggregate = select.columns.every((column) => column.type === 'ExprResultColumn' && isAggregateCall(unwrap(column.expr)));
  return isAggregate && select.groupBy === undefined;
}

const AGGREGATES = ['count', 'sum', 'total', 'avg', 'min', 'max', 'median', 'percentile', 'group_concat', 'string_agg'];

/** A call that makes one value of many rows; one over a window makes a value for each row. */
export function isAggregateCall(expression: AstNode | undefined): boolean {
  if (expression?.type !== 'FunctionCallExpr' && expression?.type !== 'FunctionCallStarExpr') return false;
  const argumentCount = expression.type === 'FunctionCallExpr' ? (expression.args ?? []).length : 0;
  const isScalar = ['min', 'max'].includes(foldName(expression.name.name)) && argumentCount !== 1;
  return AGGREGATES.includes(foldName(expression.name.name)) && !isScalar && expression.filterOver?.overClause === undefined;
}

function split(condition: Expr | undefined): readonly Expr[] {
  const parts: Expr[] = [];
  const waiting = [condition];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const expression = unwrap(next);
    if (expression?.type === 'BinaryExpr' && expression.op === 'And') waiting.push(expression.right, expression.left);
    else if (expression !== undefined) parts.push(expression);
  }
  return parts;
}

function nameOf(table: SelectTable): string | undefined {
  const alias = table.alias?.name.text;
  if (alias !== undefined) return foldName(alias);
  return table.type === 'TableSelectTable' || table.type === 'TableCallSelectTable' ? foldName(table.tblName.objName.text) : undefined;
}

function columnsOf(table: SelectTable, policy: SqlPolicy): ReadonlySet<string> | undefined {
  if (table.type !== 'TableSelectTable') return undefined;
  const known = policy.schema.tables.find(({ name }) => foldName(name) === foldName(table.tblName.objName.text));
  return known === undefined ? undefined : new Set(known.columns.map(({ name }) => foldName(name)));
}
