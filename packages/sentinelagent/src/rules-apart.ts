/**
 * Rules that take long, run one after the other beside the cycles: what takes its time delays no rule that does not. Each
 * is held to the deadline of the configuration, and one that keeps overrunning it is set aside like any other.
 */
import type { ScanCompleted } from '@sentineld/model/scan';
import type { Evaluation } from './detect/evaluate-rule.ts';
import type { RuleEntry } from './rule-entry.ts';

/** A rule that came to its end beside the cycles. */
export type EvaluatedApart = { readonly entry: RuleEntry; readonly scan: ScanCompleted; readonly evaluation: Evaluation };

export type RulesApart = {
  /** False where it still runs or waits from a scan before: then it is passed over. */
  readonly offer: (entry: RuleEntry, scan: ScanCompleted, evaluate: () => Promise<Evaluation>) => boolean;
  /** What has ended since this was called last. */
  readonly take: () => readonly EvaluatedApart[];
  /** Begins no other rule, and forgets what ends from now on: it has to be evaluated again. */
  readonly stop: () => void;
};

/** `onEnded` is called when one has ended. */
export function createRulesApart(onEnded: () => void): RulesApart {
  const busy = new Set<string>();
  const waiting: (() => Promise<void>)[] = [];
  const ended: EvaluatedApart[] = [];
  let isRunning = false;
  let isStopped = false;
  const loop = async (): Promise<void> => {
    isRunning = true;
    for (let next = waiting.shift(); next !== undefined && !isStopped; next = waiting.shift()) await next();
    isRunning = false;
  };
  return {
    offer: (entry, scan, evaluate) => {
      const { id } = entry.rule;
      if (busy.has(id)) return false;
      busy.add(id);
      waiting.push(async () => {
        const evaluation = await evaluate();
        busy.delete(id);
        if (isStopped) return;
        ended.push({ entry, scan, evaluation });
        onEnded();
      });
      if (!isRunning) void loop();
      return true;
    },
    take: () => ended.splice(0),
    stop: () => {
      isStopped = true;
    },
  };
}
