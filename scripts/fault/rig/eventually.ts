/**
 * Waiting for something that another process does: looked at again and again until it holds or patience is over.
 */
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_EVERY_MS = 40;

/** What `look` gives once it gives something other than null, false or undefined; null after `patienceMs`. */
export async function eventually<Value>(
  patienceMs: number,
  look: () => Promise<Value | null | false | undefined> | Value | null | false | undefined,
): Promise<Value | null> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const value = await look();
    if (value !== null && value !== false && value !== undefined) return value;
    if (performance.now() > deadline) return null;
    await sleep(LOOK_EVERY_MS);
  }
}
