/**
 * Writes scans and process events to events.db: one transaction each, rows only for what changed since the scan
 * before. Imported by procmond alone.
 */
import { randomBytes } from 'node:crypto';
import type { EventCoverage, ProcessEvent } from '@sentineld/model/process-event';
import type { Scan } from '@sentineld/model/scan';
import { readMetadata, writeMetadata } from '../migrations/system-metadata.ts';
import { leaveOpen, openWriter, stopWriter, storeErrorFrom, type WriterDatabase } from '../open.ts';
import { checkpointWal, walBytes, type Checkpoint } from '../wal.ts';
import { prepareWriteEvents } from './event-rows.ts';
import type { ExecutableTable } from './executable-table.ts';
import { EVENTS_MIGRATIONS } from './migrations.ts';
import { createRetention, type MaintenanceLimits, type MaintenanceReport } from './retention.ts';
import { loadState, prepareWriteScan, type RecordedScan } from './scan-rows.ts';
import { createSharedRows } from './shared-rows.ts';

export type { MaintenanceLimits, MaintenanceReport } from './retention.ts';
export type { RecordedScan } from './scan-rows.ts';
export type { Checkpoint } from '../wal.ts';

/** Pages of the newest images and of the indexes; the rest of a scan is written, not read. */
const CACHE_KIB = 2048;
const OPTIMIZE_EVERY_MS = 86_400_000;

/** In system_metadata. */
const SPILL_KEY = 'spill_stored_up_to';
const TRUSTED_KEY = 'trusted_time_ms';

export type CollectorRun = {
  readonly startTimeMs: number;
  readonly bootId: string;
  readonly hostname: string;
  readonly osName: string;
  readonly osVersion: string;
  readonly collectorVersion: string;
  readonly configHash: string;
};

export type EventsWriter = {
  /**
   * Writes a scan with what became of the events before it; on an error nothing of it is kept and the next scan starts
   * from the state before.
   */
  readonly recordScan: (scan: Scan, correlationId: string, source: string, events: EventCoverage) => RecordedScan;
  /**
   * Writes events in their order and gives the number of rows; on an error nothing of the batch is kept. `spillSequence`
   * is the newest number that events of the batch have in spill files, null where they have none.
   */
  readonly recordEvents: (batch: readonly ProcessEvent[], spillSequence?: number | null) => number;
  /** The newest `spillSequence` that was stored when the file was opened: what was spilled up to it is not stored again. */
  readonly spillStoredUpTo: number | null;
  /** The `nowMs` that `maintain` was given last before the file was opened; null where it never was. */
  readonly trustedMs: number | null;
  /** Deletes a slice of what is too old or too much. On an error nothing of the slice is done. */
  readonly maintain: (limits: MaintenanceLimits) => MaintenanceReport;
  /** The write-ahead log as it is on disk. */
  readonly wal: () => { readonly bytes: number };
  /**
   * Moves what it can from the log into the database, and cuts a large log. Waits for nobody. Throws where the disk fails:
   * of the checkpoints that SQLite makes by itself nobody is told how they end.
   */
  readonly checkpoint: () => Checkpoint;
  /** Bytes of the file without its free pages, and when the oldest and the newest scan in it began; null where there is none. */
  readonly size: () => StoreSize;
  readonly executables: Pick<ExecutableTable, 'pending' | 'recordHash' | 'counts'>;
  /** Stable id of this installation, made with the file. */
  readonly hostId: string;
  readonly stop: () => void;
};

export type StoreSize = { readonly sizeBytes: number; readonly oldestScanMs: number | null; readonly newestScanMs: number | null };

/**
 * Opens events.db for its one writer. Throws as openWriter does. Between scans time is measured in milliseconds of a
 * clock that nobody sets: the time of day may jump by years.
 */
