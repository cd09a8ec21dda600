/**
 * Keeps refused requests from filling the ledger: the first of a minute are recorded one by one, the rest as one entry
 * with their number and the kinds of reason. Whoever can connect can be refused as often as they like.
 */
import type { Refused } from './server.ts';

const WINDOW_MS = 60_000;
const RECORDED_PER_WINDOW = 10;

export type RefusalRecord = Readonly<Record<string, unknown>>;

export type RefusalLog = {
  readonly note: (refused: Refused) => void;
  /** Records what was only counted so far. */
  readonly flush: () => void;
};

/** `record` is called with what the ledger should keep. `clock` in milliseconds, monotonic. */
export function createRefusalLog(record: (data: RefusalRecord) => void, clock: () => number = () => performance.now()): RefusalLog {
  let windowStartMs = Number.NEGATIVE_INFINITY;
  let seen = 0;
  let reasons = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const counted = [...reasons.values()].reduce((sum, count) => sum + count, 0);
    if (counted > 0) record({ counted, reasons: Object.fromEntries(reasons) });
    reasons = new Map();
  };
  return {
    note: ({ peer, reason }) => {
      const nowMs = clock();
      if (nowMs - windowStartMs >= WINDOW_MS) {
        flush();
        windowStartMs = nowMs;
        seen = 0;
      }
      seen++;
      if (seen <= RECORDED_PER_WINDOW) return record({ role: peer.role, peer: peer.credentials, reason });
      // Reasons are our own words with numbers in them, so there are few.
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      timer ??= setTimeout(flush, WINDOW_MS).unref();
      return undefined;
    },
    flush,
  };
}
