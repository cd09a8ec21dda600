/**
 * The collector: scans in turn, each written in one transaction and framed by two entries of the ledger, then told to
 * whoever subscribed. A scan that cannot be stored is an error that health shows; the next one is tried all the same.
 */
import { randomBytes } from 'node:crypto';
import type { AuditEvent } from '@sentineld/model/audit';
import { messageOf } from '@sentineld/model/error';
import type { EventCoverage } from '@sentineld/model/process-event';
import type { Scan, ScanCompleted } from '@sentineld/model/scan';
import type { Logger } from '@sentineld/runtime/log/logger';
import type { EventsWriter, RecordedScan } from '@sentineld/store/events/writer';
import type { LedgerWriter } from '@sentineld/store/ledger/writer';
import type { EventPipeline } from './events/event-pipeline.ts';
import type { ProcessSource } from './sources/process-source.ts';
import type { StorageGuard } from './storage-guard.ts';

export type CollectorOptions = {
  readonly source: Pick<ProcessSource, 'scan' | 'prepare'>;
  readonly events: Pick<EventsWriter, 'recordScan'>;
  readonly ledger: Pick<LedgerWriter, 'append' | 'failure' | 'reopen'>;
  readonly pipeline: Pick<EventPipeline, 'flush' | 'interval' | 'endInterval'>;
  readonly storage: Pick<StorageGuard, 'check' | 'stored' | 'failed' | 'pause'>;
  readonly log: Logger;
  /** From the start of one scan to the start of the next; asked anew each time. */
  readonly intervalMs: () => number;
  readonly onScan: (scan: ScanCompleted) => void;
  /** Called after each scan, stored or not. */
  readonly onTurn: () => void;
};

export type CollectorState = {
  scans: number;
  last: ScanCompleted | null;
  /** Why the newest scan could not be stored, and since when; null while all is well. */
  failure: { readonly message: string; readonly sinceMs: number } | null;
};

export type Collector = {
  /** One scan of a source that is ready for it. Null where it could not be stored. */
  readonly scanOnce: () => ScanCompleted | null;
  readonly start: () => void;
  readonly stop: () => void;
  readonly state: Readonly<CollectorState>;
};

export function createCollector(options: CollectorOptions): Collector {
  const { source, log } = options;
  const state: CollectorState = { scans: 0, last: null, failure: null };
  let timer: NodeJS.Timeout | undefined;
  let dueMs = 0;
  let stopped = false;

  const scanOnce = (): ScanCompleted | null => {
    try {
      const completed = storeScan(options);
      state.scans++;
      state.last = completed;
      state.failure = null;
      log.info({ ...completed, event: undefined }, 'scan.completed');
      tell(options, completed);
      return completed;
    } catch (cause) {
      state.failure = { message: messageOf(cause), sinceMs: state.failure?.sinceMs ?? Date.now() };
      log.error({ error: messageOf(cause) }, 'scan.failed');
      return null;
    }
  };

  const turn = (): void => {
    if (stopped) return;
    scanOnce();
    options.onTurn();
    // The next scan keeps the rhythm; what a slow scan missed is not made up for.
    const nowMs = performance.now();
    dueMs = Math.max(dueMs + options.intervalMs(), nowMs);
    if (!stopped) timer = setTimeout(tick, dueMs - nowMs);
  };

  const tick = (): void => {
    if (source.prepare === undefined) turn();
    // What it could not prepare, its scan says.
    else void source.prepare().then(turn, turn);
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

function storeScan({ source, events, ledger, pipeline, storage }: CollectorOptions): ScanCompleted {
  const correlationId = `scan-${randomBytes(8).toString('hex')}`;
  if (ledger.failure() !== null) ledger.reopen();
  storage.check();
  const begun: AuditEvent = { action: 'process_scan_start', data: { correlation_id: correlationId } };
  // While storage is paused a scan is a trial: it is recorded once it has succeeded, and what is left of the disk is not spent on it.
  const isTrial = storage.pause() !== null;
  if (!isTrial) ledger.append('procmond', [begun]);
  pipeline.flush();
  const scan = source.scan();
  const interval = pipeline.interval();
  const recorded = recordScan(storage, () =>
    events.recordScan(scan, correlationId, interval.tier === 'off' ? 'poll' : interval.tier, interval),
  );
  pipeline.endInterval();
  const completed = completedScan(scan, recorded, correlationId, interval);
  ledger.append('procmond', [
    ...(isTrial ? [begun] : []),
    { action: 'process_scan_complete', data: scanEvidence(completed, scan, recorded.rowsWritten) },
    ...(interval.lost + interval.dropped > 0 ? [{ action: 'events_lost' as const, data: lossEvidence(correlationId, interval) }] : []),
  ]);
  return completed;
}

function recordScan(storage: CollectorOptions['storage'], record: () => RecordedScan): RecordedScan {
  let recorded: RecordedScan;
  try {
    recorded = record();
  } catch (cause) {
    storage.failed(cause);
    throw cause;
  }
  storage.stored();
  return recorded;
}

/** What is on disk is a scan that succeeded, whatever becomes of telling it. */
function tell({ onScan, log }: CollectorOptions, completed: ScanCompleted): void {
  try {
    onScan(completed);
  } catch (cause) {
    log.error({ error: messageOf(cause) }, 'scan.untold');
  }
}

function completedScan(scan: Scan, recorded: RecordedScan, correlationId: string, events: EventCoverage): ScanCompleted {
  return {
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
    events,
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
    execs: completed.events.execs,
    exits: completed.events.exits,
  };
}

function lossEvidence(
  correlationId: string,
  { tier, lost, overruns, dropped, argvMissed }: EventCoverage,
): Readonly<Record<string, unknown>> {
  return { correlation_id: correlationId, tier, lost, overruns, dropped, argv_missed: argvMissed };
}
