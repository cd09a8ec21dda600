/**
 * Values for the parameters of a reader's statement.
 */
import type { StatementSync } from 'node:sqlite';
import type { SqlValue } from '@sentineld/model/rule';

/** By the names of named parameters, with their prefix (`:now`), or in the order of the places. */
export type QueryParameters = Readonly<Record<string, SqlValue>> | readonly SqlValue[];

/** The rows of a statement, read as they are asked for. */
export function iterate(statement: StatementSync, parameters: QueryParameters): Iterable<unknown> {
  if (isPositional(parameters)) return statement.iterate(...parameters.map(toBound));
  return statement.iterate(Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, toBound(value)])));
}

/** node:sqlite binds every number as REAL; an integer is given as one, so that it divides and joins texts as one. */
function toBound(value: SqlValue): SqlValue | bigint {
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
}

function isPositional(parameters: QueryParameters): parameters is readonly SqlValue[] {
  return Array.isArray(parameters);
}
