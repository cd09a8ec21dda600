/**
 * SQLite says which name it did not find, not where it stands: this finds the place in the tree and the word meant.
 */
import type { Refusal } from '@sentineld/model/rule';
import { nearestWord } from '@sentineld/runtime/config/nearest-word';
import type { AstNode } from 'sqlite3-parser';
import { foldName, refusal, type SqlPolicy } from './policy.ts';
import type { Statement } from './statement.ts';

/** Messages of SQLite's resolver (resolve.c, select.c) that end in a name. */
const NAME_AT_FAULT =
  /^(?<what>no such column|ambiguous column name|no such function|no such table|wrong number of arguments to function|misuse of aggregate(?: function)?|misuse of window function|no such window|circular reference): "?(?<name>[^\s"()]+)/;
const CALL_AT_FAULT =
  /(?<what>wrong number of arguments to function|misuse of aggregate|misuse of aggregate function|misuse of window function) (?<name>[^\s()]+)\(\)/;

/** A refusal for what SQLite said when it prepared the statement. */
export function refusalOfSqlite(message: string, statement: Statement, policy: SqlPolicy): Refusal {
  const groups = (NAME_AT_FAULT.exec(message) ?? CALL_AT_FAULT.exec(message))?.groups;
  const name = groups?.['name'];
  if (name === undefined) return refusal('sqlite', `SQLite refuses this: ${message}.`, null);
  const node = statement.nodes.find((candidate) => isNamed(candidate, name));
  if (groups?.['what'] === 'no such column')
    return refusal(
      'column',
      `There is no column ${name}. ${columnHint(name, statement, policy)}${message.includes('string literal') ? ' Text goes between single quotes.' : ''}`,
      node?.span ?? null,
    );
  return refusal(
    groups?.['what'] === 'ambiguous column name' ? 'column' : 'sqlite',
    `SQLite refuses this: ${message}.`,
    node?.span ?? null,
  );
}

/** `name` as SQLite writes it: column, table.column or schema.table.column. */
function isNamed(node: AstNode, name: string): boolean {
  const wanted = foldName(name);
  if (node.type === 'Id') return foldName(node.name) === wanted;
  if (node.type === 'FunctionCallExpr' || node.type === 'FunctionCallStarExpr') return foldName(node.name.name) === wanted;
  if (node.type === 'QualifiedName') return foldName(node.objName.text) === wanted;
  if (node.type !== 'QualifiedExpr') return false;
  const parts = [node.schema?.text, node.table.text, node.column.text].filter((part) => part !== undefined);
  return foldName(parts.join('.')) === wanted;
}

function columnHint(name: string, { nodes }: Statement, policy: SqlPolicy): string {
  const used = new Set(nodes.flatMap((node) => (node.type === 'QualifiedName' ? [foldName(node.objName.text)] : [])));
  const tables = policy.schema.tables.filter((table) => used.has(foldName(table.name)));
  const columns = tables.flatMap((table) => table.columns.map((column) => column.name));
  const nearest = nearestWord(name.split('.').at(-1) ?? name, columns);
  if (nearest !== null) return `Did you mean ${nearest}?`;
  return tables.length === 0
    ? 'The statement reads no table that has columns.'
    : `${tables.map((table) => table.name).join(' and ')} ${tables.length === 1 ? 'has' : 'have'}: ${[...new Set(columns)].join(', ')}.`;
}
