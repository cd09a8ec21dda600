/**
 * The arithmetic of the benchmarks: medians, and what a series of samples grows by.
 */

export type Sample = { readonly atMs: number; readonly value: number };

/** The middle value, or the mean of the two middle ones. Throws for an empty list: a measurement that was not made is a bug. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  if (upper === undefined || lower === undefined) throw new Error('no values: nothing was measured');
  return (lower + upper) / 2;
}

/** What `samples` grow by from the first to the last of them, along the line of least squares. 0 for fewer than two. */
export function growthOf(samples: readonly Sample[]): number {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined || last.atMs === first.atMs) return 0;
  const meanAt = samples.reduce((sum, { atMs }) => sum + atMs, 0) / samples.length;
  const meanValue = samples.reduce((sum, { value }) => sum + value, 0) / samples.length;
  const covariance = samples.reduce((sum, { atMs, value }) => sum + (atMs - meanAt) * (value - meanValue), 0);
  const variance = samples.reduce((sum, { atMs }) => sum + (atMs - meanAt) ** 2, 0);
  return (covariance / variance) * (last.atMs - first.atMs);
}

/** Three significant digits more than anybody should read into a benchmark, none of them in the way. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
