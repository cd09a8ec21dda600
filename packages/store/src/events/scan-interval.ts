/**
 * Where an interval of scans hangs in a virtual tree over all scan ids, so that the images that a past scan saw are
 * found by one index look-up per level instead of by looking at every image that ended later (relational interval tree:
 * Kriegel, Pötke, Seidl, VLDB 2000). The node of an interval is the scan id in it with the most trailing zeros; the
 * number of these zeros is its level, so that the node alone names its place.
 */

/** Above every level of scans: that of the images that the newest scan still sees. */
const LIVE_LEVEL = 30;

/** Scan ids stay below 2^30: at one scan every half second for 17 years. */
const MAX_SCAN_ID: number = 2 ** LIVE_LEVEL - 1;

/** Where images that the newest scan still sees hang: at one node above all others, which lies over every scan. */
export const LIVE_NODE: number = 2 ** LIVE_LEVEL;

/** `last_scan` of an image that the newest scan still saw: larger than any scan id, so that comparing needs no NULL. */
export const LIVE: number = 0x7fff_ffff;

/** Levels of the tree, the lowest is 0. */
export const LEVELS: number = LIVE_LEVEL + 1;

/** The node of the closed interval from `first` to `last`. */
export function nodeOfInterval(first: number, last: number): number {
  if (first < 1 || last < first || last > MAX_SCAN_ID) throw new RangeError(`no interval of scans: ${first} to ${last}`);
  // The highest bit in which the two differ, or the lowest that is set where they do not.
  const level = 31 - Math.clz32(first === last ? first & -first : first ^ last);
  return (last >>> level) << level;
}

/** The one node of a level that intervals around a scan can hang at, in SQL. */
export function nodeAroundSql(scan: string, level: string): string {
  return `((${scan} >> (${level} + 1)) << (${level} + 1)) + (1 << ${level})`;
}

/** The nodes that intervals around a scan can hang at, ascending: every other node below it is of intervals that ended before. */
export function nodesAround(scan: number): readonly number[] {
  const nodes = Array.from({ length: LEVELS }, (_, level) => Math.floor(scan / 2 ** (level + 1)) * 2 ** (level + 1) + 2 ** level);
  return nodes.toSorted((a, b) => a - b);
}
