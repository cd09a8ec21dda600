/**
 * The clocks of a past scan, for the timetables of rules. The times of the scans are all there is: the clock that nobody
 * sets goes on by what lies between two of them, and stands still where the other one was put back.
 */
import type { Clocks } from '../rules/timetable.ts';

/** Give it the times of the scans in the order of their ids, milliseconds since 1970. */
export function createPastClock(): (atMs: number) => Clocks {
  let lastMs: number | null = null;
  let monotonicMs = 0;
  return (atMs) => {
    monotonicMs += lastMs === null ? 0 : Math.max(0, atMs - lastMs);
    lastMs = atMs;
    return { monotonicMs, wallMs: atMs };
  };
}
