/**
 * `sentinelcli export`: whole tables, or what they hold of a time, as text or as a SQLite file, however many rows that
 * are.
 */
import { SentinelError } from '@sentineld/model/error';
import { resolveTime } from '../as-of.ts';
import { MOMENT_FORMS } from '../at-time.ts';
import { defineCommand, type Command, type CommandContext } from '../command.ts';
import { openExportSource, runExport, tablesOf, type Exported, type ExportSource } from '../export-run.ts';
import { EXPORT_FORMATS, sqliteSink, textSink, type ExportFormat, type Sink } from '../export-sinks.ts';
import { EXPORT_TABLES, type ExportTableName, type TimeRange } from '../export-tables.ts';
import { choice, choices, flag, text } from '../option.ts';
import { jsonText } from '../output/json.ts';
import { startNewFile, type NewFile } from '../output/new-file.ts';
import { roughSize } from '../output/times.ts';
import { displayHostText } from '@sentineld/model/host-text';
import { recordAudit, tellUnrecorded } from '../record-audit.ts';

type Asked = {
  readonly format: ExportFormat;
  readonly names: readonly ExportTableName[];
  /** True where the tables were named, not taken because none was. */
  readonly areNamed: boolean;
  readonly output: string | null;
  readonly force: boolean;
  readonly json: boolean;
};

export const exportCommand: Command = defineCommand({
  name: 'export',
  summary: 'Write whole tables, or a part by time, as JSON, CSV or a SQLite file',
  description:
    'Rows go to standard output, or into a new file that only its owner may read and that appears when it is complete. As text one table is exported, processes unless another is named; into SQLite any number, all unless some are named. Memory does not grow with the rows. The ledger records that it was done.',
  options: {
    format: choice(EXPORT_FORMATS, 'The form of the rows; has to be given'),
    table: choices('NAME', EXPORT_TABLES, `One of ${EXPORT_TABLES.join(', ')}; with sqlite it may be given again`),
    from: text('TIME', `Rows from this time on: ${MOMENT_FORMS}`),
    to: text('TIME', 'Rows before this time; of a scan, with it'),
    output: text('FILE', 'A new file; sqlite needs one'),
    force: flag('Replace the file where there is one'),
    json: flag('Say as JSON what was written; needs --output'),
  },
  examples: [
    { line: 'sentinelcli export --format csv --table processes > processes.csv', what: 'what runs now, for a spreadsheet' },
    {
      line: "sentinelcli export --format jsonl --table process_events --from '2 days ago' --output events.jsonl",
      what: 'two days of events, a JSON object a line',
    },
    { line: 'sentinelcli export --format sqlite --output host.db', what: 'everything, to work with elsewhere' },
  ],
  run: async (context, _words, options) => {
    const asked = readAsked(options);
    const range = readRange(context, options.from, options.to);
    checkRange(asked, range);
    const source = openExportSource(context.paths());
    try {
      return await exportFrom(context, source, asked, range);
    } finally {
      source.close();
    }
  },
});

function readAsked(options: {
  readonly format: ExportFormat | null;
  readonly table: readonly ExportTableName[];
  readonly output: string | null;
  readonly force: boolean;
  readonly json: boolean;
}): Asked {
  const { format, table, output, force, json } = options;
  if (format === null)
    throw usage('export needs --format', `it is one of ${EXPORT_FORMATS.join(', ')}`, 'write for instance --format jsonl');
  if (format === 'sqlite' && output === null) throw usage('--format sqlite needs --output', 'a database is a file', 'write --output=FILE');
  if (format !== 'sqlite' && table.length > 1)
    throw usage(
      `--table ${table[1] ?? ''} is one table too many`,
      `${format} holds one table`,
      'export one after the other, or use --format sqlite',
    );
  if (output === null && force)
    throw usage('--force needs --output', 'there is no file to be replaced', 'write --output=FILE, or leave --force out');
  if (output === null && json)
    throw usage(
      '--json needs --output',
      'it tells what was written, and the rows are on standard output',
      'for the rows as JSON: --format json',
    );
  const names = table.length > 0 ? table : format === 'sqlite' ? EXPORT_TABLES : (['processes'] as const);
  return { format, names, areNamed: table.length > 0, output, force, json };
}

