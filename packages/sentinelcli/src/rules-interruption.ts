/**
 * Ctrl-C while rules run: what runs is given up at once, and the command still says what it has by then.
 */
import type { ExecutorClient } from '@sentineld/detection/sql/executor-client';
import type { KeptSignals } from './signals.ts';

const LOOK_MS = 50;

/** Closes the executor when a signal comes; the statement in it then ends as 'crashed'. Returns what ends the watch. */
export function closeOnSignal(signals: Pick<KeptSignals, 'exitStatus'>, executor: Pick<ExecutorClient, 'close'>): () => void {
  const timer = setInterval(() => {
    if (signals.exitStatus() === null) return;
    clearInterval(timer);
    void executor.close();
  }, LOOK_MS);
  return () => clearInterval(timer);
}
