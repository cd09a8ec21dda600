/**
 * Where exported rows go: text on standard output or into a new file, or a new SQLite file. A sink takes batches and
 * keeps none of them.
 */
import type { SqlValue } from '@sentineld/model/rule';
import { openExportFile } from '@sentineld/store/export-file';
import { VERSION } from '@sentineld/runtime/version';
import type { Batch, ExportTable, TimeRange } from './export-tables.ts';
import { csvRecord } from './output/csv.ts';
import { jsonText } from './output/json.ts';
import type { NewFile } from './output/new-file.ts';

export const EXPORT_FORMATS = ['json', 'jsonl', 'csv', 'sqlite'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export type Sink = {
  readonly begin: (table: ExportTable) => void;
  readonly take: (batch: Batch) => void;
  /** The table that was begun is whole. */
  readonly end: (rows: number) => void;
  /** Every table is. */
  readonly close: () => void;
};

type Write = (text: string) => void;

/** One table as text; the columns are known once it begins. */
export function textSink(format: Exclude<ExportFormat, 'sqlite'>, write: Write): Sink {
  let names: readonly string[] = [];
  let isFirst = true;
  const objectText = (row: readonly SqlValue[]): string => jsonText(Object.fromEntries(names.map((name, at) => [name, row[at] ?? null])));
  /** As jsonArrayText has it, without all of it at once. */
  const elementText = (row: readonly SqlValue[]): string => {
    const before = isFirst ? '[\n' : ',\n';
    isFirst = false;
    return before + objectText(row);
  };
  const rowText = { json: elementText, jsonl: (row: readonly SqlValue[]) => `${objectText(row)}\n`, csv: csvRecord }[format];
  return {
    begin: ({ columns }) => {
      names = columns.map(({ name }) => name);
      if (format === 'csv') write(csvRecord(names));
    },
    take: (batch) => write(batch.map(rowText).join('')),
    end: () => {
      if (format === 'json') write(isFirst ? '[]\n' : '\n]\n');
    },
    close: () => undefined,
  };
}

/** Any number of tables in a new SQLite file, and the table export_info that says what they are. */
export function sqliteSink(file: NewFile, range: TimeRange, host: string | null): Sink {
  const database = openExportFile(file.temporaryPath, file.name);
  let table = '';
  return {
    begin: (begun) => {
      table = begun.name;
      database.createTable(begun);
    },
    take: database.insert,
    end: (rows) => database.describe({ table, ...range, host, version: VERSION, rows }),
    close: database.close,
  };
}
