/**
 * One export from its tables to its sink: batch by batch, ended by a signal or by a reader that went away, and told on
 * the terminal as it goes. What it counts is what was handed on.
 */
import { SentinelError } from '@sentineld/model/error';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { AGENT_SCHEMA, AGENT_VIEWS } from '@sentineld/store/agent/readable';
import { openReader, type Reader } from '@sentineld/store/reader';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { requireAgentDatabase, requireEventsDatabase } from './databases.ts';
import type { Sink } from './export-sinks.ts';
import { openExportTable, sourceOf, type ExportTable, type ExportTableName, type TimeRange } from './export-tables.ts';
import { startProgress } from './output/progress.ts';
import type { Terminal } from './output/terminal.ts';
import { keepSignals } from './signals.ts';

/** The databases that the tables are in, opened when the first of their tables is. */
export type ExportSource = {
  /** Throws 'store.*' where the table cannot be read. */
  readonly table: (name: ExportTableName) => ExportTable;
  /** The name of the host in the newest scan; null where none is kept. */
  readonly host: () => string | null;
  readonly close: () => void;
};

export function openExportSource(paths: StatePaths): ExportSource {
  const readers = new Map<'events' | 'agent', Reader>();
  const readerOf = (source: 'events' | 'agent'): Reader => {
    const reader = readers.get(source) ?? (source === 'agent' ? openAgent(paths) : openEvents(paths));
    readers.set(source, reader);
    return reader;
  };
  return {
    table: (name) => openExportTable(readerOf(sourceOf(name)), name),
    host: () => {
      const [row] = readerOf('events').internal('SELECT hostname FROM scan_metadata ORDER BY id DESC LIMIT 1');
      return typeof row?.['hostname'] === 'string' ? row['hostname'] : null;
    },
    close: () => {
      for (const reader of readers.values()) reader.close();
    },
  };
}

function openEvents(paths: StatePaths): Reader {
  const databases = [{ schema: 'main', path: requireEventsDatabase(paths) }];
  return openReader({ databases, schema: EVENTS_SCHEMA, functions: new Set() });
}

/** The views read the schema `agent`; as main the same file serves. */
function openAgent(paths: StatePaths): Reader {
  const path = requireAgentDatabase(paths);
  const databases = ['main', 'agent'].map((schema) => ({ schema, path }));
  return openReader({ databases, temporaryViews: AGENT_VIEWS, schema: AGENT_SCHEMA, functions: new Set() });
}

export type Exported = {
  readonly tables: readonly { readonly table: ExportTableName; readonly rows: number }[];
  readonly batches: number;
  /** The exit status of a program that a signal ended; null where none came. */
  readonly endedBy: number | null;
  /** False where whoever read standard output went away before the end. */
  readonly wasTaken: boolean;
};

export type ExportWork = {
  readonly tables: readonly ExportTable[];
  readonly range: TimeRange;
  readonly sink: Sink;
  readonly terminal: Pick<Terminal, 'err' | 'errIsTty' | 'outTaken'>;
};

/** Hands on every row. Throws 'store.*' for what cannot be read and 'state.unusable' for what cannot be written. */
export async function runExport({ tables, range, sink, terminal }: ExportWork): Promise<Exported> {
  const signals = keepSignals();
  // Counting costs something, and nobody looks on where there is no terminal.
  const total = terminal.errIsTty ? tables.reduce((sum, table) => sum + table.count(range), 0) : 0;
  const progress = startProgress(terminal, 'exporting', total);
  const done: { table: ExportTableName; rows: number }[] = [];
  let [batches, all, wasTaken] = [0, 0, true];
  try {
    for (const table of tables) {
      sink.begin(table);
      const counted = { table: table.name, rows: 0 };
      done.push(counted);
      for (const batch of table.batches(range)) {
        sink.take(batch);
        batches += 1;
        for (const _ of batch) progress.step(++all);
        counted.rows += batch.length;
        wasTaken = await terminal.outTaken();
        if (!wasTaken || signals.exitStatus() !== null) return { tables: done, batches, endedBy: signals.exitStatus(), wasTaken };
      }
      sink.end(counted.rows);
    }
    return { tables: done, batches, endedBy: null, wasTaken };
  } finally {
    progress.end();
    signals.release();
  }
}

/** The tables that can be read, and why others cannot; where they were asked for by name, all of them or an error. */
export function tablesOf(
  source: ExportSource,
  names: readonly ExportTableName[],
  areNamed: boolean,
): { readonly tables: readonly ExportTable[]; readonly leftOut: readonly string[] } {
  const tables: ExportTable[] = [];
  const leftOut: string[] = [];
  for (const name of names) {
    try {
      tables.push(source.table(name));
    } catch (cause) {
      const isAbsent = cause instanceof SentinelError && (cause.code === 'store.missing' || cause.code === 'store.unreadable');
      if (areNamed || !isAbsent || (sourceOf(name) === 'events' && name !== 'process_events')) throw cause;
      leftOut.push(`${name}: ${cause.message}`);
    }
  }
  return { tables, leftOut };
}
