/**
 * Keeps memory away from its budget before anything has to be left out: garbage that V8 would keep for a while longer is
 * collected when the resident set comes near.
 */
/** Share of the budget at which it is tried. */
const NEAR = 0.85;
/** A collection takes some fifteen milliseconds: so often it is a third of a hundredth of a core. */
const EVERY_MS = 5000;

export type TidyOptions = {
  readonly memoryBytes: number;
  readonly rssBytes: () => number;
  /** False where it cannot be done. */
  readonly collect: () => boolean;
  /** Milliseconds by a clock that nobody sets. */
  readonly nowMs: () => number;
};

/** To be called after each scan, before the governor measures. */
export function createTidy({ memoryBytes, rssBytes, collect, nowMs }: TidyOptions): () => void {
  let triedMs = Number.NEGATIVE_INFINITY;
  return () => {
    if (nowMs() - triedMs < EVERY_MS || rssBytes() < NEAR * memoryBytes) return;
    collect();
    triedMs = nowMs();
  };
}
