/**
 * What procmond answers on its sockets: its health, the recording of entries that the agent and the CLI send, and what is
 * asked of the ledger itself.
 */
import type { CheckpointNotice } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import type { AppendReply, ArchiveReply, PeerCredentials, Request, RestoreReply, RotateKeyReply } from '@sentineld/model/request';
import type { Peer, Refused } from '@sentineld/runtime/ipc/server';
import type { EventsWriter } from '@sentineld/store/events/writer';
import { collectionDegradations, collectionFailures, type CollectionHealth } from './collection-health.ts';
import type { CollectorState } from './collector.ts';
import type { LedgerHealth, LedgerKeeper } from './ledger-keeper.ts';
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
  readonly ledger: LedgerHealth;
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
  readonly keeper: Pick<LedgerKeeper, 'health' | 'problems' | 'checkpoint' | 'archive' | 'restore'> & {
    readonly ledger: Pick<LedgerKeeper['ledger'], 'submit' | 'rotateKey' | 'failure'>;
  };
  readonly privileges: SettledPrivileges;
  /** The user who may change the ledger beside root: procmond's own. */
  readonly ownUid: number;
  /** Told of what somebody asked for who may not. */
  readonly onRefused: (refused: Refused) => void;
};

type Answer = ProcmondHealth | AppendReply | CheckpointNotice | RotateKeyReply | ArchiveReply | RestoreReply | Record<string, never>;

/** Answers one permitted request; throws SentinelError for what cannot be done. */
export function answer(context: AnswerContext, request: Request, peer: Peer): Answer | Promise<Answer> {
  const { keeper } = context;
  switch (request.request) {
    case 'health':
      return health(context);
    case 'subscribe':
      return {};
    case 'audit.append':
      return keeper.ledger.submit(peer.role, request.origin, request.entries, knownPeer(peer));
    case 'ledger.checkpoint':
      return keeper.checkpoint();
    case 'ledger.rotate_key':
      requireOwner(context, request, peer);
      return keeper.ledger.rotateKey();
    case 'ledger.archive':
      requireOwner(context, request, peer);
      return keeper.archive(request.beforeMs);
    case 'ledger.restore': {
      const { uid } = requireOwner(context, request, peer);
      return keeper.restore({ reason: request.reason, uid, notes: request.notes });
    }
    case 'audit.queue':
    case 'rules':
    case 'rules.reload':
    case 'rules.override':
    case 'alerts.ack':
    case 'alerts.suppress':
    case 'alerts.unsuppress':
      throw new SentinelError('ipc.refused', { message: `request ${request.request} is for sentinelagent` });
  }
}

function knownPeer({ credentials }: Peer): PeerCredentials {
  if (credentials !== null) return credentials;
  throw new SentinelError('native.unavailable', {
    message: 'who sends cannot be told on this platform, so nothing is recorded for others',
  });
}

/** Whoever may ask procmond may not for that change the ledger. */
function requireOwner({ ownUid, onRefused }: AnswerContext, { request }: Request, peer: Peer): PeerCredentials {
  const credentials = knownPeer(peer);
  if (credentials.uid === 0 || credentials.uid === ownUid) return credentials;
  onRefused({ peer, reason: `uid ${credentials.uid} may not ask for ${request}` });
  throw new SentinelError('ipc.refused', {
    message: `${request} is for root and for the user of procmond, uid ${ownUid}, and not for uid ${credentials.uid}`,
    hint: 'ask as root',
    context: { request, uid: credentials.uid },
  });
}

function health(context: AnswerContext): ProcmondHealth {
  const { watch, keeper, privileges } = context;
  const collector = watch.collector.state;
  const collection = watch.health();
  const intervalMs = watch.intervalMs();
  const ledgerFailure = keeper.ledger.failure();
  const ledgerProblems = keeper.problems();
  const overdueMs = Date.now() - (collector.last?.timestampMs ?? context.startedMs);
  const failures = [
    // While storing is paused, that says why.
    ...(collector.failure === null || collection.storage.paused !== null
      ? []
      : [`scans cannot be stored since ${new Date(collector.failure.sinceMs).toISOString()}: ${collector.failure.message}`]),
    ...(ledgerFailure === null ? [] : [`the ledger takes no entries: ${ledgerFailure.message}`]),
    ...ledgerProblems.failures,
    ...collectionFailures(collection),
    ...(overdueMs > 3 * intervalMs + 5000 ? [`the newest scan is ${Math.round(overdueMs / 1000)} s old`] : []),
  ];
  const reduced = collector.last?.reducedVisibility ?? null;
  const degradations = [
    ...(privileges.unconfined === null ? [] : [`system calls that are not needed stay open: ${privileges.unconfined}`]),
    ...(reduced === null ? [] : [`reduced visibility: ${reduced}`]),
    ...ledgerProblems.degradations,
    ...collectionDegradations(collection, collector.last?.events ?? null, Date.now()),
  ];
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
    ledger: keeper.health(),
    privileges: privileges.proof,
    hostId: context.events.hostId,
  };
}
