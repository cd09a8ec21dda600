import { NO_EVENTS } from '@sentineld/model/process-event';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LedgerHead } from '@sentineld/model/audit';
import type { OriginEntry, Request } from '@sentineld/model/request';
import { serveSocket, type SocketServer } from '@sentineld/runtime/ipc/server';
import { silentLogger } from '@sentineld/runtime/log/logger';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startProcmondLink, type ProcmondLink } from './procmond-link.ts';

const PROCMOND = { pid: 1, uid: 1, hostId: 'h', intervalMs: 500, lastScan: null, privileges: { effective: '0', seccomp: true } };
const SCAN = {
  event: 'scan.completed', scanId: 8, correlationId: 'scan-8', timestampMs: 1, durationMs: 1, processes: 1, accessible: 1,
  started: 0, changed: 0, stopped: 0, reducedVisibility: null,
      events: NO_EVENTS,
}; // prettier-ignore

const NEWEST = { epoch: 3, treeSize: 30, timestampMs: 5, note: 'n' };

let directory = '';
let server: SocketServer | null = null;
let link: ProcmondLink | null = null;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sentineld-link-'));
});
afterEach(async () => {
  link?.stop();
  await server?.close();
  server = null;
  rmSync(directory, { recursive: true });
});

function outbox() {
  let entries: OriginEntry[] = [];
  let next = 1;
  const heads: LedgerHead[] = [];
  return {
    heads,
    waiting: () => entries.length,
    queue: () => entries.push({ originSequence: next++, event: { action: 'rule_execute', data: {} } }),
    generation: () => 'gen',
    nextAudit: (limit: number) => entries.slice(0, limit),
    acknowledgeAudit: (last: number, head: LedgerHead) => {
      entries = entries.filter((entry) => entry.originSequence > last);
      heads.push(head);
    },
  };
}

async function serve(received: OriginEntry[]) {
  server = await serveSocket({
    path: join(directory, 's'),
    role: 'sentinelagent',
    permitted: new Set<Request['request']>(['health', 'subscribe', 'audit.append']),
    credentialsOf: null,
    admits: () => true,
    onRefused: () => undefined,
    greeting: () => [{ event: 'ledger.checkpoint', checkpoint: NEWEST }],
    answer: async (request) => {
      if (request.request !== 'audit.append') return PROCMOND;
      received.push(...request.entries);
      return { head: { sequence: received.length, entryHash: 'ab' }, lastOriginSequence: request.entries.at(-1)?.originSequence ?? 0 };
    },
  });
}

describe('startProcmondLink', () => {
  it('hands over what waited while procmond was away, in order, and is told of scans', async () => {
    const store = outbox();
    for (let i = 0; i < 130; i++) store.queue();
    const scans: number[] = [];
    const healths: unknown[] = [];
    const checkpoints: unknown[] = [];
    link = startProcmondLink({
      path: join(directory, 's'),
      store,
      log: silentLogger(),
      onConnected: async (health) => {
        healths.push(health);
      },
      onEvents: () => undefined,
      onScan: (scan) => scans.push(scan.scanId),
      onCheckpoint: (checkpoint) => checkpoints.push(checkpoint),
    });
    expect(link.state().connected).toBe(false);
    await link.forwardAudit();
    expect(store.waiting()).toBe(130);
    const received: OriginEntry[] = [];
    await serve(received);
    await expect.poll(() => store.waiting(), { timeout: 10_000 }).toBe(0);
    expect(received.map(({ originSequence }) => originSequence)).toEqual(Array.from({ length: 130 }, (_, i) => i + 1));
    expect(healths).toEqual([PROCMOND]);
    expect(link.state().connected).toBe(true);
    server?.publish({ event: 'scan.completed', scanId: 'not a number' });
    server?.publish(SCAN);
    await expect.poll(() => scans).toEqual([8]);
    expect(checkpoints).toEqual([NEWEST]);
    server?.publish({ event: 'ledger.checkpoint', checkpoint: { ...NEWEST, epoch: 0 } });
    server?.publish({ event: 'ledger.checkpoint', checkpoint: { ...NEWEST, epoch: 4 } });
    await expect.poll(() => checkpoints).toEqual([NEWEST, { ...NEWEST, epoch: 4 }]);
  });

  it('connects again after procmond was gone', async () => {
    const store = outbox();
    await serve([]);
    link = startProcmondLink({
      path: join(directory, 's'),
      store,
      log: silentLogger(),
      onConnected: async () => undefined,
      onScan: () => undefined,
      onEvents: () => undefined,
      onCheckpoint: () => undefined,
    });
    await expect.poll(() => link?.state().connected).toBe(true);
    await server?.close();
    await expect.poll(() => link?.state().connected).toBe(false);
    store.queue();
    const received: OriginEntry[] = [];
    await serve(received);
    await expect.poll(() => received.length, { timeout: 10_000 }).toBe(1);
  });
});
