/**
 * The collector: scans in turn, each written in one transaction and framed by two entries of the ledger, then told to
 * whoever subscribed. A scan that cannot be stored is an error that health shows; the next one is tried all the same.
 */
import { randomBytes } from 'node:crypto';
import { messageOf } from '@sentineld/model/error';
import { NO_EVENTS } from '@sentineld/model/process-event';
import type { Scan, ScanCompleted } from '@sentineld/model/scan';
import type { Logger } from '@sentineld/runtime/log/logger';
import type { EventsWriter } from '@sentineld/store/events/writer';
import type { LedgerWriter } from '@sentineld/store/ledger/writer';
import type { ProcessSource } from './sources/process-source.ts';

export type CollectorOptions = {
  readonly source: ProcessSource;
  readonly events: EventsWriter;
  readonly ledger: LedgerWriter;
  readonly log: Logger;
  readonly intervalMs: number;
  readonly onScan: (scan: ScanCompleted) => void;
};

export type CollectorState = {
  scans: number;
  last: ScanCompleted | null;
  /** Why the newest scan could not be stored, and since when; null while all is well. */
  failure: { readonly message: string; readonly sinceMs: number } | null;
};

export type Collector = {
  readonly scanOnce: () => ScanCompleted | null;
  readonly start: () => void;
  readonly stop: () => void;
  readonly state: Readonly<CollectorState>;
};

export function createCollector(options: CollectorOptions): Collector {
  const { source, events, ledger, log } = options;
  const state: CollectorState = { scans: 0, last: null, failure: null };
  let timer: NodeJS.Timeout | undefined;
  let dueMs = 0;
  let stopped = false;

  const store = (): ScanCompleted => {
    const correlationId = `scan-${randomBytes(8).toString('hex')}`;
    if (ledger.failure() !== null) ledger.reopen();
    ledger.append('procmond', [{ action: 'process_scan_start', data: { correlation_id: correlationId } }]);
    const scan = source.scan();
    const recorded = events.recordScan(scan, correlationId, 'poll');
    const completed: ScanCompleted = {
      event: 'scan.completed',
      scanId: recorded.scanId,
      correlationId,
      timestampMs: scan.startTimeMs,
      durationMs: Math.round(scan.durationMs * 10) / 10,
      processes: scan.coverage.seen,
      accessible: scan.coverage.accessible,
      started: recorded.started,
      changed: recorded.changed,
      stopped: recorded.stopped,
      reducedVisibility: scan.coverage.reason,
      events: NO_EVENTS,
    };
    ledger.append('procmond', [{ action: 'process_scan_complete', data: scanEvidence(completed, scan, recorded.rowsWritten) }]);
    return completed;
  };

  /** What is on disk is a scan that succeeded, whatever becomes of telling it. */
  const tell = (completed: ScanCompleted): void => {
    try {
      options.onScan(completed);
    } catch (cause) {
      log.error({ error: messageOf(cause) }, 'scan.untold');
    }
  };

  const scanOnce = (): ScanCompleted | null => {
    try {
      const completed = store();
      state.scans++;
      state.last = completed;
      state.failure = null;
      log.info({ ...completed, event: undefined }, 'scan.completed');
      tell(completed);
      return completed;
    } catch (cause) {
      state.failure = { message: messageOf(cause), sinceMs: state.failure?.sinceMs ?? Date.now() };
      log.error({ error: messageOf(cause) }, 'scan.failed');
      return null;
    }
  };

  const tick = (): void => {
    scanOnce();
    // The next scan keeps the rhythm; what a slow scan missed is not made up for.
    const nowMs = performance.now();
    dueMs = Math.max(dueMs + options.intervalMs, nowMs);
    if (!stopped) timer = setTimeout(tick, dueMs - nowMs);
  };

  return {
    scanOnce,
    start: () => {
      dueMs = performance.now();
      tick();
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
    state,
  };
}

function scanEvidence(completed: ScanCompleted, scan: Scan, rowsWritten: number): Readonly<Record<string, unknown>> {
  return {
    correlation_id: completed.correlationId,
    scan_id: completed.scanId,
    duration_ms: completed.durationMs,
    processes: completed.processes,
    accessible: completed.accessible,
    started: completed.started,
    changed: completed.changed,
    stopped: completed.stopped,
    vanished: scan.coverage.vanished,
    errors: scan.coverage.errors,
    rows_written: rowsWritten,
  };
}
