/**
 * Versions of packs: one to four dotted numbers, compared number by number. They say which of two packs of a name is
 * the newer one, nothing more.
 */

/** Without leading zeros, so that a version is written in one way. */
export const PACK_VERSION: RegExp = /^(0|[1-9]\d{0,8})(\.(0|[1-9]\d{0,8})){0,3}$/;

/** Below 0 where the first is the older one; a number that is left out counts as 0. */
export function compareVersions(first: string, second: string): number {
  const [left, right] = [numbersOf(first), numbersOf(second)];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The smallest version of as many numbers that is newer. */
export function nextVersion(version: string): string {
  const numbers = numbersOf(version);
  return [...numbers.slice(0, -1), (numbers.at(-1) ?? 0) + 1].join('.');
}

function numbersOf(version: string): readonly number[] {
  return version.split('.').map(Number);
}
