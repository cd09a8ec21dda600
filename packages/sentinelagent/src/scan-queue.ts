/**
 * Scans as procmond announces them, one at a time: while a cycle runs only the newest of the others is kept, because
 * rules see the newest scan anyway. What was passed over is counted. Between two scans there is a pass over events where
 * some were stored; a scan that waits makes it needless. Other work can have itself done between two cycles.
 */
import type { ScanCompleted } from '@sentineld/model/scan';

export type ScanQueue = {
  readonly offer: (scan: ScanCompleted) => void;
  /** Events were stored; before the first scan nothing is done about them. */
  readonly offerEvents: () => void;
  readonly skipped: () => number;
  /** Does this as soon as no cycle runs. */
  readonly between: <Result>(step: () => Result) => Promise<Result>;
  /** Takes no more and waits for the cycle that runs. */
  readonly stop: () => Promise<void>;
};

/** What there is to do: all rules over a scan, or those that wait for events over what was stored since the newest scan. */
export type CycleKind = 'scan' | 'events';

export function createScanQueue(work: (scan: ScanCompleted, kind: CycleKind) => Promise<void>): ScanQueue {
  let waiting: ScanCompleted | null = null;
  let newest: ScanCompleted | null = null;
  let hasEvents = false;
  let running: Promise<void> | null = null;
  const steps: (() => void)[] = [];
  let skipped = 0;
  let stopped = false;
  const takeNext = (): [ScanCompleted, CycleKind] | null => {
    const next: [ScanCompleted, CycleKind] | null =
      waiting !== null ? [waiting, 'scan'] : hasEvents && newest !== null ? [newest, 'events'] : null;
    waiting = null;
    hasEvents = false;
    return next;
  };
  const loop = async (): Promise<void> => {
    for (let next = takeNext(); next !== null && !stopped; next = takeNext()) {
      await work(...next);
      for (const step of steps.splice(0)) step();
    }
    running = null;
  };
  return {
    offer: (scan) => {
      if (stopped) return;
      if (waiting !== null) skipped++;
      waiting = scan;
      newest = scan;
      running ??= loop();
    },
    offerEvents: () => {
      if (stopped || newest === null) return;
      hasEvents = true;
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
