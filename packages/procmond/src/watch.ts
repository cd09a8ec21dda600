/**
 * The parts that watch a host, put together: the source of processes and that of events, what is made of them, and what
 * keeps all of it within bounds. Data flows one way: source, queue, store, whoever subscribed.
 */
import { messageOf } from '@sentineld/model/error';
import type { Redactor } from '@sentineld/model/redact';
import type { AuditEvent } from '@sentineld/model/audit';
import type { ScanCompleted } from '@sentineld/model/scan';
import type { Config } from '@sentineld/runtime/config/config';
import type { LoadedConfig } from '@sentineld/runtime/config/load';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { collectGarbage } from '@sentineld/runtime/lifecycle/node-flags';
import type { Logger } from '@sentineld/runtime/log/logger';
import type { EventsWriter } from '@sentineld/store/events/writer';
import type { LedgerWriter } from '@sentineld/store/ledger/writer';
import { walReaders } from '@sentineld/store/wal';
import { budgetHealth, type CollectionHealth, type LoopStall } from './collection-health.ts';
import { createCollector, type Collector } from './collector.ts';
import { createAncestry } from './events/ancestry.ts';
import { createEventPipeline, type EventPipeline } from './events/event-pipeline.ts';
import { createEventQueue, type EventQueue } from './events/event-queue.ts';
import { attachEvents } from './events/open-events.ts';
import { openSpill } from './events/spill.ts';
import { createExecutableHashing, type ExecutableHashing } from './executable-hashing.ts';
import { createGovernor, type GovernorState } from './governor.ts';
import { watchLoop, type LoopWatch } from './loop-watch.ts';
import { createMaintenance, type Maintenance } from './maintenance.ts';
import type { SettledPrivileges } from './settle-privileges.ts';
import type { ProcessSource } from './sources/process-source.ts';
import { createTidy } from './tidy.ts';
import { createStorageGuard, type StorageGuard } from './storage-guard.ts';

/** Keys of the configuration that take effect without a restart. */
export const LIVE_SETTINGS: ReadonlySet<string> = new Set([
  'log.level',
  'collection.interval',
  'collection.hash',
  'storage.retention_age',
  'storage.retention_size',
  'storage.wal_limit',
  'ledger.checkpoint_interval',
]);

const GOVERNED_MS = 60_000;

export type WatchOptions = {
  /** As it was at the start. */
  readonly loaded: LoadedConfig;
  /** As it is now: LIVE_SETTINGS may change under way. */
  readonly current: () => Config;
  readonly paths: StatePaths;
  readonly privileges: SettledPrivileges;
  readonly source: ProcessSource;
  readonly redact: Redactor;
  readonly events: EventsWriter;
  readonly ledger: LedgerWriter;
  readonly log: Logger;
  readonly onScan: (scan: ScanCompleted) => void;
  readonly onEventsStored: () => void;
};

export type Watch = {
  readonly collector: Collector;
  readonly start: () => void;
  /** Stores what it still has and lets go of what it holds open. */
  readonly stop: () => void;
  /** From one scan to the next, as it is now. */
  readonly intervalMs: () => number;
  readonly health: () => CollectionHealth;
};

export function createWatch(options: WatchOptions): Watch {
  const { loaded, current, events, ledger, log, source } = options;
  const { collection } = loaded.config;
  const record = recorder(ledger, log);
  const storage = guardStorage(options, record);
  const queue = createQueue(options);
  const { pipeline, broken } = joinEvents(options, queue, storage);
  const hashing = hashExecutables(options);
  let stall: LoopStall | null = null;
  const loop = watchClocks(options, record, (durationMs) => {
    stall = { durationMs, atMs: Date.now() };
  });
  const governor = govern(collection, record, (state) => {
    hashing.pause(state.hashingPaused);
    source.trim(state.enrichmentTrimmed);
  });
  const intervalMs = (): number => current().collection.interval * governor.state().intervalFactor;
  const onScan = (scan: ScanCompleted): void => {
    options.onScan(scan);
    if (current().collection.hash) hashing.wake();
  };
  const tidy = createTidy({
    memoryBytes: collection.budget.memory,
    rssBytes: () => process.memoryUsage.rss(),
    collect: collectGarbage,
    nowMs: () => performance.now(),
  });
  const onTurn = (): void => {
    tidy();
    governor.measure();
  };
  const collector = createCollector({ source, events, ledger, pipeline, storage, log, intervalMs, onScan, onTurn });
  const maintenance = maintain(options, storage, loop, record);
  return {
    collector,
    intervalMs,
    start: () => {
      collector.start();
      pipeline.start();
      maintenance.start();
    },
    stop: () => stopAll([collector.stop, maintenance.stop, loop.stop, hashing.stop, pipeline.stop, source.close], log),
    health: () => ({
      events: eventsHealth(options, pipeline, queue, broken),
      budget: budgetHealth(governor.state(), { cpuPercent: collection.budget.cpu, memoryBytes: collection.budget.memory }),
      storage: { ...events.size(), walBytes: events.wal().bytes, paused: storage.pause() },
      hashing: { pending: events.executables.counts().pending, paused: governor.state().hashingPaused },
      notes: source.notes(),
      stall,
    }),
  };
}

function guardStorage({ current, paths, events, ledger }: WatchOptions, record: Recorder): StorageGuard {
  return createStorageGuard({
    walLimitBytes: () => current().storage.wal_limit,
    walBytes: () => events.wal().bytes,
    checkpoint: events.checkpoint,
    readers: () => walReaders(paths.eventsDb),
    ledgerIsFull: () => ledger.isOnReserve(),
    record,
    nowMs: Date.now,
  });
}

