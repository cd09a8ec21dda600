/**
 * Writes scans to events.db: one transaction per scan, rows only for what changed since the scan before.
 * Imported by procmond alone.
 */
import { randomBytes } from 'node:crypto';
import { SentinelError } from '@sentineld/model/error';
import type { ProcessRecord } from '@sentineld/model/process';
import type { Scan } from '@sentineld/model/scan';
import { readMetadata, writeMetadata } from '../migrations/system-metadata.ts';
import { leaveOpen, openWriter, stopWriter, storeErrorFrom, type WriterDatabase } from '../open.ts';
import { createExecutableTable, type ExecutableTable } from './executable-table.ts';
import { commandLineOf, fingerprintOf, loadLiveImages, prepareEndImage, unseenOf, type LiveImage } from './live-images.ts';
import { EVENTS_MIGRATIONS, LIVE } from './migrations.ts';
import { LIVE_LEVEL, LIVE_NODE } from './scan-interval.ts';

/** Pages of the newest images and of the indexes; the rest of a scan is written, not read. */
const CACHE_KIB = 4096;

export type CollectorRun = {
  readonly startTimeMs: number;
  readonly bootId: string;
  readonly hostname: string;
  readonly osName: string;
  readonly osVersion: string;
  readonly collectorVersion: string;
  readonly configHash: string;
};

export type RecordedScan = {
  readonly scanId: number;
  readonly started: number;
  readonly changed: number;
  readonly stopped: number;
  /** Rows written to process_image and process_sample. */
  readonly rowsWritten: number;
};

export type EventsWriter = {
  /** Writes a scan; on an error nothing of it is kept and the next scan starts from the state before. */
  readonly recordScan: (scan: Scan, correlationId: string, source: string) => RecordedScan;
  readonly executables: Pick<ExecutableTable, 'pending' | 'recordHash' | 'counts'>;
  /** Stable id of this installation, made with the file. */
  readonly hostId: string;
  readonly stop: () => void;
};

/**
 * Opens events.db for its one writer. Throws as openWriter does. Between scans time is measured in milliseconds of a
 * clock that nobody sets: the time of day may jump by years.
 */
export function openEventsWriter(path: string, run: CollectorRun, nowMs: () => number = () => performance.now()): EventsWriter {
  const db = openWriter({ path, durability: 'normal', cacheKiB: CACHE_KIB, migrations: EVENTS_MIGRATIONS });
  const { hostId, runId, statements, ...loaded } = beginRun(db, path, run);
  let { state } = loaded;
  let lastStartMs: number | null = null;
  return {
    recordScan: (scan, correlationId, source) => {
      const writer = { statements, state, runId };
      const startMs = nowMs() - scan.durationMs;
      const intervalMs = lastStartMs === null ? null : Math.round(startMs - lastStartMs);
      try {
        const recorded = db.transaction(() => writeScan(writer, scan, correlationId, source, intervalMs))();
        lastStartMs = startMs;
        return recorded;
      } catch (cause) {
        // The transaction is undone but the maps are not: read them back from what is on disk.
        state = loadState(db, run.bootId);
        throw cause;
      }
    },
    executables: {
      pending: () => state.executables.pending(),
      recordHash: (id, result) => state.executables.recordHash(id, result),
      counts: () => state.executables.counts(),
    },
    hostId,
    stop: () => {
      stopWriter(db);
    },
  };
}

/** Reads before it writes: a file that turns out to be damaged is left as it was. */
function beginRun(db: WriterDatabase, path: string, run: CollectorRun) {
  try {
    const state = loadState(db, run.bootId);
    const statements = prepareStatements(db);
    const hostId = readMetadata(db, 'host_id') ?? randomBytes(16).toString('hex');
    writeMetadata(db, 'host_id', hostId, run.startTimeMs);
    return { hostId, runId: insertRun(db, run), statements, state };
  } catch (thrown) {
    leaveOpen(db);
    throw storeErrorFrom(thrown, path);
  }
}

type State = { readonly live: Map<number, LiveImage>; readonly executables: ExecutableTable; round: number };

function loadState(db: WriterDatabase, bootId: string): State {
  return { live: loadLiveImages(db, bootId), executables: createExecutableTable(db), round: 0 };
}

type Statements = ReturnType<typeof prepareStatements>;
type ScanWriter = { readonly statements: Statements; readonly state: State; readonly runId: number };

