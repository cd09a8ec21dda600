/**
 * How many rounds a recursive CTE can run because one of its columns grows in every recursive term and is compared
 * there with a literal: a counter (`depth + 1 … depth < 64`) or a text (`path || '>' || name … length(path) < 500`).
 * Columns are counted from the end, since `SELECT p.*, depth + 1` has a number of columns that only SQLite knows.
 */
import type { CommonTableExpr, Expr, OneSelect, SelectFrom } from 'sqlite3-parser';
import { filtersOf, fromItems } from './joins.ts';
import { integerOf, unwrap } from './literals.ts';
import { foldName, type SqlPolicy } from './policy.ts';

/** A recursive CTE, taken apart: the parts that do not read it, and those that do. */
export type Recursion = {
  readonly cte: CommonTableExpr;
  readonly seeds: readonly OneSelect[];
  readonly terms: readonly SelectFrom[];
};

/** The number of rounds after which it has ended, or Infinity where that cannot be seen. */
export function growthBound(recursion: Recursion, policy: SqlPolicy): number {
  const { names, afterStar } = columnNames(recursion, policy);
  const bounds = names.map((name, at) => {
    // Of two columns of one name, SQLite renames the second: a condition on the name would be on the first.
    const isUnique = name !== undefined && names.indexOf(name) === names.lastIndexOf(name);
    return isUnique && at >= afterStar ? boundByColumn(recursion, name, names.length - 1 - at) : Infinity;
  });
  return Math.min(Infinity, ...bounds);
}

function boundByColumn(recursion: Recursion, name: string, fromEnd: number): number {
  const bounds = recursion.terms.map((term) => {
    const isColumn = columnTest(recursion, term, name);
    const growth = columnAt(term, fromEnd);
    const filters = filtersOf(term);
    return Math.min(counterBound(recursion, fromEnd, growth, filters, isColumn), textBound(growth, filters, isColumn));
  });
  return Math.max(...bounds);
}

type ColumnTest = (expression: Expr | undefined) => boolean;

/** `c + 1` and `c < 64`: (64 - seed) / 1 rounds. A counter that falls is the same with the signs turned. */
function counterBound(
  recursion: Recursion,
  fromEnd: number,
  growth: Expr | undefined,
  filters: readonly Expr[],
  isColumn: ColumnTest,
): number {
  const step = stepOf(growth, isColumn);
  const starts = recursion.seeds.flatMap((seed) => seedValues(seed, fromEnd));
  if (step === undefined || step === 0) return Infinity;
  const sign = Math.sign(step);
  const isSide: ColumnTest = (side) => isColumn(side) || Math.sign(stepOf(side, isColumn) ?? 0) === sign;
  const limits = filters.map((filter) => limitOf(filter, isSide, sign)).filter((limit) => limit !== undefined);
  const rounds = starts.map((start) =>
    start === undefined ? Infinity : Math.min(Infinity, ...limits.map((limit) => Math.max(0, (limit - start) * sign) / Math.abs(step) + 2)),
  );
  return Math.max(...rounds);
}

/** `path || '>' || name` and `length(path) < 500`: each round adds a character at least. */
function textBound(growth: Expr | undefined, filters: readonly Expr[], isColumn: ColumnTest): number {
  const parts = concatenated(growth);
  const grows = parts.some(isColumn) && parts.some((part) => part.type === 'StringLiteral' && part.value.length > 0);
  const isLength: ColumnTest = (expression) => {
    const call = unwrap(expression);
    return call?.type === 'FunctionCallExpr' && foldName(call.name.name) === 'length' && isColumn(call.args?.[0]);
  };
  const limits = grows ? filters.map((filter) => limitOf(filter, isLength, 1)).filter((limit) => limit !== undefined) : [];
  return limits.length === 0 ? Infinity : Math.max(0, Math.min(...limits)) + 2;
}

/** The literal that `side` stays below (or above, where sign is -1) in rows that pass the filter. */
function limitOf(filter: Expr, isSide: ColumnTest, sign: number): number | undefined {
  if (filter.type === 'BetweenExpr') return filter.not || !isSide(filter.lhs) ? undefined : integerOf(sign > 0 ? filter.end : filter.start);
  if (filter.type !== 'BinaryExpr') return undefined;
  const isLess = filter.op === 'Less' || filter.op === 'LessEquals';
  const isGreater = filter.op === 'Greater' || filter.op === 'GreaterEquals';
  if (isSide(filter.left) && (sign > 0 ? isLess : isGreater)) return integerOf(filter.right);
  return isSide(filter.right) && (sign > 0 ? isGreater : isLess) ? integerOf(filter.left) : undefined;
}

