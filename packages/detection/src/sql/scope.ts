/**
 * What a rule has to look at in each scan, told from its statement: where nothing is new there is nothing to run it for.
 * Whatever is not seen to be safe is 'everything'.
 */
import type { RuleScope } from '@sentineld/model/rule';
import type { AstNode, Expr, OneSelect, Select, SelectFrom, SelectTable } from 'sqlite3-parser';
import { filtersOf, fromItems, isAggregateCall, joinKindOf, type FromItem } from './joins.ts';
import { unwrap } from './literals.ts';
import { EVENTS_TABLE, foldName, PROCESSES_TABLE, type SqlPolicy } from './policy.ts';
import { nodesWithin, visibleCte, type Statement } from './statement.ts';

const SINCE_SEQ = ':since_seq';
const SEQ = 'seq';

/** Columns of a process that may change while it stays the same; where a condition names one, every process is looked at. */
const CHANGING_COLUMNS: ReadonlySet<string> = new Set([
  'id',
  'scan_id',
  'timestamp_ms',
  'cpu_percent',
  'memory_bytes',
  'status',
  'threads',
  'exe_hash',
  'platform_data',
]);

export function scopeOf(statement: Statement, policy: SqlPolicy): RuleScope {
  if (isEmptyWithoutEvents(statement, statement.select, policy)) return 'new_events';
  if (looksAtOneProcess(statement)) return 'changed_processes';
  return 'everything';
}

/** Whether the result has no row where no event is newer than :since_seq. */
function isEmptyWithoutEvents(statement: Statement, select: Select, policy: SqlPolicy): boolean {
  const parts: readonly OneSelect[] = [select.select, ...(select.compounds ?? []).map((compound) => compound.select)];
  return parts.every((part) => part.type === 'SelectFrom' && hasNoRowWithoutEvents(statement, part, policy));
}

function hasNoRowWithoutEvents(statement: Statement, select: SelectFrom, policy: SqlPolicy): boolean {
  if (select.from === undefined || givesOneRow(select)) return false;
  const items = fromItems(select.from, policy);
  if (filtersOf(select).some((filter) => asksForNewEvents(filter, items))) return true;
  const kind = joinKindOf(select.from);
  if (kind === 'other') return false;
  // Of a LEFT JOIN the first table gives the rows; of others any that is empty leaves none.
  const deciding = kind === 'left' ? items.slice(0, 1) : items;
  return deciding.some(({ table }) => isTableWithoutEvents(statement, table, policy));
}

function isTableWithoutEvents(statement: Statement, table: SelectTable, policy: SqlPolicy): boolean {
  if (table.type === 'SelectSelectTable') return isEmptyWithoutEvents(statement, table.select, policy);
  if (table.type !== 'TableSelectTable') return false;
  const cte = visibleCte(statement, table, table.tblName.objName.text);
  // One that reads itself would be followed without end.
  if (cte === undefined || nodesWithin(cte).some((node) => isTable(node, cte.tblName.text))) return false;
  return isEmptyWithoutEvents(statement, cte.select, policy);
}

/** A count over nothing is a row too. */
function givesOneRow(select: SelectFrom): boolean {
  if (select.groupBy !== undefined) return false;
  const terms: readonly AstNode[] = [...select.columns, ...(select.having === undefined ? [] : [select.having])];
  return terms.flatMap(nodesWithin).some((node) => isAggregateCall(node));
}

/** `e.seq > :since_seq`, or the other way round. */
function asksForNewEvents(filter: Expr, items: readonly FromItem[]): boolean {
  if (filter.type !== 'BinaryExpr') return false;
  const [column, parameter] = filter.op === 'Greater' ? [filter.left, filter.right] : [filter.right, filter.left];
  if (filter.op !== 'Greater' && filter.op !== 'Less') return false;
  const value = unwrap(parameter);
  return value?.type === 'VariableExpr' && value.name === SINCE_SEQ && isSeqOfEvent(unwrap(column), items);
}

function isSeqOfEvent(column: Expr | undefined, items: readonly FromItem[]): boolean {
  if (column?.type === 'QualifiedExpr') {
    const table = foldName(column.table.text);
    return foldName(column.column.text) === SEQ && items.some((item) => item.name === table && isTable(item.table, EVENTS_TABLE));
  }
  // Without a table's name it is that of an event where no other table can have one.
  const others = items.filter((item) => !isTable(item.table, EVENTS_TABLE));
  const isEvents = items.length > others.length && others.every(({ columns }) => columns?.has(SEQ) === false);
  return column?.type === 'Id' && foldName(column.name) === SEQ && isEvents;
}

/** Whether each row of the result comes from one process alone, by what changes only when the process does. */
function looksAtOneProcess({ nodes }: Statement): boolean {
  const tables = nodes.filter((node) => node.type === 'TableSelectTable' || node.type === 'TableCallSelectTable');
  const [table] = tables;
  if (tables.length !== 1 || table === undefined || !isTable(table, PROCESSES_TABLE)) return false;
  return !nodes.some((node) => looksFurther(node)) && !namesWhatChanges(nodes);
}

const FURTHER: ReadonlySet<AstNode['type']> = new Set<AstNode['type']>([
  'CompoundSelect', 'CommonTableExpr', 'SelectValues', 'Limit', 'JoinedSelectTable', 'SubSelectTable', 'WindowDef', 'WindowOver', 'NameOver',
  'InSelectExpr', 'InTableExpr', 'ExistsExpr', 'SubqueryExpr', 'VariableExpr',
  'CurrentDateLiteral', 'CurrentTimeLiteral', 'CurrentTimestampLiteral',
]); // prettier-ignore

/** Functions whose value does not follow from their arguments. */
const UNSTEADY_FUNCTIONS: ReadonlySet<string> = new Set(['date', 'time', 'datetime', 'julianday', 'unixepoch', 'strftime', 'timediff']);

function looksFurther(node: AstNode): boolean {
  if (FURTHER.has(node.type) || isAggregateCall(node)) return true;
  if (node.type === 'FunctionCallExpr') return UNSTEADY_FUNCTIONS.has(foldName(node.name.name));
  return node.type === 'SelectFrom' && (node.groupBy !== undefined || node.having !== undefined || node.from === undefined);
}

/** A column that is only handed on under its own name decides nothing. */
function namesWhatChanges(nodes: readonly AstNode[]): boolean {
  const handedOn = new Set<AstNode>();
  for (const node of nodes) {
    if (node.type !== 'ExprResultColumn') continue;
    const name = columnName(node.expr);
    if (name !== undefined && (node.alias === undefined || foldName(node.alias.name.text) === name)) handedOn.add(node.expr);
  }
  return nodes.some((node) => !handedOn.has(node) && CHANGING_COLUMNS.has(columnName(node) ?? ''));
}

function columnName(node: AstNode): string | undefined {
  if (node.type === 'Id') return foldName(node.name);
  if (node.type === 'NameExpr') return foldName(node.name.text);
  return node.type === 'QualifiedExpr' ? foldName(node.column.text) : undefined;
}

function isTable(node: AstNode, name: string): boolean {
  return node.type === 'TableSelectTable' && foldName(node.tblName.objName.text) === foldName(name);
}