function prepareStatements(db: WriterDatabase) {
  return {
    insertScan: db.prepare(
      `INSERT INTO scan (run_id, correlation_id, source, start_time_ms, end_time_ms, duration_ms, interval_ms, load_average, seen, accessible,
         exe_unreadable, argv_unreadable, argv_truncated, vanished, errors, other_users_hidden, hashes_pending, hashes_unreadable, reason,
         started, changed, stopped)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, 0, 0, 0)`,
    ),
    finishScan: db.prepare('UPDATE scan SET started = ?, changed = ?, stopped = ?, hashes_pending = ?, hashes_unreadable = ? WHERE id = ?'),
    insertImage: db.prepare(
      `INSERT INTO process_image (first_scan, last_scan, level, node, run_id, pid, start_ticks, ppid, name, executable_id, exe_deleted, command_line, cmdline,
         start_time_ms, user_id, user_name, group_id, session_id, tty_number, is_kthread, unseen, begun_by)
       VALUES (?, ${LIVE}, ${LIVE_LEVEL}, ${LIVE_NODE}, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    endImage: prepareEndImage(db),
    insertSample: db.prepare('INSERT INTO process_sample (image_id, scan_id, cpu_percent, memory_bytes, status) VALUES (?, ?, ?, ?, ?)'),
  };
}

function insertRun(db: WriterDatabase, run: CollectorRun): number {
  const { lastInsertRowid } = db
    .prepare(
      `INSERT INTO collector_run (start_time_ms, boot_id, hostname, os_name, os_version, collector_version, config_hash) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(run.startTimeMs, run.bootId, run.hostname, run.osName, run.osVersion, run.collectorVersion, run.configHash);
  return Number(lastInsertRowid);
}

function writeScan(writer: ScanWriter, scan: Scan, correlationId: string, source: string, intervalMs: number | null): RecordedScan {
  const { statements, state } = writer;
  const { coverage } = scan;
  const { lastInsertRowid } = statements.insertScan.run(
    writer.runId,
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
    coverage.reason,
  );
  const scanId = Number(lastInsertRowid);
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
  return { scanId, started: counts.started, changed: counts.changed, stopped: counts.stopped, rowsWritten: counts.rows };
}

type Counts = { started: number; changed: number; stopped: number; rows: number };

function recordProcess(writer: ScanWriter, process: ProcessRecord, scanId: number, counts: Counts): void {
  const { state, statements } = writer;
  let live = state.live.get(process.pid);
  if (live !== undefined && live.startTicks !== process.startTicks) {
    throw new SentinelError('internal.bug', { message: `Pid ${process.pid} is in one scan twice.`, context: { pid: process.pid } });
  }
  if (live !== undefined && live.image !== process.image && !isUnchanged(writer, live, process)) {
    endImage(writer, process.pid, live, scanId - 1, 'changed', counts);
    counts.changed++;
    live = beginImage(writer, process, scanId, 'changed', counts);
  } else if (live === undefined) {
    counts.started++;
    live = beginImage(writer, process, scanId, 'started', counts);
  }
  if (live.memoryBytes === process.memoryBytes && live.cpuPercent === process.cpuPercent && live.status === process.status) return;
  statements.insertSample.run(live.imageId, scanId, process.cpuPercent, process.memoryBytes, process.status);
  counts.rows++;
  live.cpuPercent = process.cpuPercent;
  live.memoryBytes = process.memoryBytes;
  live.status = process.status;
}

/** Whether a live image that is another object says the same; adopts the object where it does. */
function isUnchanged(writer: ScanWriter, live: LiveImage, process: ProcessRecord): boolean {
  const known = live.fingerprint ?? (live.image === null ? '' : fingerprintOf(live.image));
  if (known !== fingerprintOf(process.image)) return false;
  if (live.image === null) {
    // Read back at start: its executable is not counted as in use yet.
    const executableId = process.image.exe === null ? null : writer.state.executables.acquire(process.image.exe);
    if (executableId !== live.executableId) {
      if (executableId !== null) writer.state.executables.release(executableId);
      return false;
    }
  } else if (JSON.stringify(live.image.exe) !== JSON.stringify(process.image.exe)) {
    return false;
  }
  live.image = process.image;
  return true;
}

function beginImage(writer: ScanWriter, process: ProcessRecord, scanId: number, begunBy: 'started' | 'changed', counts: Counts): LiveImage {
  const { state, statements, runId } = writer;
  const { image } = process;
  const executableId = image.exe === null ? null : state.executables.acquire(image.exe);
  const { lastInsertRowid } = statements.insertImage.run(
    scanId,
    runId,
    process.pid,
    process.startTicks,
    image.ppid,
    image.name,
    executableId,
    image.exeDeleted ? 1 : 0,
    commandLineOf(image),
    image.argv === null ? null : image.argv.join(' '),
    image.startTimeMs,
    image.userId,
    image.userName,
    image.groupId,
    image.sessionId,
    image.ttyNumber,
    image.isKernelThread ? 1 : 0,
    unseenOf(image),
    begunBy,
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
