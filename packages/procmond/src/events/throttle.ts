/**
 * What adaptive throttling lets go of before the queue is full, so that room is left for what tells more. It keeps
 * nothing but counters, looks at the event alone, and decides the same for the same sequence of events.
 *
 *   more than 1/2 full    exits with status 0 go: that a process began is known, and that it ended well tells little
 *   more than 3/4 full    of execs of one file by one parent 1 in 2 is kept, past 7/8 1 in 4, past 15/16 1 in 8
 */
import type { ProcessEvent } from '@sentineld/model/process-event';

export type Throttle = {
  /** Whether an event is let go while `waiting` of `limit` places are taken. */
  readonly sheds: (event: ProcessEvent, waiting: number, limit: number) => boolean;
};

/** Pairs of parent and file that are counted; where there are more, counting begins anew, and a first one is always kept. */
const COUNTED_PAIRS = 4096;

export function createThrottle(): Throttle {
  const seen = new Map<string, number>();
  return {
    sheds: (event, waiting, limit) => {
      const fill = waiting / limit;
      if (fill <= 0.5) {
        seen.clear();
        return false;
      }
      if (event.kind === 'exit') return event.exitCode === 0;
      const path = event.command?.exePath ?? null;
      if (fill <= 0.75 || path === null || event.ppid === null) return false;
      const key = `${event.ppid} ${path}`;
      const before = seen.get(key) ?? 0;
      if (before === 0 && seen.size >= COUNTED_PAIRS) seen.clear();
      seen.set(key, before + 1);
      return before % keptOneIn(fill) !== 0;
    },
  };
}

function keptOneIn(fill: number): number {
  if (fill <= 7 / 8) return 2;
  return fill <= 15 / 16 ? 4 : 8;
}
