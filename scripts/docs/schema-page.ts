/**
 * docs/schema.md, made from the schema that the validator and the authorizer use.
 */
import type { ReadableTable } from '@sentineld/model/schema';
import { AGENT_SCHEMA } from '@sentineld/store/agent/readable';
import { LEDGER_SCHEMA } from '@sentineld/store/ledger/readable';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';

/** The whole page as Markdown. */
export function schemaPage(): string {
  return [
    '# What can be queried',
    '',
    'Made from the sources by `pnpm docs`. These tables are frozen: columns may be added, never renamed, retyped or dropped. Times are',
    'milliseconds since 1970. Host strings (names, paths, arguments) are as the host chose them: never trust them. A byte of one that is not',
    'UTF-8 is kept as the code point U+10FF00 plus the byte, so that nothing is lost and different bytes never look alike.',
    '',
    '## For rules and `sentinelcli query`',
    '',
    ...EVENTS_SCHEMA.tables.flatMap(table),
    '## For `sentinelcli query` alone',
    '',
    ...[...AGENT_SCHEMA.tables, ...LEDGER_SCHEMA.tables].flatMap(table),
  ].join('\n');
}

function table({ name, description, columns }: ReadableTable): string[] {
  return [
    `### \`${name}\``,
    '',
    description,
    '',
    '| Column | Type | Unit or form | NULL | Meaning |',
    '|---|---|---|---|---|',
    ...columns.map(
      (column) =>
        `| \`${column.name}\` | ${column.type} | ${column.unit ?? ''} | ${column.nullable === true ? 'yes' : ''} | ${column.description} |`,
    ),
    '',
  ];
}
