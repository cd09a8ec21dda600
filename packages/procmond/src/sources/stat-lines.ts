/**
 * The newest line of `schedstat` of each of many processes, kept as it was read: that a process did nothing since is
 * told by one comparison, without parsing.
 */

/** Of one line: three numbers of 64 bits. Longer ones are not kept. */
const SLOT_WORDS = 16;
const FIRST_SLOTS = 256;

/** No slot: of a process of which no line is kept. */
export const NO_SLOT = -1;

export type StatLines = {
  /** Whether the line in the buffer, `length` bytes long, is the one that was kept in `slot`. */
  readonly isSame: (slot: number, length: number) => boolean;
  /** Keeps the line in the buffer, in `slot` if there is one, and gives back where. */
  readonly keep: (slot: number, length: number) => number;
  readonly release: (slot: number) => void;
};

/** Lines are read into `buffer`, whose length is a multiple of four bytes and which has some to spare behind each line. */
export function createStatLines(buffer: Buffer): StatLines {
  const line = new Int32Array(buffer.buffer, buffer.byteOffset, buffer.length / 4);
  let kept = new Int32Array(FIRST_SLOTS * SLOT_WORDS);
  const free: number[] = [];
  let used = 0;
  /** How many words the line has; what is behind it in the last of them is made nought. */
  const wordsOf = (length: number): number => {
    buffer.fill(0, length, (length + 3) & ~3);
    return (length + 3) >> 2;
  };
  const newSlot = (): number => {
    const slot = free.pop() ?? used++;
    if (used * SLOT_WORDS > kept.length) {
      const larger = new Int32Array(kept.length * 2);
      larger.set(kept);
      kept = larger;
    }
    return slot;
  };
  const release = (slot: number): void => void (slot === NO_SLOT || free.push(slot));
  return {
    isSame: (slot, length) => {
      if (slot === NO_SLOT) return false;
      const words = wordsOf(length);
      if (words > SLOT_WORDS) return false;
      // A line ends with its only newline, so a shorter or longer one differs within these words.
      const start = slot * SLOT_WORDS;
      for (let at = 0; at < words; at++) if (line[at] !== kept[start + at]) return false;
      return true;
    },
    keep: (slot, length) => {
      const words = wordsOf(length);
      if (words > SLOT_WORDS) {
        release(slot);
        return NO_SLOT;
      }
      const into = slot === NO_SLOT ? newSlot() : slot;
      kept.set(line.subarray(0, words), into * SLOT_WORDS);
      return into;
    },
    release,
  };
}
