import { NO_EVENTS } from '@sentineld/model/process-event';
import type { ScanCompleted } from '@sentineld/model/scan';
import { describe, expect, it } from 'vitest';
import { createScanQueue } from './scan-queue.ts';

const scan = (scanId: number): ScanCompleted => ({
  event: 'scan.completed', scanId, correlationId: `scan-${scanId}`, timestampMs: 0, durationMs: 1, processes: 1, accessible: 1,
  started: 0, changed: 0, stopped: 0, reducedVisibility: null,
      events: NO_EVENTS,
}); // prettier-ignore

describe('createScanQueue', () => {
  it('runs one cycle at a time, the newest next, and counts what it passed over', async () => {
    const seen: number[] = [];
    const releases: (() => void)[] = [];
    const queue = createScanQueue(async ({ scanId }) => {
      seen.push(scanId);
      await new Promise<void>((resolve) => releases.push(resolve));
    });
    [1, 2, 3, 4].forEach((id) => queue.offer(scan(id)));
    expect(seen).toEqual([1]);
    releases.shift()?.();
    await expect.poll(() => seen).toEqual([1, 4]);
    expect(queue.skipped()).toBe(2);
    const stopped = queue.stop();
    queue.offer(scan(5));
    releases.shift()?.();
    await stopped;
    expect(seen).toEqual([1, 4]);
  });

  it('passes over events between scans, of the newest scan, and not where a scan is next anyway', async () => {
    const seen: string[] = [];
    const releases: (() => void)[] = [];
    const queue = createScanQueue(async ({ scanId }, kind) => {
      seen.push(`${kind} ${scanId}`);
      await new Promise<void>((resolve) => releases.push(resolve));
    });
    queue.offerEvents();
    await expect.poll(() => seen).toEqual([]);
    queue.offer(scan(1));
    queue.offerEvents();
    queue.offer(scan(2));
    releases.shift()?.();
    await expect.poll(() => seen).toEqual(['scan 1', 'scan 2']);
    queue.offerEvents();
    queue.offerEvents();
    releases.shift()?.();
    await expect.poll(() => seen).toEqual(['scan 1', 'scan 2', 'events 2']);
    const stopped = queue.stop();
    queue.offerEvents();
    releases.shift()?.();
    await stopped;
    expect(seen).toHaveLength(3);
  });
});
