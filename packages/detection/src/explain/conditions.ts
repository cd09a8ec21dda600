/**
 * What a rule asks of a row, taken apart: the terms of its WHERE, each as a statement of its own that a row of the result
 * can be held against. Pure; nothing is run here.
 */
import type { AstNode } from 'sqlite3-parser';
import { foldName, type SqlPolicy } from '../sql/policy.ts';
import { nodesWithin, parseStatement } from '../sql/statement.ts';

/** A value that a test needs: the parameter that stands for it, and the column of the result that has it. */
export type TestValue = { readonly parameter: string; readonly column: string };

export type Condition =
  /** All of the parts, or one of them, have to hold. */
  | { readonly kind: 'all' | 'any'; readonly text: string; readonly parts: readonly Condition[] }
  /** `expression` is `text` with parameters in the place of columns. */
  | { readonly kind: 'test'; readonly text: string; readonly expression: string; readonly values: readonly TestValue[] }
  /** Cannot be held against a row; `why` in words that follow "not known:". */
  | { readonly kind: 'unknown'; readonly text: string; readonly why: string };

/** The conditions of a statement; null where it has none, or is none that may be run. */
export function conditionsOf(sql: string, policy: SqlPolicy): Condition | null {
  const parsed = parseStatement(sql, policy);
  if (!parsed.ok) return null;
  const { select } = parsed.statement.select;
  if (select.type !== 'SelectFrom') return null;
  let used = 0;
  const scope = { sql, resolve: columnsTold(sql, select.columns), nextParameter: () => `v${++used}` };
  const parts = conditionsWithin(scope, select);
  const [first] = parts;
  if (first === undefined) return null;
  return parts.length === 1 ? first : { kind: 'all', text: parts.map(({ text }) => text).join(' AND '), parts };
}

/** An expression with parameters in the place of columns; or the name, as it is written, of a column that nothing tells. */
type Told = { readonly expression: string; readonly values: readonly TestValue[] } | { readonly untold: string };

/** A name as it is written, in brackets where it stands for an expression; null where nothing tells it. */
type Resolve = (written: string, scope: Scope) => Told | null;

type Scope = { readonly sql: string; readonly resolve: Resolve; readonly nextParameter: () => string };

/** Those of the SELECT that it reads from come first: they are what its rows had to pass before. */
function conditionsWithin(scope: Scope, select: SelectFrom): readonly Condition[] {
  const inner = derivedTable(select);
  const here = inner === null ? scope : { ...scope, resolve: through(scope, inner) };
  const below = inner === null ? [] : conditionsWithin({ ...scope, resolve: outward(scope, inner) }, inner.select);
  return [...below, ...(select.whereClause === undefined ? [] : [conditionOf(here, select.whereClause)])];
}

type SelectFrom = Extract<AstNode, { type: 'SelectFrom' }>;
type Derived = { readonly alias: string; readonly select: SelectFrom };

/** The one SELECT in FROM, where there is nothing else. */
function derivedTable({ from }: SelectFrom): Derived | null {
  const table = from?.select;
  if (table?.type !== 'SelectSelectTable' || (from?.joins ?? []).length > 0) return null;
  const { select } = table.select;
  return select.type === 'SelectFrom' ? { alias: table.alias?.name.text ?? '', select } : null;
}

/** Names of the outer SELECT: what its result tells, or what the inner one computes of what is told. */
function through(scope: Scope, inner: Derived): Resolve {
  return (written, asking) => {
    const told = scope.resolve(written, asking);
    if (told !== null) return told;
    const column = inner.select.columns.find(
      (each) => each.type === 'ExprResultColumn' && nameOf(scope.sql, each) === foldName(lastPart(written)),
    );
    if (column?.type !== 'ExprResultColumn' || column.expr.type === 'Id' || column.expr.type === 'QualifiedExpr') return null;
    const computed = substitute({ ...scope, resolve: outward(scope, inner) }, column.expr);
    return 'untold' in computed ? computed : { ...computed, expression: `(${computed.expression})` };
  };
}

/** Names of the inner SELECT, by what the outer one has of them. */
function outward(scope: Scope, { alias, select }: Derived): Resolve {
  const inner = columnsTold(scope.sql, select.columns);
  return (written, asking) => {
    const name = inner.nameOf(written);
    return name === null ? null : (scope.resolve(`${alias}.${name}`, asking) ?? scope.resolve(name, asking));
  };
}

function nameOf(sql: string, column: Extract<AstNode, { type: 'ExprResultColumn' }>): string {
  return foldName(column.alias?.name.text ?? lastPart(textOf(sql, column.expr)));
}