function readRange(context: CommandContext, from: string | null, to: string | null): TimeRange {
  const fromMs = from === null ? null : resolveTime(context, 'from', from);
  // Half open, so that two exports that meet share no row; a scan that is named as the end belongs to it.
  const toMs = to === null ? null : resolveTime(context, 'to', to, 1);
  if (fromMs !== null && toMs !== null && fromMs >= toMs)
    throw usage(
      `--from ${from ?? ''} --to ${to ?? ''}: not taken`,
      'the end is not after the beginning',
      'give them the other way round, or leave one out',
    );
  return { fromMs, toMs };
}

function checkRange({ format, names }: Asked, { fromMs, toMs }: TimeRange): void {
  if (format === 'sqlite' || names[0] !== 'processes' || (fromMs === null && toMs === null)) return;
  throw usage(
    `${fromMs === null ? '--to' : '--from'} does not go with the table processes`,
    'it holds the newest scan alone',
    'of a time: --table process_snapshots; as it was at a time: sentinelcli query --at TIME',
  );
}

async function exportFrom(context: CommandContext, source: ExportSource, asked: Asked, range: TimeRange): Promise<number> {
  const { tables, leftOut } = tablesOf(source, asked.names, asked.areNamed);
  const file = asked.output === null ? null : startNewFile(asked.output, { force: asked.force });
  const startedMs = performance.now();
  let exported: Exported | null = null;
  try {
    const sink = sinkOf(context, source, asked, range, file);
    try {
      exported = await runExport({ tables, range, sink, terminal: context.terminal });
    } finally {
      sink.close();
    }
    const bytes = exported.endedBy === null ? (file?.complete() ?? null) : null;
    tellDone(context, asked, range, exported, bytes);
  } finally {
    file?.discard();
    const ms = Math.round(performance.now() - startedMs);
    tellUnrecorded(context, await recordExport(context, asked, range, exported, ms));
  }
  for (const reason of leftOut) context.terminal.err(context.terminal.errStyles.yellow(`left out ${displayHostText(reason)}`) + '\n');
  return exported.endedBy ?? 0;
}

function sinkOf({ terminal }: CommandContext, source: ExportSource, { format }: Asked, range: TimeRange, file: NewFile | null): Sink {
  if (format !== 'sqlite') return textSink(format, file?.write ?? terminal.out);
  if (file === null) throw new SentinelError('internal.bug', { message: 'a database is exported into no file' });
  return sqliteSink(file, range, source.host());
}

/** What was written, where it went into a file; that it was ended, where it was. */
function tellDone({ terminal }: CommandContext, asked: Asked, { fromMs, toMs }: TimeRange, exported: Exported, bytes: number | null): void {
  const { output, format, json } = asked;
  const rows = rowsOf(exported);
  if (exported.endedBy !== null) return terminal.err(`ended after ${rows} rows${output === null ? '' : '; no file was left'}\n`);
  if (output === null || bytes === null) return undefined;
  if (json) return terminal.out(`${jsonText({ output, format, tables: exported.tables, rows, bytes, from_ms: fromMs, to_ms: toMs })}\n`);
  const parts = exported.tables.map((table) => `${table.rows} of ${table.table}`);
  return terminal.out(`${displayHostText(output)}: ${rows} rows (${parts.join(', ')}), ${roughSize(bytes)}\n`);
}

async function recordExport(
  context: CommandContext,
  asked: Asked,
  range: TimeRange,
  exported: Exported | null,
  ms: number,
): Promise<string | null> {
  const outcome = exported === null ? 'failed' : exported.endedBy === null ? 'ok' : 'interrupted';
  return recordAudit(context, {
    action: 'query_execute',
    data: {
      export: asked.names,
      format: asked.format,
      from_ms: range.fromMs,
      to_ms: range.toMs,
      outcome,
      rows: exported === null ? 0 : rowsOf(exported),
      ms,
    },
  });
}

function rowsOf({ tables }: Exported): number {
  return tables.reduce((sum, { rows }) => sum + rows, 0);
}

function usage(message: string, why: string, hint: string): SentinelError {
  return new SentinelError('usage.invalid', { message, why, hint });
}
