/**
 * Holds what SQLite was asked for against what the validator listed: an access that follows neither from a table, a
 * function or an operator that the accepted statement names, nor from a view among those tables, is hidden.
 */
import { constants } from 'node:sqlite';
import { TABLE_FUNCTIONS } from '@sentineld/detection/sql/policy';
import type { SqlVerdict } from '@sentineld/detection/sql/validate';
import type { Access, FuzzDatabase } from './fuzz-database.ts';

type Accepted = Extract<SqlVerdict, { ok: true }>;

/** What the text of an accepted statement names, folded. */
type Listed = {
  readonly tables: ReadonlySet<string>;
  readonly tableFunctions: ReadonlySet<string>;
  readonly functions: ReadonlySet<string>;
  readonly ctes: ReadonlySet<string>;
};

/** The accesses of an accepted statement that nothing in it lists. */
export function hiddenAccesses(verdict: Accepted, accesses: readonly Access[], database: FuzzDatabase): readonly Access[] {
  const listed = listOf(verdict);
  const behind = new Set([...listed.tables].flatMap((table) => database.behind.get(table) ?? []).flatMap(identitiesOf));
  return accesses.filter((access) => !isExpected(access, listed, database) && !isBehindView(access, behind, listed));
}

/** Whether all of it is open to statements, whoever names it: what was refused all the same was refused for its form. */
export function areHarmless(accesses: readonly Access[], database: FuzzDatabase, functions: ReadonlySet<string>): boolean {
  const tables = new Set(database.behind.keys());
  const all: Listed = { tables, tableFunctions: new Set(TABLE_FUNCTIONS), functions, ctes: new Set() };
  const behind = new Set([...database.behind.values()].flat().flatMap(identitiesOf));
  return accesses.every((access) => isExpected(access, all, database) || isBehindView(access, behind, all));
}

/** An access for people: 'read secrets.v, through v_deep'. */
export function describeAccess({ action, first, second, database, accessor }: Access): string {
  const name = Object.entries(constants).find(([key, value]) => value === action && ACTION_NAME.test(key))?.[0] ?? `action ${action}`;
  const what = [first, second].filter((part) => part !== '').join('.');
  const through = accessor === '' ? '' : `, through ${accessor}`;
  return `${name.slice('SQLITE_'.length).toLowerCase()} ${database === '' ? '' : `${database}:`}${what}${through}`;
}

const ACTION_NAME =
  /^SQLITE_(CREATE|DROP|DELETE|INSERT|UPDATE|READ|SELECT|PRAGMA|TRANSACTION|SAVEPOINT|ATTACH|DETACH|ALTER|REINDEX|ANALYZE|FUNCTION|RECURSIVE)/;

function listOf({ statement: { nodes }, tables }: Accepted): Listed {
  const tableFunctions = new Set<string>();
  const functions = new Set<string>();
  const ctes = new Set<string>();
  for (const node of nodes) {
    if (node.type === 'TableCallSelectTable') tableFunctions.add(fold(node.tblName.objName.text));
    if (node.type === 'FunctionCallExpr' || node.type === 'FunctionCallStarExpr') functions.add(fold(node.name.name));
    if (node.type === 'LikeExpr') functions.add(fold(node.op));
    if (node.type === 'BinaryExpr' && node.op === 'ArrowRight') functions.add('->');
    if (node.type === 'BinaryExpr' && node.op === 'ArrowRightShift') functions.add('->>');
    if (node.type === 'CurrentDateLiteral') functions.add('current_date');
    if (node.type === 'CurrentTimeLiteral') functions.add('current_time');
    if (node.type === 'CurrentTimestampLiteral') functions.add('current_timestamp');
    // The column that both sides of a FULL JOIN have in common.
    if (node.type === 'JoinedSelectTable') functions.add('coalesce');
    if (node.type === 'CommonTableExpr') ctes.add(fold(node.tblName.text));
  }
  return { tables: new Set(tables.map(fold)), tableFunctions, functions, ctes };
}

function isExpected({ action, first, second, accessor }: Access, listed: Listed, database: FuzzDatabase): boolean {
  if (action === constants.SQLITE_SELECT || action === constants.SQLITE_RECURSIVE) return true;
  if (action === constants.SQLITE_FUNCTION) return listed.functions.has(fold(second));
  if (action !== constants.SQLITE_READ) return false;
  const table = fold(first);
  if (listed.tableFunctions.has(table)) return true;
  // A subquery has no name; a CTE of which no column is read is asked about by its own.
  if (second === '' && (table === '' || listed.ctes.has(table))) return true;
  const columns = database.schema.tables.find(({ name }) => fold(name) === table)?.columns ?? [];
  // What a view reads is judged by what lies behind that view.
  return (
    listed.tables.has(table) &&
    !isOtherView(accessor, table, database) &&
    (second === '' || columns.some(({ name }) => fold(name) === fold(second)))
  );
}

function isOtherView(accessor: string, table: string, database: FuzzDatabase): boolean {
  return fold(accessor) !== table && database.schema.hiddenTables.includes(fold(accessor));
}

/** A view reads what it always reads, in its own name; without a name it would be the statement itself. */
function isBehindView(access: Access, behind: ReadonlySet<string>, { ctes }: Listed): boolean {
  if (access.action === constants.SQLITE_FUNCTION) return behind.has(identityOf(access));
  // That no column of a table is read, SQLite finds after it has left the view.
  if (access.second === '') return behind.has(tableOf(access));
  return access.accessor !== '' && !ctes.has(fold(access.accessor)) && behind.has(identityOf(access));
}

function identitiesOf(access: Access): readonly string[] {
  return access.action === constants.SQLITE_READ ? [identityOf(access), tableOf(access)] : [identityOf(access)];
}

function tableOf({ first, database }: Access): string {
  return JSON.stringify([fold(first), database]);
}

function identityOf({ action, first, second, database, accessor }: Access): string {
  return JSON.stringify([action, fold(first), fold(second), database, fold(accessor)]);
}

function fold(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
