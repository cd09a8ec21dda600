/**
 * Closes an epoch of the ledger each time its interval is over, whether or not anything was recorded, by a clock that nobody
 * sets. While the ledger has failed or lives on its reserve the epoch goes on, and it is tried again.
 */
import { messageOf } from '@sentineld/model/error';
import type { Logger } from '@sentineld/runtime/log/logger';
import type { LedgerWriter } from '@sentineld/store/ledger/writer';

/** Not longer than this between two looks: the interval may be another by then. */
const LOOK_MS = 60_000;
const RETRY_MS = 5_000;

export type EpochOptions = {
  readonly ledger: Pick<LedgerWriter, 'checkpoint' | 'failure' | 'isOnReserve'>;
  /** Asked anew each time. */
  readonly intervalMs: () => number;
  /** Milliseconds of a clock that nobody sets. */
  readonly nowMs: () => number;
  readonly log: Logger;
};

export type LedgerEpochs = {
  /** Closes an epoch now, and from then on each time the interval is over. */
  readonly start: () => void;
  /** Closes the epoch; false where that cannot be done now. Never throws. */
  readonly close: () => boolean;
  readonly stop: () => void;
  /** Why the newest try failed, and since when they do, in milliseconds since 1970; null where it did not. */
  readonly failure: () => { readonly message: string; readonly sinceMs: number } | null;
};

export function createEpochs({ ledger, intervalMs, nowMs, log }: EpochOptions): LedgerEpochs {
  let timer: NodeJS.Timeout | undefined;
  let begunMs = Number.NEGATIVE_INFINITY;
  let triedMs = Number.NEGATIVE_INFINITY;
  let failure: ReturnType<LedgerEpochs['failure']> = null;
  const close = (): boolean => {
    if (ledger.failure() !== null || ledger.isOnReserve()) return false;
    try {
      ledger.checkpoint();
      failure = null;
      return true;
    } catch (cause) {
      failure = { message: messageOf(cause), sinceMs: failure?.sinceMs ?? Date.now() };
      log.error({ error: failure.message }, 'ledger.epoch_not_closed');
      return false;
    }
  };
  const tick = (): void => {
    if (leftMs() <= 0) {
      triedMs = nowMs();
      if (close()) begunMs = triedMs;
    }
    timer = setTimeout(tick, Math.min(Math.max(0, leftMs()), LOOK_MS));
  };
  const leftMs = (): number => Math.max(begunMs + intervalMs(), triedMs + Math.min(RETRY_MS, intervalMs())) - nowMs();
  return {
    close,
    start: tick,
    stop: () => clearTimeout(timer),
    failure: () => failure,
  };
}
