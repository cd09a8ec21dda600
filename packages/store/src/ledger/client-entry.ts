/**
 * What a client asks to have recorded, as the ledger records it. The client chooses the data; who it is comes from
 * the socket, and the two members of event_data that say so are always the writer's own.
 */
import { ACTIONS_BY_ROLE } from '@sentineld/model/audit';
import { SentinelError } from '@sentineld/model/error';
import type { OriginEntry, PeerCredentials, SocketRole } from '@sentineld/model/request';
import { type EventText, eventText } from './event-text.ts';

/** Who is at the other end, from SO_PEERCRED. */
export type AuditPeer = Pick<PeerCredentials, 'uid' | 'pid'>;

/**
 * The event to store: the client's data with `peer` {uid, pid, role} and `origin` {id, sequence}. Members of these
 * names that the client sent are replaced: nothing it sends can take their place.
 */
export function clientEvent(role: SocketRole, origin: string, entry: OriginEntry, peer: AuditPeer): EventText {
  const stamps = { peer: { uid: peer.uid, pid: peer.pid, role }, origin: { id: origin, sequence: entry.originSequence } };
  return eventText({ action: entry.event.action, data: { ...entry.event.data, ...stamps } }, stamps);
}

/**
 * What a repeated send is recognised by. Role and user are part of it, so that no client can use up the numbers of another.
 */
export function originKey(role: SocketRole, origin: string, peer: AuditPeer): string {
  return `${role}:${peer.uid}:${origin}`;
}

/** @throws SentinelError ipc.refused for an action that the role may not record, ipc.protocol for numbers that do not grow. */
export function checkClientEntries(role: SocketRole, entries: readonly OriginEntry[]): void {
  let last = 0;
  for (const { originSequence, event } of entries) {
    if (!ACTIONS_BY_ROLE[role].includes(event.action)) {
      throw new SentinelError('ipc.refused', {
        message: `${role} may not record '${event.action}'.`,
        context: { role, action: event.action },
      });
    }
    if (!Number.isSafeInteger(originSequence) || originSequence <= last) {
      throw new SentinelError('ipc.protocol', {
        message: `Entries of ${role} must have growing numbers: ${originSequence} comes after ${last}.`,
        context: { role, originSequence },
      });
    }
    last = originSequence;
  }
}
