/**
 * Whether queries can read what was promised, through the reader that the executor and the command line use, and
 * whether the schema that is documented says the same of it.
 */
import type { ReadableSchema } from '@sentineld/model/schema';
import { messageOf } from '@sentineld/model/error';
import { AGENT_SCHEMA, AGENT_VIEWS } from '@sentineld/store/agent/readable';
import { LEDGER_SCHEMA, LEDGER_VIEWS } from '@sentineld/store/ledger/readable';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { openReader, type Reader } from '@sentineld/store/reader';
import type { Facet } from './facets.ts';
import type { PromisedColumn, PromisedTable } from './promised-tables.ts';
import type { DatabasePaths } from './written-databases.ts';

const SCHEMAS: readonly ReadableSchema[] = [EVENTS_SCHEMA, AGENT_SCHEMA, LEDGER_SCHEMA];

export const READABLE_SCHEMA: ReadableSchema = {
  tables: SCHEMAS.flatMap(({ tables }) => tables),
  hiddenTables: SCHEMAS.flatMap(({ hiddenTables }) => hiddenTables),
};

export function openAll({ events, agent, ledger }: DatabasePaths): Reader {
  return openReader({
    databases: [
      { schema: 'main', path: events },
      { schema: 'agent', path: agent },
      { schema: 'ledger', path: ledger },
    ],
    temporaryViews: [...AGENT_VIEWS, ...LEDGER_VIEWS],
    schema: READABLE_SCHEMA,
    // Those that the product's own views call.
    functions: new Set(['coalesce', 'json', 'json_object', 'max', 'replace']),
  });
}

export function* checkReadable({ name, columns }: PromisedTable, reader: Reader, schema: ReadableSchema): Generator<Facet> {
  for (const column of columns)
    yield {
      item: `${name}.${column.name}: readable`,
      differs: checkDescribed(name, column, schema) ?? checkRead(name, column.name, reader),
    };
}

function checkDescribed(table: string, { name, type, required }: PromisedColumn, schema: ReadableSchema): string | undefined {
  const described = schema.tables.find((candidate) => candidate.name === table)?.columns.find((column) => column.name === name);
  if (described === undefined) return 'it is not among what may be queried';
  if (described.type !== (type === 'BOOLEAN' ? 'INTEGER' : type)) return `it is described as ${described.type}, not ${type}`;
  return required === true && described.nullable === true ? 'it is described as NULL in places' : undefined;
}

function checkRead(table: string, column: string, reader: Reader): string | undefined {
  try {
    const { rows } = reader.prepare(`SELECT ${column} FROM ${table}`).rows([], { maxRows: 1, maxBytes: 1_000_000 });
    return rows.length === 0 ? 'a query finds no row' : undefined;
  } catch (thrown) {
    return messageOf(thrown);
  }
}
