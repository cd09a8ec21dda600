/**
 * The agent's connection to procmond: it is told of scans and of checkpoints of the ledger, and hands over entries for the ledger. While procmond is
 * away it tries again; entries wait in the agent's file and arrive once, in order.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CheckpointNotice } from '@sentineld/model/audit';
import { SentinelError, messageOf } from '@sentineld/model/error';
import {
  AppendReplySchema,
  CheckpointEventSchema,
  EventsStoredSchema,
  ProcmondReplySchema,
  ScanCompletedSchema,
  type ProcmondReply,
} from '@sentineld/model/reply';
import type { ScanCompleted } from '@sentineld/model/scan';
import { openConnection, type Connection } from '@sentineld/runtime/ipc/client';
import type { Logger } from '@sentineld/runtime/log/logger';
import type { AgentWriter } from '@sentineld/store/agent/writer';

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 5000;
const ENTRIES_PER_REQUEST = 64;

export type LinkOptions = {
  readonly path: string;
  readonly store: Pick<AgentWriter, 'nextAudit' | 'acknowledgeAudit' | 'generation'>;
  readonly log: Logger;
  /** Called with procmond's health each time the connection stands. */
  readonly onConnected: (procmond: ProcmondReply) => Promise<void>;
  readonly onScan: (scan: ScanCompleted) => void;
  /** Called when process events were stored since it was called last. */
  readonly onEvents: () => void;
  /** Called with each checkpoint of the ledger, and with the newest each time the connection stands. */
  readonly onCheckpoint: (checkpoint: CheckpointNotice) => void;
};

export type ProcmondLink = {
  /** Hands over what waits in the store; resolves when all of it is acknowledged or procmond is away. */
  readonly forwardAudit: () => Promise<void>;
  readonly state: () => { readonly connected: boolean; readonly sinceMs: number; readonly reason: string };
  readonly stop: () => void;
};

export function startProcmondLink(options: LinkOptions): ProcmondLink {
  let connection: Connection | null = null;
  let since = { connected: false, sinceMs: Date.now(), reason: 'not connected yet' };
  let stopped = false;
  let forwarding: Promise<void> | null = null;

  const forward = async (to: Connection): Promise<void> => {
    for (;;) {
      const entries = options.store.nextAudit(ENTRIES_PER_REQUEST);
      const last = entries.at(-1);
      if (last === undefined) return;
      const reply = AppendReplySchema.parse(await to.ask({ request: 'audit.append', origin: options.store.generation(), entries }));
      options.store.acknowledgeAudit(reply.lastOriginSequence, reply.head);
      if (reply.lastOriginSequence < last.originSequence) {
        throw new SentinelError('ipc.protocol', {
          message: `procmond acknowledged entry ${reply.lastOriginSequence} of ${last.originSequence}`,
        });
      }
    }
  };

  const forwardAudit = async (): Promise<void> => {
    if (connection === null) return;
    const to = connection;
    forwarding ??= forward(to)
      .catch((cause: unknown) => options.log.warn({ error: messageOf(cause) }, 'audit.forward_failed'))
      .finally(() => {
        forwarding = null;
      });
    await forwarding;
  };

  const serve = async (): Promise<string> => {
    const opened = await openConnection(options.path, (event) => {
      const scan = ScanCompletedSchema.safeParse(event);
      if (scan.success) return options.onScan(scan.data);
      if (EventsStoredSchema.safeParse(event).success) return options.onEvents();
      const told = CheckpointEventSchema.safeParse(event);
      return told.success ? options.onCheckpoint(told.data.checkpoint) : undefined;
    });
    try {
      await opened.ask({ request: 'subscribe' });
      connection = opened;
      since = { connected: true, sinceMs: Date.now(), reason: '' };
      options.log.info({ path: options.path }, 'procmond.connected');
      await options.onConnected(ProcmondReplySchema.parse(await opened.ask({ request: 'health' })));
      await forwardAudit();
      return await opened.ended;
    } finally {
      connection = null;
      opened.close();
    }
  };

  const keepConnected = async (): Promise<void> => {
    let retryMs = FIRST_RETRY_MS;
    while (!stopped) {
      let reason: string;
      try {
        reason = await serve();
        retryMs = FIRST_RETRY_MS;
      } catch (cause) {
        reason = messageOf(cause);
      }
      if (stopped) return;
      if (since.connected || since.reason !== reason) options.log.warn({ reason }, 'procmond.unreachable');
      since = { connected: false, sinceMs: since.connected ? Date.now() : since.sinceMs, reason };
      await sleep(retryMs);
      retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
    }
  };

  void keepConnected();
  return {
    forwardAudit,
    state: () => since,
    stop: () => {
      stopped = true;
      connection?.close();
    },
  };
}