/** The pipeline, and why there are no events any more where its source broke. */
function joinEvents(
  { loaded, current, privileges, source, redact, events, log, onEventsStored }: WatchOptions,
  queue: EventQueue,
  storage: StorageGuard,
) {
  const broken: string[] = [];
  const pipeline = createEventPipeline({
    source: attachEvents(privileges.events, { argvLimitBytes: loaded.config.collection.argv_limit, native: privileges.native }),
    queue,
    ancestry: createAncestry(source.lookUp),
    redact,
    store: (batch) => events.recordEvents(batch, queue.spillSequence()),
    // Between two looks at it the log must not grow without bound either.
    mayStore: () => storage.pause() === null && events.wal().bytes <= current().storage.wal_limit,
    onStoreFailed: (cause) => {
      storage.failed(cause);
      log.error({ error: messageOf(cause) }, 'events.unstored');
    },
    onStored: onEventsStored,
    onSourceFailed: (cause) => {
      broken.push(`their source broke: ${messageOf(cause)}`);
      log.error({ error: messageOf(cause) }, 'events.source_failed');
    },
    monotonicMs: () => Number(process.hrtime.bigint()) / 1e6,
    wallMs: Date.now,
  });
  return { pipeline, broken };
}

function eventsHealth({ privileges }: WatchOptions, pipeline: EventPipeline, queue: EventQueue, broken: readonly string[]) {
  const { tier, reasons } = privileges.events;
  return {
    tier: broken.length > 0 ? ('off' as const) : tier,
    reasons: [...reasons, ...broken],
    total: pipeline.total(),
    queued: queue.length(),
    spilled: queue.counts().spilled,
  };
}

function hashExecutables(options: WatchOptions): ExecutableHashing {
  const { events, source, log } = options;
  const { collection } = options.loaded.config;
  return createExecutableHashing({
    executables: events.executables,
    openPathOf: source.openPathOf,
    fileLimitBytes: collection.hash_file_limit,
    bytesPerSecond: collection.hash_rate,
    native: options.privileges.native,
    onError: (cause) => log.error({ error: messageOf(cause) }, 'hashing.failed'),
  });
}

function maintain({ current, events, log }: WatchOptions, storage: StorageGuard, loop: LoopWatch, record: Recorder): Maintenance {
  const limits = () => ({ ageMs: current().storage.retention_age, sizeBytes: current().storage.retention_size });
  // On a full disk deleting is what helps; behind a reader it would only make the log grow.
  const mayDelete = (): boolean => storage.pause()?.kind !== 'log_held';
  return createMaintenance({ events, limits, trustedNow: loop.trustedNow, mayDelete, record, log });
}

type Recorder = (event: AuditEvent) => void;

/** Whatever cannot be recorded is logged, and nothing else stops because of it. */
function recorder(ledger: LedgerWriter, log: Logger): Recorder {
  return (event) => {
    log.warn({ ...event.data }, event.action);
    try {
      ledger.append('procmond', [event]);
    } catch (cause) {
      log.error({ action: event.action, error: messageOf(cause) }, 'ledger.append_failed');
    }
  };
}

function createQueue({ loaded, paths, events, log }: WatchOptions) {
  const { limit, policy, timeout, spill_limit: limitBytes } = loaded.config.collection.queue;
  const spill =
    policy === 'spill-to-disk'
      ? openSpill({
          directory: paths.spillDir,
          limitBytes,
          storedUpTo: events.spillStoredUpTo,
          onProblem: ({ kind, message }) => log.warn({ kind, message }, 'spill.problem'),
        })
      : null;
  return createEventQueue({ limit, policy, timeoutMs: timeout, spill, nowMs: () => performance.now() });
}

function watchClocks({ events }: WatchOptions, record: Recorder, onStall: (durationMs: number) => void): LoopWatch {
  return watchLoop({
    // What was believed last, not when the newest scan was stored: that may have been by a clock that had jumped.
    lastSeenMs: events.trustedMs ?? events.size().newestScanMs,
    onStall: (durationMs) => {
      onStall(durationMs);
      record({ action: 'loop_stall', data: { duration_ms: Math.round(durationMs) } });
    },
    onTimeJump: (jumpMs) => record({ action: 'time_jump', data: { jump_ms: Math.round(jumpMs) } }),
  });
}

type Governing = { readonly state: () => GovernorState; readonly measure: () => void };

/** `apply` is told of each step. */
function govern({ budget, interval }: Config['collection'], record: Recorder, apply: (state: GovernorState) => void): Governing {
  const governor = createGovernor({
    budget: { cpuPercent: budget.cpu, memoryBytes: budget.memory },
    // Of two scans at least: one that is rare is not taken for the rule.
    windowMs: Math.max(GOVERNED_MS, 2 * interval),
    nowMs: () => performance.now(),
    cpuUsage: () => {
      const { user, system } = process.cpuUsage();
      return user + system;
    },
    rssBytes: () => process.memoryUsage.rss(),
    onStep: ({ from, to, reason, cpuPercent, rssBytes }) => {
      record({ action: 'budget_step', data: { from, to, reason, cpu_percent: cpuPercent, rss_bytes: rssBytes } });
      apply(governor.state());
    },
  });
  return governor;
}

/** Each whatever becomes of the others. */
function stopAll(stops: readonly (() => void)[], log: Logger): void {
  for (const stop of stops) {
    try {
      stop();
    } catch (cause) {
      log.error({ error: messageOf(cause) }, 'stop.failed');
    }
  }
}
