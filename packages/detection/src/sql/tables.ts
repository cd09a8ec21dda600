/**
 * Layer 2: what a statement may read. Tables by the readable schema, CTEs by scope, table functions by name. A CTE
 * may not be called like anything readable or hidden: SQLite's authorizer would name it as the reason of an access.
 */
import type { Refusal } from '@sentineld/model/rule';
import { nearestWord } from '@sentineld/runtime/config/nearest-word';
import type { AstNode, QualifiedName } from 'sqlite3-parser';
import { foldName, refusal, TABLE_FUNCTIONS, type SqlPolicy } from './policy.ts';
import { visibleCte, type Statement } from './statement.ts';

const ROW_ID_NAMES = ['rowid', 'oid', '_rowid_'];

export function checkTables(statement: Statement, policy: SqlPolicy): Refusal | undefined {
  return (
    checkCteNames(statement, policy) ??
    firstRefusal(statement, (node) => checkReference(statement, policy, node)) ??
    checkRowIds(statement, policy)
  );
}

/** Names of the readable tables that a statement reads, each once, as the schema writes them. */
export function tablesRead(statement: Statement, policy: SqlPolicy): readonly string[] {
  const names = new Set(
    statement.nodes.flatMap((node) => {
      const name = node.type === 'TableSelectTable' ? node.tblName : node.type === 'InTableExpr' ? node.rhs : undefined;
      return name === undefined ? [] : [foldName(name.objName.text)];
    }),
  );
  // No CTE may be called like a table, so a name says what it means wherever it stands.
  return policy.schema.tables.map(({ name }) => name).filter((name) => names.has(foldName(name)));
}

function firstRefusal({ nodes }: Statement, check: (node: AstNode) => Refusal | undefined): Refusal | undefined {
  for (const node of nodes) {
    const refused = check(node);
    if (refused !== undefined) return refused;
  }
  return undefined;
}

function checkReference(statement: Statement, policy: SqlPolicy, node: AstNode): Refusal | undefined {
  if (node.type === 'TableSelectTable') return checkTable(statement, policy, node, node.tblName);
  if (node.type === 'InTableExpr') return checkTable(statement, policy, node, node.rhs);
  if (node.type === 'TableCallSelectTable') return checkTableFunction(node.tblName);
  if (node.type === 'QualifiedExpr') return checkSchemaName(node.schema);
  return undefined;
}

function checkTable(statement: Statement, policy: SqlPolicy, node: AstNode, name: QualifiedName): Refusal | undefined {
  const wrongSchema = checkSchemaName(name.dbName);
  if (wrongSchema !== undefined) return wrongSchema;
  const table = foldName(name.objName.text);
  const tables = policy.schema.tables.map((known) => known.name);
  if (tables.some((known) => foldName(known) === table)) return undefined;
  if (name.dbName === undefined && visibleCte(statement, node, table) !== undefined) return undefined;
  const nearest = nearestWord(name.objName.text, tables);
  const hint = nearest === null ? `The tables are ${tables.join(', ')}.` : `Did you mean ${nearest}?`;
  const what = isHidden(policy, table) ? `${name.objName.text} is internal to the store` : `There is no table ${name.objName.text}`;
  return refusal('table', `${what}. ${hint}`, name.objName.span);
}

function checkTableFunction(name: QualifiedName): Refusal | undefined {
  const isOffered = name.dbName === undefined && TABLE_FUNCTIONS.includes(foldName(name.objName.text));
  return isOffered
    ? undefined
    : refusal('table', `There is no table function ${name.objName.text}. There are ${TABLE_FUNCTIONS.join(' and ')}.`, name.objName.span);
}

function checkSchemaName(schema: QualifiedName['dbName']): Refusal | undefined {
  if (schema === undefined || foldName(schema.text) === 'main') return undefined;
  return refusal('table', `There is no schema ${schema.text} to name. Write the table's name alone.`, schema.span);
}

function checkCteNames({ nodes }: Statement, policy: SqlPolicy): Refusal | undefined {
  const taken = new Set([...policy.schema.tables.map(({ name }) => name), ...policy.schema.hiddenTables, ...TABLE_FUNCTIONS].map(foldName));
  const seen = new Set<string>();
  for (const node of nodes) {
    if (node.type !== 'CommonTableExpr') continue;
    const name = foldName(node.tblName.text);
    if (taken.has(name) || /^(sqlite|pragma)_/.test(name)) {
      return refusal(
        'table',
        `A CTE may not be called ${node.tblName.text}, which is the name of a table. Call it something else.`,
        node.tblName.span,
      );
    }
    if (seen.has(name))
      return refusal('table', `Two CTEs are called ${node.tblName.text}. Give each a name of its own.`, node.tblName.span);
    seen.add(name);
  }
  return undefined;
}

function checkRowIds(statement: Statement, policy: SqlPolicy): Refusal | undefined {
  const columns = new Set(policy.schema.tables.flatMap((table) => table.columns.map(({ name }) => foldName(name))));
  return firstRefusal(statement, (node) => {
    const name =
      node.type === 'Id'
        ? node.name
        : node.type === 'QualifiedExpr'
          ? node.column.text
          : node.type === 'NameExpr'
            ? node.name.text
            : undefined;
    if (name === undefined || !ROW_ID_NAMES.includes(foldName(name)) || columns.has(foldName(name))) return undefined;
    return refusal('column', `${name} is no column of the schema. Use the id of the table.`, node.span);
  });
}

function isHidden(policy: SqlPolicy, table: string): boolean {
  return policy.schema.hiddenTables.some((hidden) => foldName(hidden) === table);
}