/** k in `c + k`, `k + c` or `c - k`. */
function stepOf(expression: Expr | undefined, isColumn: ColumnTest): number | undefined {
  const sum = unwrap(expression);
  if (sum?.type !== 'BinaryExpr') return undefined;
  if (sum.op === 'Add') return isColumn(sum.left) ? integerOf(sum.right) : isColumn(sum.right) ? integerOf(sum.left) : undefined;
  const subtracted = sum.op === 'Subtract' && isColumn(sum.left) ? integerOf(sum.right) : undefined;
  return subtracted === undefined ? undefined : -subtracted;
}

function concatenated(expression: Expr | undefined): readonly Expr[] {
  const inner = unwrap(expression);
  if (inner === undefined) return [];
  return inner.type === 'BinaryExpr' && inner.op === 'Concat' ? [...concatenated(inner.left), ...concatenated(inner.right)] : [inner];
}

/** Whether an expression is the CTE's column: bare, or qualified with what the term calls the CTE. */
function columnTest({ cte }: Recursion, term: SelectFrom, name: string): ColumnTest {
  const tables = [term.from?.select, ...(term.from?.joins ?? []).map(({ table }) => table)];
  const self = tables.find(
    (table) => table?.type === 'TableSelectTable' && foldName(table.tblName.objName.text) === foldName(cte.tblName.text),
  );
  const qualifier = foldName(self?.type === 'TableSelectTable' && self.alias !== undefined ? self.alias.name.text : cte.tblName.text);
  return (expression) => {
    const inner = unwrap(expression);
    // A bare name that another table of the term has too is an error of SQLite's, not a way around this.
    if (inner?.type === 'Id') return foldName(inner.name) === name;
    return inner?.type === 'QualifiedExpr' && foldName(inner.table.text) === qualifier && foldName(inner.column.text) === name;
  };
}

/** The CTE's columns: undefined where one has no name that is known; those from `afterStar` on are countable from the end. */
type ColumnNames = { readonly names: readonly (string | undefined)[]; readonly afterStar: number };

const NO_NAMES: ColumnNames = { names: [], afterStar: 0 };

function columnNames({ cte, seeds }: Recursion, policy: SqlPolicy): ColumnNames {
  if (cte.columns !== undefined) return { names: cte.columns.map(({ colName }) => foldName(colName.text)), afterStar: 0 };
  const [seed] = seeds;
  if (seed?.type !== 'SelectFrom') return NO_NAMES;
  const names: (string | undefined)[] = [];
  let afterStar = 0;
  for (const column of seed.columns) {
    if (column.type === 'ExprResultColumn') {
      names.push(nameOfResult(column.expr, column.alias?.name.text));
      continue;
    }
    const items = seed.from === undefined ? [] : fromItems(seed.from, policy);
    // Where only SQLite knows what a star stands for, no name can be known to be unique.
    if (items.some(({ columns }) => columns === undefined)) return NO_NAMES;
    names.push(...items.flatMap(({ columns }) => [...(columns ?? [])]));
    afterStar = names.length;
  }
  return { names, afterStar };
}

function nameOfResult(expression: Expr, alias: string | undefined): string | undefined {
  if (alias !== undefined) return foldName(alias);
  return expression.type === 'Id'
    ? foldName(expression.name)
    : expression.type === 'QualifiedExpr'
      ? foldName(expression.column.text)
      : undefined;
}

function columnAt(select: SelectFrom, fromEnd: number): Expr | undefined {
  // With a star after it, the position from the end is not known.
  const after = select.columns.slice(Math.max(0, select.columns.length - 1 - fromEnd));
  if (after.length !== fromEnd + 1) return undefined;
  const [column] = after;
  return column?.type === 'ExprResultColumn' && after.every(({ type }) => type === 'ExprResultColumn') ? column.expr : undefined;
}

/** Undefined where a seed's value is not a literal. */
function seedValues(seed: OneSelect, fromEnd: number): readonly (number | undefined)[] {
  if (seed.type === 'SelectValues') return seed.values.map(({ values }) => integerOf(values.at(-1 - fromEnd)));
  return [integerOf(columnAt(seed, fromEnd))];
}
