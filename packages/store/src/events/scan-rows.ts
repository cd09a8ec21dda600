/**
 * One scan as rows: those of the processes that are new, changed or gone, and that of the scan itself.
 */
import type { EventCoverage } from '@sentineld/model/process-event';
import { SentinelError } from '@sentineld/model/error';
import type { ProcessRecord } from '@sentineld/model/process';
import type { Scan } from '@sentineld/model/scan';
import type { WriterDatabase } from '../open.ts';
import { beginsEpoch, prepareBeginEpoch } from './epoch.ts';
import { reasonWithEvents } from './event-rows.ts';
import { createExecutableTable, type ExecutableTable } from './executable-table.ts';
import { loadLiveImages, prepareEndImage, saysTheSame, unseenOf, type LiveImage } from './live-images.ts';
import { cpuTenths, memoryCode, stateCode } from './sample-code.ts';
import { LIVE, LIVE_NODE } from './scan-interval.ts';
import { createSharedRows, type SharedRows } from './shared-rows.ts';

export type RecordedScan = {
  readonly scanId: number;
  readonly started: number;
  readonly changed: number;
  readonly stopped: number;
  /** Rows written to process_image and process_sample. */
  readonly rowsWritten: number;
};

/** What is told of a scan beside what it found. */
export type ScanNotes = {
  readonly correlationId: string;
  readonly source: string;
  readonly events: EventCoverage;
  /** Since the scan before; null for the first of a run. */
  readonly intervalMs: number | null;
};

/** What is known of what is on disk; after a transaction that was undone it is read anew. */
export type State = {
  readonly live: Map<number, LiveImage>;
  readonly executables: ExecutableTable;
  readonly shared: SharedRows;
  /** Number of the newest event when the newest scan was stored. */
  eventsUntil: number;
  round: number;
};

export function loadState(db: WriterDatabase, bootId: string): State {
  return {
    live: loadLiveImages(db, bootId),
    executables: createExecutableTable(db),
    shared: createSharedRows(db),
    eventsUntil: db.prepare<[], number>('SELECT events_until FROM scan ORDER BY id DESC LIMIT 1').pluck().get() ?? 0,
    round: 0,
  };
}

/** Writes a scan within a transaction. */
export type WriteScan = (state: State, runId: number, scan: Scan, notes: ScanNotes) => RecordedScan;

export function prepareWriteScan(db: WriterDatabase): WriteScan {
  const statements = prepareStatements(db);
  return (state, runId, scan, notes) => writeScan({ statements, state, runId }, scan, notes);
}

type Statements = ReturnType<typeof prepareStatements>;
type ScanWriter = { readonly statements: Statements; readonly state: State; readonly runId: number };

