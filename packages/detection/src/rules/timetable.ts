/**
 * When a rule with a schedule is due. Intervals are counted by a clock that nobody sets, so that a jump of the time of
 * day changes nothing about them; times of day follow the clock on the wall. A rule is due once, however many of its
 * times went by, and an interval is kept on the average although scans decide when rules are run at all.
 */
import { parseSchedule } from './schedule.ts';

export type Clocks = {
  /** Milliseconds of a clock that nobody sets. */
  readonly monotonicMs: number;
  /** Milliseconds since 1970. */
  readonly wallMs: number;
};

export type Timetable = {
  /** As the rule's file has it; 'scan' where it says nothing. */
  readonly schedule: string;
  readonly isDue: (now: Clocks) => boolean;
  /** Has to be told when the rule was run. */
  readonly ran: (now: Clocks) => void;
  /** When it is due next, in milliseconds since 1970, as the clocks stand now; null where each scan is looked at. */
  readonly nextMs: (now: Clocks) => number | null;
};

/** What is no schedule was refused when the rule was loaded; here it means every scan. */
export function createTimetable(schedule = 'scan'): Timetable {
  const parsed = parseSchedule(schedule);
  if (parsed.ok && parsed.schedule.kind === 'every') return interval(schedule, parsed.schedule.everyMs);
  if (parsed.ok && parsed.schedule.kind === 'cron') return timesOfDay(schedule, parsed.schedule.nextAfter);
  return { schedule, isDue: () => true, ran: () => undefined, nextMs: () => null };
}

/** Due at once after a start: how long ago it was run by then, no clock that is not set can tell. */
function interval(schedule: string, everyMs: number): Timetable {
  let dueMs: number | null = null;
  return {
    schedule,
    isDue: ({ monotonicMs }) => dueMs === null || monotonicMs >= dueMs,
    ran: ({ monotonicMs }) => {
      // From the time at which it was due, so that what scans are late by does not add up; but nothing is made up for.
      const kept = (dueMs ?? monotonicMs) + everyMs;
      dueMs = kept > monotonicMs ? kept : monotonicMs + everyMs;
    },
    nextMs: ({ monotonicMs, wallMs }) => wallMs + Math.max(0, (dueMs ?? monotonicMs) - monotonicMs),
  };
}

function timesOfDay(schedule: string, nextAfter: (ms: number) => number): Timetable {
  let dueMs: number | null = null;
  let knownMs = -Infinity;
  /** A clock that was set back must not keep the rule waiting for the time from which it came. */
  const dueAt = (wallMs: number): number => {
    if (dueMs === null || wallMs < knownMs) dueMs = nextAfter(wallMs);
    knownMs = wallMs;
    return dueMs;
  };
  return {
    schedule,
    isDue: ({ wallMs }) => wallMs >= dueAt(wallMs),
    ran: ({ wallMs }) => {
      dueMs = nextAfter(wallMs);
      knownMs = wallMs;
    },
    nextMs: ({ wallMs }) => dueAt(wallMs),
  };
}
