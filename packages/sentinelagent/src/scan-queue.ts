/**
 * Scans as procmond announces them, one at a time: while a cycle runs only the newest of the others is kept, because
 * rules see the newest scan anyway. What was passed over is counted.
 */
import type { ScanCompleted } from '@sentineld/model/scan';

export type ScanQueue = {
  readonly offer: (scan: ScanCompleted) => void;
  readonly skipped: () => number;
  /** Takes no more and waits for the cycle that runs. */
  readonly stop: () => Promise<void>;
};

export function createScanQueue(work: (scan: ScanCompleted) => Promise<void>): ScanQueue {
  let waiting: ScanCompleted | null = null;
  let running: Promise<void> | null = null;
  let skipped = 0;
  let stopped = false;
  const loop = async (): Promise<void> => {
    while (waiting !== null && !stopped) {
      const scan: ScanCompleted = waiting;
      waiting = null;
      await work(scan);
    }
    running = null;
  };
  return {
    offer: (scan) => {
      if (stopped) return;
      if (waiting !== null) skipped++;
      waiting = scan;
      running ??= loop();
    },
    skipped: () => skipped,
    stop: async () => {
      stopped = true;
      await running;
    },
  };
}