function prepareStatements(db: WriterDatabase) {
  return {
    insertScan: db.prepare(
      `INSERT INTO scan (run_id, correlation_id, source, start_time_ms, end_time_ms, duration_ms, interval_ms, load_average, seen, accessible,
         exe_unreadable, argv_unreadable, argv_truncated, vanished, errors, other_users_hidden, hashes_pending, hashes_unreadable, reason,
         started, changed, stopped, events_tier, execs, exits, events_lost, events_overruns, argv_missed, events_dropped, events_stored,
         events_after, events_until)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, 0, 0, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    finishScan: db.prepare('UPDATE scan SET started = ?, changed = ?, stopped = ?, hashes_pending = ?, hashes_unreadable = ? WHERE id = ?'),
    insertImage: db.prepare(
      `INSERT INTO process_image (first_scan, last_scan, node, run_id, pid, start_ticks, ppid, command_id, executable_id, exe_deleted,
         start_time_ms, owner_id, session_id, tty_number, cwd_id, context_id, is_kthread, unseen, begun_by_change)
       VALUES (?, ${LIVE}, ${LIVE_NODE}, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    endImage: prepareEndImage(db),
    insertSample: db.prepare('INSERT INTO process_sample (image_id, scan_id, cpu_tenths, memory, state) VALUES (?, ?, ?, ?, ?)'),
    newestEvent: db.prepare<[], number>("SELECT seq FROM sqlite_sequence WHERE name = 'process_event'").pluck(),
    beginEpoch: prepareBeginEpoch(db),
  };
}

function writeScan(writer: ScanWriter, scan: Scan, notes: ScanNotes): RecordedScan {
  const { statements, state, runId } = writer;
  const eventsUntil = statements.newestEvent.get() ?? 0;
  const scanId = insertScan(writer, scan, notes, eventsUntil);
  const counts = { started: 0, changed: 0, stopped: 0, rows: 0 };
  state.round++;
  // Images end before others begin: a pid that was reused has one live image at a time.
  for (const process of scan.processes) {
    const live = state.live.get(process.pid);
    if (live === undefined) continue;
    if (live.startTicks !== process.startTicks) endImage(writer, process.pid, live, scanId - 1, 'stopped', counts);
    else live.round = state.round;
  }
  for (const [pid, live] of state.live) if (live.round !== state.round) endImage(writer, pid, live, scanId - 1, 'stopped', counts);
  for (const process of scan.processes) recordProcess(writer, process, scanId, counts);
  const hashes = state.executables.counts();
  statements.finishScan.run(counts.started, counts.changed, counts.stopped, hashes.pending, hashes.unreadable, scanId);
  state.eventsUntil = eventsUntil;
  if (beginsEpoch(scanId + 1)) {
    statements.beginEpoch(scanId + 1, runId, state.shared.nextIds());
    state.shared.forget();
  }
  return { scanId, started: counts.started, changed: counts.changed, stopped: counts.stopped, rowsWritten: counts.rows };
}

function insertScan({ statements, state, runId }: ScanWriter, scan: Scan, notes: ScanNotes, eventsUntil: number): number {
  const { coverage } = scan;
  const { correlationId, source, events, intervalMs } = notes;
  const { lastInsertRowid } = statements.insertScan.run(
    runId,
    correlationId,
    source,
    scan.startTimeMs,
    scan.endTimeMs,
    Math.round(scan.durationMs),
    intervalMs,
    scan.loadAverage,
    coverage.seen,
    coverage.accessible,
    coverage.exeUnreadable,
    coverage.argvUnreadable,
    coverage.argvTruncated,
    coverage.vanished,
    coverage.errors,
    coverage.otherUsersHidden ? 1 : 0,
    reasonWithEvents(coverage.reason, events),
    events.tier,
    events.execs,
    events.exits,
    events.lost,
    events.overruns,
    events.argvMissed,
    events.dropped,
    events.stored,
    state.eventsUntil,
    eventsUntil,
  );
  return Number(lastInsertRowid);
}

type Counts = { started: number; changed: number; stopped: number; rows: number };

function recordProcess(writer: ScanWriter, process: ProcessRecord, scanId: number, counts: Counts): void {
  const { state, statements } = writer;
  let live = state.live.get(process.pid);
  if (live !== undefined && live.startTicks !== process.startTicks) {
    throw new SentinelError('internal.bug', { message: `Pid ${process.pid} is in one scan twice.`, context: { pid: process.pid } });
  }
  if (live !== undefined && live.image !== process.image && !isUnchanged(writer, live, process, scanId)) {
    endImage(writer, process.pid, live, scanId - 1, 'changed', counts);
    counts.changed++;
    live = beginImage(writer, process, scanId, 'changed', counts);
  } else if (live === undefined) {
    counts.started++;
    live = beginImage(writer, process, scanId, 'started', counts);
  }
  const { cpuPercent, memoryBytes, threads, status } = process;
  if (live.memoryBytes === memoryBytes && live.cpuPercent === cpuPercent && live.status === status && live.threads === threads) return;
  statements.insertSample.run(live.imageId, scanId, cpuTenths(cpuPercent), memoryCode(memoryBytes), stateCode(process));
  counts.rows++;
  live.cpuPercent = cpuPercent;
  live.memoryBytes = memoryBytes;
  live.threads = threads;
  live.status = status;
}

/** Whether a live image that is another object says the same; adopts the object where it does. */
function isUnchanged(writer: ScanWriter, live: LiveImage, process: ProcessRecord, scanId: number): boolean {
  if (!saysTheSame(live, process.image)) return false;
  if (live.image === null) {
    // Read back at start: its executable is not counted as in use yet.
    const executableId = process.image.exe === null ? null : writer.state.executables.acquire(process.image.exe, scanId);
    if (executableId !== live.executableId) {
      if (executableId !== null) writer.state.executables.release(executableId);
      return false;
    }
  } else if (JSON.stringify(live.image.exe) !== JSON.stringify(process.image.exe)) {
    return false;
  }
  live.image = process.image;
  live.fingerprint = null;
  return true;
}

function beginImage(writer: ScanWriter, process: ProcessRecord, scanId: number, begunBy: 'started' | 'changed', counts: Counts): LiveImage {
  const { state, statements, runId } = writer;
  const { shared } = state;
  const { image } = process;
  const executableId = image.exe === null ? null : state.executables.acquire(image.exe, scanId);
  const commandId = shared.command({ name: image.name, exePath: image.exe?.path ?? null, argv: image.argv, redacted: image.redacted });
  const { lastInsertRowid } = statements.insertImage.run(
    scanId,
    runId,
    process.pid,
    process.startTicks,
    image.ppid,
    commandId,
    executableId,
    image.exeDeleted ? 1 : 0,
    image.startTimeMs,
    shared.owner(image),
    image.sessionId,
    image.ttyNumber,
    image.cwd === null ? null : shared.path(image.cwd),
    shared.context(image),
    image.isKernelThread ? 1 : 0,
    unseenOf(image),
    begunBy === 'changed' ? 1 : 0,
  );
  counts.rows++;
  const live: LiveImage = {
    imageId: Number(lastInsertRowid),
    firstScan: scanId,
    startTicks: process.startTicks,
    executableId,
    image,
    fingerprint: null,
    cpuPercent: null,
    memoryBytes: -1,
    threads: null,
    status: '',
    round: state.round,
  };
  state.live.set(process.pid, live);
  return live;
}

function endImage(
  writer: ScanWriter,
  pid: number,
  live: LiveImage,
  lastScan: number,
  endedBy: 'stopped' | 'changed',
  counts: Counts,
): void {
  writer.statements.endImage(live, lastScan, endedBy);
  if (live.executableId !== null && live.image !== null) writer.state.executables.release(live.executableId);
  if (endedBy === 'stopped') counts.stopped++;
  counts.rows++;
  writer.state.live.delete(pid);
}