function conditionOf(scope: Scope, node: AstNode): Condition {
  const text = textOf(scope.sql, node);
  if (node.type === 'ParenthesizedExpr' && node.exprs.length === 1 && node.exprs[0] !== undefined) return conditionOf(scope, node.exprs[0]);
  if (node.type === 'BinaryExpr' && (node.op === 'And' || node.op === 'Or')) {
    const parts = termsOf(node, node.op).map((term) => conditionOf(scope, term));
    return { kind: node.op === 'And' ? 'all' : 'any', text, parts };
  }
  return testOf(scope, node, text);
}

/** The terms that one operator joins, in their order, however they are nested or put in brackets. */
function termsOf(root: AstNode, op: 'And' | 'Or'): readonly AstNode[] {
  const terms: AstNode[] = [];
  const waiting: AstNode[] = [root];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (node.type === 'BinaryExpr' && node.op === op) waiting.push(node.right, node.left);
    else if (node.type === 'ParenthesizedExpr' && node.exprs.length === 1 && node.exprs[0] !== undefined) waiting.push(node.exprs[0]);
    else terms.push(node);
  }
  return terms;
}

function testOf(scope: Scope, node: AstNode, text: string): Condition {
  const within = nodesWithin(node);
  const parameter = within.find(({ type }) => type === 'VariableExpr');
  if (parameter !== undefined) return { kind: 'unknown', text, why: `what ${textOf(scope.sql, parameter)} was then is not kept` };
  if (within.some(({ type }) => type === 'Select' || type === 'InTableExpr'))
    return { kind: 'unknown', text, why: 'it looks at other rows, as they were then' };
  const told = substitute(scope, node);
  return 'untold' in told ? { kind: 'unknown', text, why: `the finding does not tell ${told.untold}` } : { kind: 'test', text, ...told };
}

/** The text of a node with what is told in the place of its columns. */
function substitute(scope: Scope, node: AstNode): Told {
  const { sql, resolve } = scope;
  const within = nodesWithin(node);
  const names = new Set(
    within.flatMap((inner) => (inner.type === 'FunctionCallExpr' || inner.type === 'FunctionCallStarExpr' ? [inner.name] : [])),
  );
  const columns = within.filter((inner) => (inner.type === 'Id' && !names.has(inner)) || inner.type === 'QualifiedExpr');
  const values: TestValue[] = [];
  let expression = '';
  let at = node.span.offset;
  for (const column of columns.toSorted((a, b) => a.span.offset - b.span.offset)) {
    const written = textOf(sql, column);
    const told = resolve(written, scope) ?? { untold: written };
    if ('untold' in told) return told;
    values.push(...told.values);
    expression += sql.slice(at, column.span.offset) + told.expression;
    at = column.span.offset + column.span.length;
  }
  return { expression: expression + sql.slice(at, node.span.offset + node.span.length), values };
}

/** Columns that the result has under their own name or another one. With more than one table only what is written alike is the same. */
function columnsTold(sql: string, columns: readonly AstNode[]): Resolve & { readonly nameOf: (written: string) => string | null } {
  const names = new Map<string, string>();
  // SQLite takes the name of a result column too, where no column has it.
  const aliases = new Map<string, string>();
  let isEverything = false;
  for (const column of columns) {
    if (column.type === 'StarResultColumn' || column.type === 'TableStarResultColumn') isEverything = true;
    if (column.type !== 'ExprResultColumn') continue;
    if (column.alias !== undefined) aliases.set(foldName(column.alias.name.text), column.alias.name.text);
    if (column.expr.type !== 'Id' && column.expr.type !== 'QualifiedExpr') continue;
    const written = textOf(sql, column.expr);
    names.set(foldName(written), column.alias?.name.text ?? lastPart(written));
  }
  const byLastPart = Map.groupBy(names, ([written]) => lastPart(written));
  const nameOf = (written: string): string | null => {
    const folded = foldName(written);
    const same = byLastPart.get(lastPart(folded)) ?? [];
    // `pid` and `e.pid` are the same column where only one column of that name is in the result.
    const only = same.length === 1 && (folded === lastPart(folded) || same[0]?.[0] === lastPart(folded)) ? same[0]?.[1] : undefined;
    return names.get(folded) ?? only ?? aliases.get(folded) ?? (isEverything ? lastPart(written) : null);
  };
  const resolve: Resolve = (written, { nextParameter }) => {
    const column = nameOf(written);
    if (column === null) return null;
    const parameter = nextParameter();
    return { expression: `:${parameter}`, values: [{ parameter, column }] };
  };
  return Object.assign(resolve, { nameOf });
}

function lastPart(written: string): string {
  return written.slice(written.lastIndexOf('.') + 1).trim();
}

function textOf(sql: string, { span }: Pick<AstNode, 'span'>): string {
  return sql.slice(span.offset, span.offset + span.length);
}
