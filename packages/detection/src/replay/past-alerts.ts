/**
 * Which findings of the past would have been alerts: one whose key was seen lately is a repeat. The same as the agent
 * decides it, with the time of the scan as the clock.
 */

/**
 * Tells of each finding, given in the order of their times, whether it is an alert. A key that was last seen less than
 * `windowMs` ago is a repeat, and so stays one for as long as it goes on; 0: every finding is an alert.
 */
export function createRepeats(windowMs: number): (key: string, atMs: number) => boolean {
  const lastSeen = new Map<string, number>();
  return (key, atMs) => {
    const seenMs = lastSeen.get(key);
    lastSeen.set(key, atMs);
    // A key from the future is forgotten as well: a clock that was ahead must not suppress anything until then.
    return seenMs === undefined || Math.abs(atMs - seenMs) >= windowMs;
  };
}
