/**
 * Layer 2: every recursive CTE has to have a bound that can be seen in its text. Three are recognised:
 * a literal LIMIT; UNION where the recursive terms only pass on columns of finite tables, so that rows repeat and end;
 * a column that grows by a literal step in every recursive term and is compared there with a literal.
 * Whatever else would end in practice is refused: whether it ends would depend on the data, which an attacker writes.
 */
import type { Refusal } from '@sentineld/model/rule';
import type { AstNode, CommonTableExpr, OneSelect, ResultColumn, SelectFrom } from 'sqlite3-parser';
import { countGroups, fromItems } from './joins.ts';
import { integerOf, unwrap } from './literals.ts';
import { boundsOf, foldName, refusal, type SqlPolicy } from './policy.ts';
import { growthBound } from './recursion-growth.ts';
import { nodesWithin, visibleCte, type Statement } from './statement.ts';

export function checkRecursion(statement: Statement, policy: SqlPolicy): Refusal | undefined {
  for (const node of statement.nodes) {
    if (node.type !== 'CommonTableExpr' || !mentions(statement, node, node)) continue;
    const refused = checkCte(statement, policy, node);
    if (refused !== undefined) return refused;
  }
  return undefined;
}

function checkCte(statement: Statement, policy: SqlPolicy, cte: CommonTableExpr): Refusal | undefined {
  const name = cte.tblName.text;
  const parts = [cte.select.select, ...(cte.select.compounds ?? []).map(({ select }) => select)];
  const seeds = parts.filter((part) => !mentions(statement, part, cte));
  const terms = parts.filter((part) => part.type === 'SelectFrom').filter((part) => mentions(statement, part, cte));
  const [first] = seeds;
  if (first !== parts[0] || seeds.length + terms.length !== parts.length)
    return refusal('recursion', `The recursive CTE ${name} has to begin with a SELECT that does not read ${name}.`, cte.tblName.span);
  for (const term of terms) {
    const refused = checkTerm(statement, policy, cte, term);
    if (refused !== undefined) return refused;
  }
  const { maxRecursion } = boundsOf(policy);
  const isBounded = hasLimit(cte, maxRecursion) || repeats(cte, terms) || growthBound({ cte, seeds, terms }, policy) <= maxRecursion;
  if (isBounded) return undefined;
  const ways = `add LIMIT 64 to it; or write UNION instead of UNION ALL and select plain columns only; or carry a counter (0 AS depth … depth + 1 … WHERE depth < 64)`;
  return refusal(
    'recursion',
    `Nothing in the recursive CTE ${name} says that it ends within ${maxRecursion} rounds: ${ways}.`,
    cte.tblName.span,
  );
}

/** A recursive term reads the CTE once, as a table of its own FROM, and links it to every other table there. */
function checkTerm(statement: Statement, policy: SqlPolicy, cte: CommonTableExpr, term: SelectFrom): Refusal | undefined {
  const name = cte.tblName.text;
  const direct = [term.from?.select, ...(term.from?.joins ?? []).map(({ table }) => table)].filter(
    (table) => table !== undefined && isReference(statement, table, cte),
  );
  const all = nodesWithin(term).filter((node) => isReference(statement, node, cte));
  if (direct.length !== 1 || all.length !== 1)
    return refusal('recursion', `A recursive term of ${name} has to read ${name} once, in its own FROM.`, (all[0] ?? term).span);
  const groups = term.from === undefined ? 0 : countGroups(term, fromItems(term.from, policy));
  return groups > 1
    ? refusal('recursion', `Link every table of this recursive term to ${name} by a column, or each round multiplies the rows.`, term.span)
    : undefined;
}

/** LIMIT bounds the rows that are taken from the queue, OFFSET those that are taken and dropped. */
function hasLimit({ select }: CommonTableExpr, most: number): boolean {
  const { limit } = select;
  if (limit === undefined) return false;
  const rows = integerOf(limit.expr);
  const skipped = limit.offset === undefined ? 0 : integerOf(limit.offset);
  return rows !== undefined && skipped !== undefined && rows >= 0 && skipped >= 0 && rows + skipped <= most;
}

function repeats({ select }: CommonTableExpr, terms: readonly SelectFrom[]): boolean {
  const isUnion = (select.compounds ?? []).every(({ operator }) => operator === 'Union');
  // A table function of a recursive column makes values that no table holds.
  const isFinite = (term: SelectFrom): boolean =>
    term.columns.every(isPlainColumn) && !nodesWithin(term).some(({ type }) => type === 'TableCallSelectTable');
  return isUnion && terms.every(isFinite);
}

function isPlainColumn(column: ResultColumn): boolean {
  if (column.type !== 'ExprResultColumn') return true;
  const expression = unwrap(column.expr);
  return (
    expression?.type === 'Id' ||
    expression?.type === 'QualifiedExpr' ||
    expression?.type === 'StringLiteral' ||
    expression?.type === 'NullLiteral' ||
    expression?.type === 'NumericLiteral'
  );
}

function mentions(statement: Statement, root: CommonTableExpr | OneSelect, cte: CommonTableExpr): boolean {
  return nodesWithin(root).some((node) => isReference(statement, node, cte));
}

function isReference(statement: Statement, node: AstNode, cte: CommonTableExpr): boolean {
  const name = node.type === 'TableSelectTable' ? node.tblName : node.type === 'InTableExpr' ? node.rhs : undefined;
  if (name === undefined || name.dbName !== undefined || foldName(name.objName.text) !== foldName(cte.tblName.text)) return false;
  return visibleCte(statement, node, name.objName.text) === cte;
}
