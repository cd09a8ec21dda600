/**
 * What a SIGHUP does: rules are loaded anew. Signals that come while that goes on are one more reload together, so that
 * no number of them piles up work.
 */
import { messageOf } from '@sentineld/model/error';
import type { Logger } from '@sentineld/runtime/log/logger';
import type { RuleKeeper } from './rule-keeper.ts';

/** To be called for each signal. What became of it is in the log and in the ledger: nobody waits for an answer. */
export function reloadOnSignal(keeper: Pick<RuleKeeper, 'reload'>, log: Logger): () => void {
  let isRunning = false;
  let isWanted = false;
  const work = async (): Promise<void> => {
    while (isWanted) {
      isWanted = false;
      try {
        await keeper.reload({ signal: 'SIGHUP' });
      } catch (cause) {
        log.error({ error: messageOf(cause) }, 'rules.reload_failed');
      }
    }
    isRunning = false;
  };
  return () => {
    isWanted = true;
    if (isRunning) return;
    isRunning = true;
    void work();
  };
}
