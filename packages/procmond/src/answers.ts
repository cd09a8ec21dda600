/**
 * What procmond answers on its sockets: its health, and the recording of entries that the agent and the CLI send.
 */
import { SentinelError } from '@sentineld/model/error';
import type { AppendReply, Request } from '@sentineld/model/request';
import type { Peer } from '@sentineld/runtime/ipc/server';
import type { EventsWriter } from '@sentineld/store/events/writer';
import type { LedgerWriter } from '@sentineld/store/ledger/writer';
import { collectionDegradations, collectionFailures, type CollectionHealth } from './collection-health.ts';
import type { CollectorState } from './collector.ts';
import type { SettledPrivileges } from './settle-privileges.ts';

export type ProcmondHealth = {
  readonly component: 'procmond';
  readonly version: string;
  readonly pid: number;
  readonly uid: number;
  readonly startedMs: number;
  readonly state: 'ok' | 'degraded' | 'failing';
  /** What is not as it should be, each in a sentence. */
  readonly problems: readonly string[];
  readonly intervalMs: number;
  readonly scans: number;
  readonly lastScan: CollectorState['last'];
  readonly collection: CollectionHealth;
  readonly ledger: { readonly sequence: number; readonly entryHash: string };
  readonly privileges: SettledPrivileges['proof'];
  readonly hostId: string;
};

export type AnswerContext = {
  readonly version: string;
  readonly startedMs: number;
  readonly watch: {
    readonly collector: { readonly state: Readonly<CollectorState> };
    readonly intervalMs: () => number;
    readonly health: () => CollectionHealth;
  };
  readonly events: Pick<EventsWriter, 'hostId'>;
  readonly ledger: LedgerWriter;
  readonly privileges: SettledPrivileges;
};

/** Answers one permitted request; throws SentinelError for what cannot be done. */
export function answer(context: AnswerContext, request: Request, peer: Peer): ProcmondHealth | AppendReply | Record<string, never> {
  switch (request.request) {
    case 'health':
      return health(context);
    case 'subscribe':
      return {};
    case 'audit.append': {
      if (peer.credentials === null) {
        throw new SentinelError('native.unavailable', {
          message: 'who sends cannot be told on this platform, so nothing is recorded for others',
        });
      }
      return context.ledger.appendFromOrigin(peer.role, request.origin, request.entries, peer.credentials);
    }
    case 'audit.queue':
    case 'rules':
      throw new SentinelError('ipc.refused', { message: `request ${request.request} is for sentinelagent` });
  }
}

function health(context: AnswerContext): ProcmondHealth {
  const { watch, ledger, privileges } = context;
  const collector = watch.collector.state;
  const collection = watch.health();
  const intervalMs = watch.intervalMs();
  const ledgerFailure = ledger.failure();
  const overdueMs = Date.now() - (collector.last?.timestampMs ?? context.startedMs);
  const failures = [
    // While storing is paused, that says why.
    ...(collector.failure === null || collection.storage.paused !== null
      ? []
      : [`scans cannot be stored since ${new Date(collector.failure.sinceMs).toISOString()}: ${collector.failure.message}`]),
    ...(ledgerFailure === null ? [] : [`the ledger takes no entries: ${ledgerFailure.message}`]),
    ...collectionFailures(collection),
    ...(overdueMs > 3 * intervalMs + 5000 ? [`the newest scan is ${Math.round(overdueMs / 1000)} s old`] : []),
  ];
  const reduced = collector.last?.reducedVisibility ?? null;
  const degradations = [
    ...(privileges.unconfined === null ? [] : [`system calls that are not needed stay open: ${privileges.unconfined}`]),
    ...(reduced === null ? [] : [`reduced visibility: ${reduced}`]),
    ...collectionDegradations(collection, collector.last?.events ?? null, Date.now()),
  ];
  const head = ledger.head();
  return {
    component: 'procmond',
    version: context.version,
    pid: process.pid,
    uid: process.getuid?.() ?? -1,
    startedMs: context.startedMs,
    state: failures.length > 0 ? 'failing' : degradations.length > 0 ? 'degraded' : 'ok',
    problems: [...failures, ...degradations],
    intervalMs,
    scans: collector.scans,
    lastScan: collector.last,
    collection,
    ledger: { sequence: head.sequence, entryHash: head.entryHash },
    privileges: privileges.proof,
    hostId: context.events.hostId,
  };
}
