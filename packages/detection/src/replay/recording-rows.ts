/**
 * A recording as rows of a scratch database: every event as a row of process_events, and as a process of one scan
 * that was made when the last of them had happened, as if all of them still ran.
 */
import { basename } from 'node:path';
import type { ReadableSchema } from '@sentineld/model/schema';
import { SCRATCH_SCAN, type ScratchRow, type ScratchRows } from '@sentineld/store/scratch';
import type { RecordedEvent } from './recorded-event.ts';

/**
 * Pids repeat in a recording (a process that calls exec twice, machines put together in one file) and in a scan they do
 * not: the process of event number n gets this and n. No process of a host has such a pid.
 */
export const FIRST_OWN_PID = 4_194_304;

export type RecordingTables = {
  readonly rows: ScratchRows;
  /** What :now, :since, :scan_id and :since_seq are: no event was seen before. */
  readonly parameters: Readonly<Record<string, number>>;
};

/** The kernel keeps 15 bytes of a name. */
const NAME_BYTES = 15;
const ROOT = 'root';

/** Columns that a table of the schema does not have are left out of its rows. */
export function recordingTables(events: readonly RecordedEvent[], schema: ReadableSchema): RecordingTables {
  const times = timesOf(events);
  const parents = parentsOf(events);
  const processEvents = events.map((event, at) => ({
    ...sharedColumns(event, times[at] ?? SCRATCH_SCAN.timeMs, parentOf(events, parents[at])),
    seq: at + 1,
    event: 'exec',
    pid: event.pid ?? 0,
    ppid: event.ppid,
  }));
  const processes = events.map((event, at) => {
    const { name, ...columns } = sharedColumns(event, times[at] ?? SCRATCH_SCAN.timeMs, parentOf(events, parents[at]));
    const parent = parents[at] ?? null;
    return {
      ...columns,
      ...(name === null ? {} : { name }),
      pid: FIRST_OWN_PID + at + 1,
      ppid: parent === null ? (event.ppid ?? 0) : FIRST_OWN_PID + parent + 1,
      timestamp_ms: SCRATCH_SCAN.timeMs,
      start_time: times[at] ?? SCRATCH_SCAN.timeMs,
    };
  });
  const sinceMs = times.reduce((oldest, time) => Math.min(oldest, time), SCRATCH_SCAN.timeMs) - 1;
  const count = events.length;
  const coverage = {
    source: 'kernel',
    interval_ms: SCRATCH_SCAN.timeMs - sinceMs,
    processes_seen: count,
    fully_visible: count,
    execs: count,
    events_stored: count,
  };
  return {
    rows: {
      processes: withColumnsOf(schema, 'processes', processes),
      process_events: withColumnsOf(schema, 'process_events', processEvents),
      coverage: withColumnsOf(schema, 'coverage', [coverage]),
    },
    parameters: { now: SCRATCH_SCAN.timeMs, since: sinceMs, scan_id: SCRATCH_SCAN.id, since_seq: 0 },
  };
}

/** The recording is moved so that its newest event happened at the scan. */
function timesOf(events: readonly RecordedEvent[]): readonly number[] {
  const newest = events.reduce((most, { timeMs }) => Math.max(most, timeMs ?? -Infinity), -Infinity);
  return events.map(({ timeMs }) => SCRATCH_SCAN.timeMs - (timeMs === null ? 0 : Math.round(newest - timeMs)));
}

/** By event, the place of the newest one before it that its parent can be; null where there is none. */
function parentsOf(events: readonly RecordedEvent[]): readonly (number | null)[] {
  const newest = new Map<number, number>();
  return events.map(({ pid, ppid, parentExe }, at) => {
    const candidate = ppid === null ? undefined : newest.get(ppid);
    if (pid !== null) newest.set(pid, at);
    // A pid that was given again is another program's: what the event says of its parent decides.
    return candidate !== undefined && parentExe !== null && events[candidate]?.exePath === parentExe ? candidate : null;
  });
}

function parentOf(events: readonly RecordedEvent[], at: number | null | undefined): RecordedEvent | null {
  return at === null || at === undefined ? null : (events[at] ?? null);
}

function sharedColumns(event: RecordedEvent, timestampMs: number, parent: RecordedEvent | null) {
  return {
    timestamp_ms: timestampMs,
    name: event.name,
    exe_path: event.exePath,
    command_line: event.argv === null ? null : JSON.stringify(event.argv),
    cmdline: event.cmdline,
    cwd: event.cwd,
    user_name: event.user,
    user_id: event.user === ROOT ? 0 : null,
    parent_name: parent?.name ?? nameOfFile(event.parentExe),
    parent_exe: event.parentExe,
    parent_cmdline: event.parentCmdline,
  };
}

/** Cut by bytes; a character that does not fit whole is left out. */
function nameOfFile(path: string | null): string | null {
  if (path === null) return null;
  return Buffer.from(basename(path))
    .subarray(0, NAME_BYTES)
    .toString()
    .replace(/\uFFFD+$/, '');
}

function withColumnsOf(schema: ReadableSchema, table: string, rows: readonly ScratchRow[]): readonly ScratchRow[] {
  const columns = new Set(schema.tables.find(({ name }) => name === table)?.columns.map(({ name }) => name));
  return rows.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => columns.has(name))));
}
