/**
 * Layer 2: which parameters a statement may have. Rules get a fixed set, so that a rule file cannot wait for a value
 * that nobody gives it.
 */
import type { Refusal, SqlValue } from '@sentineld/model/rule';
import { refusal, type SqlPolicy } from './policy.ts';
import type { Statement } from './statement.ts';

export function checkParameters({ nodes }: Statement, { parameters }: SqlPolicy): Refusal | undefined {
  for (const node of nodes) {
    if (node.type !== 'VariableExpr') continue;
    // #1 is a register of SQLite's own; $a::b(c) is Tcl's.
    const isPlain = /^(\?\d{0,3}|[:@$][A-Za-z_][A-Za-z0-9_]*)$/.test(node.name);
    if (isPlain && (parameters === 'any' || parameters.includes(node.name))) continue;
    const hint = parameters === 'any' || parameters.length === 0 ? 'Write the value itself.' : `There are ${parameters.join(', ')}.`;
    return refusal('parameter', `There is no parameter ${node.name} here. ${hint}`, node.span);
  }
  return undefined;
}

/** The parameters of a statement, each once, in the order in which they first stand there. A plain ? comes once each. */
export function parameterNames({ nodes }: Statement): readonly string[] {
  const names: string[] = [];
  for (const node of nodes) {
    if (node.type === 'VariableExpr' && (node.name === '?' || !names.includes(node.name))) names.push(node.name);
  }
  return names;
}

/**
 * Values in the form in which SQLite takes them: by position where the statement has ?, by prefixed name otherwise.
 * The name of the first parameter without a value where there is one: SQLite would take it for NULL.
 */
export function bindingsOf(
  names: readonly string[],
  values: Readonly<Record<string, SqlValue>> | readonly SqlValue[],
): Readonly<Record<string, SqlValue>> | readonly SqlValue[] | string {
  const [first] = names;
  if (first === undefined) return [];
  if (first.startsWith('?')) return isList(values) && values.length > 0 ? values : first;
  const missing = names.find((name) => isList(values) || !Object.hasOwn(values, name.slice(1)));
  if (missing !== undefined || isList(values)) return missing ?? first;
  return Object.fromEntries(names.map((name) => [name, values[name.slice(1)] ?? null]));
}

function isList(values: Readonly<Record<string, SqlValue>> | readonly SqlValue[]): values is readonly SqlValue[] {
  return Array.isArray(values);
}
