/**
 * Scans as procmond announces them, one at a time: while a cycle runs only the newest of the others is kept, because
 * rules see the newest scan anyway. What was passed over is counted. Other work can have itself done between two cycles.
 */
import type { ScanCompleted } from '@sentineld/model/scan';

export type ScanQueue = {
  readonly offer: (scan: ScanCompleted) => void;
  readonly skipped: () => number;
  /** Does this as soon as no cycle runs. */
  readonly between: <Result>(step: () => Result) => Promise<Result>;
  /** Takes no more and waits for the cycle that runs. */
  readonly stop: () => Promise<void>;
};

export function createScanQueue(work: (scan: ScanCompleted) => Promise<void>): ScanQueue {
  let waiting: ScanCompleted | null = null;
  let running: Promise<void> | null = null;
  const steps: (() => void)[] = [];
  let skipped = 0;
  let stopped = false;
  const loop = async (): Promise<void> => {
    while (waiting !== null && !stopped) {
      const scan: ScanCompleted = waiting;
      waiting = null;
      await work(scan);
      for (const step of steps.splice(0)) step();
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
    between: <Result>(step: () => Result) =>
      new Promise<Result>((resolve, reject) => {
        const take = (): void => settleWith(step, resolve, reject);
        if (running === null) take();
        else steps.push(take);
      }),
    stop: async () => {
      stopped = true;
      await running;
    },
  };
}

function settleWith<Result>(step: () => Result, resolve: (result: Result) => void, reject: (reason: Error) => void): void {
  try {
    resolve(step());
  } catch (cause) {
    reject(cause instanceof Error ? cause : new Error(String(cause)));
  }
}
