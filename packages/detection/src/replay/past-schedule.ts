/**
 * Over which scans of the past a rule with a schedule would have been run. The times of the scans are the only clock there
 * is: an interval counts from the scan at which the rule was due.
 */
import { parseSchedule } from '../rules/schedule.ts';

export type PastSchedule = {
  /** Times are those of scans, milliseconds since 1970. */
  readonly isDue: (atMs: number) => boolean;
  /** Has to be told when the rule was run. */
  readonly ran: (atMs: number) => void;
};

/** `schedule` is that of a rule that was loaded; left out it is every scan. */
export function createPastSchedule(schedule = 'scan'): PastSchedule {
  const parsed = parseSchedule(schedule);
  if (parsed.ok && parsed.schedule.kind === 'every') return interval(parsed.schedule.everyMs);
  if (parsed.ok && parsed.schedule.kind === 'cron') return timesOfDay(parsed.schedule.nextAfter);
  return { isDue: () => true, ran: () => undefined };
}

/** Due at the first scan, as it is due when an agent starts. */
function interval(everyMs: number): PastSchedule {
  let dueMs: number | null = null;
  return {
    // A clock that was put back far must not keep the rule waiting for the time from which it came.
    isDue: (atMs) => dueMs === null || atMs >= dueMs || dueMs - atMs > everyMs,
    ran: (atMs) => {
      const kept = (dueMs ?? atMs) + everyMs;
      dueMs = kept > atMs && kept - atMs <= everyMs ? kept : atMs + everyMs;
    },
  };
}

function timesOfDay(nextAfter: (ms: number) => number): PastSchedule {
  let dueMs: number | null = null;
  let knownMs = -Infinity;
  return {
    isDue: (atMs) => {
      if (dueMs === null || atMs < knownMs) dueMs = nextAfter(atMs);
      knownMs = atMs;
      return atMs >= dueMs;
    },
    ran: (atMs) => {
      dueMs = nextAfter(atMs);
    },
  };
}
