/**
 * What is costly to make and may be made anew, kept by a text. Where more is asked for in turn than there is room for, some
 * stay and the others are made each time: letting go of the longest unused would keep none of them until it is asked for again.
 */
export type Kept<T> = {
  /** The one that is kept by this text, or what `make` returns; what it throws is not kept. */
  readonly get: (key: string, make: () => T) => T;
  /** Lets go of all, and keeps none from now on. */
  readonly stop: () => void;
};

/** One that was not asked for while so many times the room was, is not asked for any more. */
const UNUSED_ROUNDS = 4;

/** Keeps none where `most` is 0. */
export function createKept<T extends object>(most: number): Kept<T> {
  const kept = new Map<string, { readonly value: T; readonly usedAt: number }>();
  let room = most;
  let now = 0;
  /** The longest unused is the first: whatever is used goes to the end. */
  const makeRoom = (): void => {
    const [oldest] = kept;
    if (oldest !== undefined && now - oldest[1].usedAt > UNUSED_ROUNDS * most) kept.delete(oldest[0]);
  };
  return {
    get: (key, make) => {
      now++;
      const value = kept.get(key)?.value ?? make();
      kept.delete(key);
      if (kept.size >= room) makeRoom();
      if (kept.size < room) kept.set(key, { value, usedAt: now });
      return value;
    },
    stop: () => {
      room = 0;
      kept.clear();
    },
  };
}
