/**
 * Lets other work go on in the midst of something long.
 */

/** Goes on in a later turn of the event loop, after whatever waits now. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
