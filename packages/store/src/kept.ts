/**
 * What is costly to make and may be made anew: so many are kept by a text, and of more the one that was longest unused goes.
 */
export type Kept<T> = {
  /** The one that is kept by this text, or what `make` returns; what it throws is not kept. */
  readonly get: (key: string, make: () => T) => T;
  /** Lets go of all, and keeps none from now on. */
  readonly stop: () => void;
};

/** Keeps none where `most` is 0. */
export function createKept<T extends object>(most: number): Kept<T> {
  const kept = new Map<string, T>();
  let room = most;
  return {
    get: (key, make) => {
      const known = kept.get(key);
      const value = known ?? make();
      kept.delete(key);
      kept.set(key, value);
      const [oldest] = kept.keys();
      if (kept.size > room && oldest !== undefined) kept.delete(oldest);
      return value;
    },
    stop: () => {
      room = 0;
      kept.clear();
    },
  };
}
