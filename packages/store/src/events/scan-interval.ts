/**
 * Where an interval of scans hangs in a virtual tree over all scan ids, so that the images that a past scan saw are
 * found by one index look-up per level instead of by looking at every image that ended later (relational interval tree:
 * Kriegel, Pötke, Seidl, VLDB 2000). The node of an interval is the scan id in it with the most trailing zeros.
 */

/** Scan ids stay below 2^31: at one scan every half second for 34 years. */
const MAX_SCAN_ID = 0x7fff_ffff;

/** Where images that the newest scan still sees hang: at one node above all others, which lies over every scan. */
export const LIVE_LEVEL = 31;
export const LIVE_NODE: number = 2 ** LIVE_LEVEL;

export type IntervalPlace = { readonly level: number; readonly node: number };

/** The place of the closed interval from `first` to `last`; its level is the number of trailing zeros of its node. */
export function placeOfInterval(first: number, last: number): IntervalPlace {
  if (first < 1 || last < first || last > MAX_SCAN_ID) throw new RangeError(`no interval of scans: ${first} to ${last}`);
  // The highest bit in which the two differ, or the lowest that is set where they do not.
  const level = 31 - Math.clz32(first === last ? first & -first : first ^ last);
  return { level, node: (last >>> level) << level };
}

/** The one node of a level that intervals around a scan can hang at, in SQL. */
export function nodeAroundSql(scan: string, level: string): string {
  return `((${scan} >> (${level} + 1)) << (${level} + 1)) + (1 << ${level})`;
}
