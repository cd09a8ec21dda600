/**
 * How much a set of rules would have disturbed whoever reads alerts, held against the budget of an ordinary host-day.
 */

/** Alerts of one host and day at most: of severity high or critical, and in all. */
export const NOISE_BUDGET: { readonly high: number; readonly all: number } = { high: 1, all: 5 };

/** 'within_so_far': less than a day was seen, and the budget of a day is not used up. */
export type NoiseVerdict = 'within' | 'within_so_far' | 'above' | 'not_measured';

export type Noise = {
  readonly verdict: NoiseVerdict;
  readonly alerts: number;
  /** Of these of severity high or critical. */
  readonly high: number;
  /** Time that was watched, in days. */
  readonly hostDays: number;
};

const DAY_MS = 86_400_000;
/** Scans that fill a day rarely do so to the second. */
const WHOLE_DAY = 0.95;

/** `coveredMs` is the time between the scans that were judged, without that in which the collector was away. */
export function judgeNoise(alerts: number, high: number, coveredMs: number): Noise {
  const hostDays = coveredMs / DAY_MS;
  const days = Math.max(1, hostDays);
  const isAbove = alerts > NOISE_BUDGET.all * days || high > NOISE_BUDGET.high * days;
  const verdict = isAbove ? 'above' : coveredMs === 0 ? 'not_measured' : hostDays < WHOLE_DAY ? 'within_so_far' : 'within';
  return { verdict, alerts, high, hostDays };
}