export function openEventsWriter(path: string, run: CollectorRun, nowMs: () => number = () => performance.now()): EventsWriter {
  const db = openWriter({ path, durability: 'normal', cacheKiB: CACHE_KIB, migrations: EVENTS_MIGRATIONS });
  const { hostId, runId, writeScan, writeEvents, retention, ...loaded } = beginRun(db, path, run, nowMs);
  const spillText = readMetadata(db, SPILL_KEY);
  const spillStoredUpTo = spillText === undefined ? null : Number(spillText);
  const trustedText = readMetadata(db, TRUSTED_KEY);
  let { state } = loaded;
  let lastStartMs: number | null = null;
  let optimizedMs = nowMs();
  return {
    recordScan: (scan, correlationId, source, events) => {
      const startMs = nowMs() - scan.durationMs;
      const intervalMs = lastStartMs === null ? null : Math.round(startMs - lastStartMs);
      try {
        const notes = { correlationId, source, events, intervalMs };
        const recorded = db.transaction(() => writeScan(state, runId, scan, notes))();
        lastStartMs = startMs;
        return recorded;
      } catch (cause) {
        // The transaction is undone but the maps are not: read them back from what is on disk.
        state = loadState(db, run.bootId);
        throw cause;
      }
    },
    recordEvents: (batch, spillSequence = null) => {
      try {
        return db.transaction(() => {
          if (spillSequence !== null) writeMetadata(db, SPILL_KEY, String(spillSequence), Date.now());
          return writeEvents(batch, state.shared, runId);
        })();
      } catch (cause) {
        state = { ...state, shared: createSharedRows(db) };
        throw cause;
      }
    },
    maintain: (limits) => {
      const report = retention.slice(limits);
      writeMetadata(db, TRUSTED_KEY, String(Math.round(limits.nowMs)), Date.now());
      if (nowMs() - optimizedMs >= OPTIMIZE_EVERY_MS) {
        optimizedMs = nowMs();
        db.pragma('optimize');
      }
      return report;
    },
    wal: () => ({ bytes: walBytes(path) }),
    checkpoint: () => checkpointWal(db, path),
    size: () => sizeOf(db),
    executables: {
      pending: () => state.executables.pending(),
      recordHash: (id, result) => state.executables.recordHash(id, result),
      counts: () => state.executables.counts(),
    },
    spillStoredUpTo,
    trustedMs: trustedText === undefined ? null : Number(trustedText),
    hostId,
    stop: () => {
      stopWriter(db);
    },
  };
}

/** Reads before it writes: a file that turns out to be damaged is left as it was. */
function beginRun(db: WriterDatabase, path: string, run: CollectorRun, nowMs: () => number) {
  try {
    const state = loadState(db, run.bootId);
    const writeScan = prepareWriteScan(db);
    const writeEvents = prepareWriteEvents(db);
    const retention = createRetention(db, nowMs);
    const hostId = readMetadata(db, 'host_id') ?? randomBytes(16).toString('hex');
    writeMetadata(db, 'host_id', hostId, run.startTimeMs);
    return { hostId, runId: insertRun(db, run), writeScan, writeEvents, retention, state };
  } catch (thrown) {
    leaveOpen(db);
    throw storeErrorFrom(thrown, path);
  }
}

function insertRun(db: WriterDatabase, run: CollectorRun): number {
  const { lastInsertRowid } = db
    .prepare(
      `INSERT INTO collector_run (start_time_ms, boot_id, hostname, os_name, os_version, collector_version, config_hash) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(run.startTimeMs, run.bootId, run.hostname, run.osName, run.osVersion, run.collectorVersion, run.configHash);
  return Number(lastInsertRowid);
}

function sizeOf(db: WriterDatabase): StoreSize {
  const number = (pragma: string): number => Number(db.pragma(pragma, { simple: true }));
  const timeOf = (edge: 'min' | 'max'): number | null =>
    db.prepare<[], number>(`SELECT start_time_ms FROM scan WHERE id = (SELECT ${edge}(id) FROM scan)`).pluck().get() ?? null;
  const sizeBytes = (number('page_count') - number('freelist_count')) * number('page_size');
  return { sizeBytes, oldestScanMs: timeOf('min'), newestScanMs: timeOf('max') };
}
