/**
 * Layer 3: a second parser (node-sql-parser's SQLite build) reads the statement too. Where it can, and names a table,
 * a column or a function that the first one did not see, the two disagree about where something begins or ends, and
 * nobody is asked which of them is right. Where it cannot read the statement, it has no say: it knows less of SQLite.
 */
import type { Refusal } from '@sentineld/model/rule';
import sqliteBuild from 'node-sql-parser/build/sqlite.js';
import { parse } from 'sqlite3-parser';
import { foldName, refusal } from './policy.ts';
import { nodesWithin, type Statement } from './statement.ts';

/** What a reading of the statement speaks of; all folded. */
type Named = { readonly tables: ReadonlySet<string>; readonly columns: ReadonlySet<string>; readonly functions: ReadonlySet<string> };

const secondParser = new sqliteBuild.Parser();

export function checkSecondOpinion(statement: Statement): Refusal | undefined {
  const second = readAgain(statement.sql);
  if (second === undefined) return undefined;
  if (typeof second === 'string') return refusal('second_opinion', `A second parser reads this as ${second}. Write it more plainly.`, null);
  const first = namedByFirst(statement);
  const unseen = [
    ...[...second.tables].filter((name) => !first.tables.has(name)).map((name) => `a table ${name}`),
    ...[...second.functions].filter((name) => !first.functions.has(name) && !isKeyword(name)).map((name) => `a function ${name}`),
    ...[...second.columns].filter((name) => !first.columns.has(name)).map((name) => `a column ${name}`),
  ];
  const [what] = unseen;
  return what === undefined
    ? undefined
    : refusal(
        'second_opinion',
        `A second parser sees ${what} here, SQLite's own grammar does not. Write comments, quotes and escapes more plainly.`,
        null,
      );
}

function namedByFirst({ nodes }: Statement): Named {
  const tables = new Set<string>();
  const columns = new Set<string>();
  const functions = new Set<string>();
  for (const node of nodes) {
    if (node.type === 'QualifiedName') tables.add(foldName(node.objName.text));
    if (node.type === 'FunctionCallExpr' || node.type === 'FunctionCallStarExpr') functions.add(foldName(node.name.name));
    if (node.type === 'TableCallSelectTable') functions.add(foldName(node.tblName.objName.text));
    if (node.type === 'CurrentDateLiteral') functions.add('current_date');
    if (node.type === 'CurrentTimeLiteral') functions.add('current_time');
    if (node.type === 'CurrentTimestampLiteral') functions.add('current_timestamp');
    if (node.type === 'Id') columns.add(foldName(node.name));
    if (node.type === 'Name') columns.add(foldName(node.text));
    if (node.type === 'KeywordLiteral') columns.add(foldName(node.value));
    if (node.type === 'VariableExpr') columns.add(foldName(node.name)).add(foldName(node.name.slice(1)));
  }
  return { tables, columns, functions };
}

/** Undefined where it cannot read the statement; a text where it reads something else than one SELECT. */
function readAgain(sql: string): Named | string | undefined {
  let parsed: ReturnType<typeof secondParser.parse>;
  try {
    parsed = secondParser.parse(sql, { database: 'sqlite' });
  } catch {
    return undefined;
  }
  const statements: readonly unknown[] = Array.isArray(parsed.ast) ? parsed.ast : [parsed.ast];
  if (statements.length !== 1) return `${statements.length} statements`;
  const tables = new Set<string>();
  for (const entry of parsed.tableList) {
    // 'select::null::processes': what is done, schema, table.
    const [action = '', , ...table] = entry.split('::');
    if (action !== 'select') return `a statement that does ${action}`;
    tables.add(foldName(table.join('::')));
  }
  const { functions, texts } = namesInTree(statements);
  // It lists texts of the result as columns, and leaves quotes doubled that stand in a quoted name.
  const listed = parsed.columnList
    .map((entry) => entry.split('::').slice(2).join('::'))
    .filter((name) => name !== '(.*)' && !texts.has(name));
  const columns = new Set(listed.map((name) => foldName(name.replace(/(["`])\1/g, '$1'))));
  return { tables, columns, functions };
}

/** Names of the calls, and the texts, in the second parser's tree, wherever they stand in it. */
function namesInTree(root: unknown): { readonly functions: ReadonlySet<string>; readonly texts: ReadonlySet<string> } {
  const functions = new Set<string>();
  const texts = new Set<string>();
  const waiting: unknown[] = [root];
  while (waiting.length > 0) {
    const node = waiting.pop();
    if (typeof node !== 'object' || node === null) continue;
    const values: readonly unknown[] = Object.values(node);
    waiting.push(...values);
    if ('type' in node && 'value' in node && node.type === 'single_quote_string') texts.add(String(node.value));
    if ('type' in node && 'name' in node && (node.type === 'function' || node.type === 'aggr_func' || node.type === 'window_func'))
      functions.add(callName(node.name));
  }
  return { functions, texts };
}

/** 'COUNT', or { schema?, name: [{ value }] }. */
function callName(name: unknown): string {
  if (typeof name === 'string') return foldName(name);
  const parts: unknown = typeof name === 'object' && name !== null && 'name' in name ? name.name : undefined;
  const values = Array.isArray(parts)
    ? parts.map((part: unknown) => (typeof part === 'object' && part !== null && 'value' in part ? String(part.value) : '?'))
    : ['?'];
  return foldName(values.join('.'));
}

/** The second parser takes NOT (…) and EXISTS (…) for calls. In SQLite these words cannot name a function. */
function isKeyword(name: string): boolean {
  if (!/^[a-z]+$/.test(name)) return false;
  const call = parse(`SELECT ${name}(1)`);
  return call.status === 'error' || !nodesWithin(call.root).some(({ type }) => type === 'FunctionCallExpr');
}
