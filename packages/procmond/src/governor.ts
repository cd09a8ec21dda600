/**
 * Keeps this process within its budget of CPU time and memory by doing less, one step at a time: scans come less often,
 * then nothing is hashed, then less is read of each process. It judges sums over a window, never one moment, and waits
 * longer each time that going back turned out to be too early, so that a constant load settles.
 */

/** In this order; each step keeps what the one before it gave up. */
export const GOVERNOR_LEVELS = ['normal', 'interval_doubled', 'interval_quadrupled', 'hashing_paused', 'enrichment_trimmed'] as const;
export type GovernorWord = (typeof GOVERNOR_LEVELS)[number];

const INTERVAL_FACTORS = [1, 2, 4, 4, 4] as const;
const HASHING_PAUSED_FROM = 3;
const ENRICHMENT_TRIMMED_FROM = 4;

/** Just after the start there is more to do than ever again. */
const START_MS = 10_000;
const LEAST_MEASURES = 3;
const LEAST_SPAN_MS = 10_000;
const WINDOW_MS = 60_000;
/** Going back is tried below this share of the budget. */
const CALM_SHARE = 0.7;
const LEAST_CALM_MS = 30_000;
const MOST_CALM_MS = 3_600_000;

export type Budget = {
  /** Per cent of one core in the long run. */
  readonly cpuPercent: number;
  /** Resident memory. */
  readonly memoryBytes: number;
};

export type BudgetStep = {
  readonly from: GovernorWord;
  readonly to: GovernorWord;
  readonly reason: string;
  /** Of the window that was judged. */
  readonly cpuPercent: number;
  readonly rssBytes: number;
};

export type GovernorOptions = {
  readonly budget: Budget;
  /** Milliseconds by a clock that nobody sets. */
  readonly nowMs: () => number;
  /** CPU time of this process so far, in microseconds. */
  readonly cpuUsage: () => number;
  readonly rssBytes: () => number;
  readonly onStep: (step: BudgetStep) => void;
  /** What is judged as one: two scans at least, 60 s where it is left out. It grows with the interval. */
  readonly windowMs?: number;
};

export type GovernorState = {
  readonly level: number;
  readonly word: GovernorWord;
  /** Mean over what is in the window; null before there are two measures. */
  readonly cpuPercent: number | null;
  /** Median of what is in the window; null before the first measure. */
  readonly rssBytes: number | null;
  /** When this level began, by the clock of the options. */
  readonly sinceMs: number;
  /** Why it is at this level; null where it never left the first. */
  readonly reason: string | null;
  readonly intervalFactor: number;
  readonly hashingPaused: boolean;
  readonly enrichmentTrimmed: boolean;
};

export type Governor = {
  /** To be called after each scan, and each second while events flow. */
  readonly measure: () => void;
  readonly state: () => GovernorState;
};

type Measure = { readonly atMs: number; readonly cpuMicroseconds: number; readonly rssBytes: number };
type Judged = { readonly spanMs: number; readonly cpuMs: number; readonly cpuPercent: number; readonly rssBytes: number };
type Inner = {
  readonly options: GovernorOptions;
  readonly startMs: number;
  measures: Measure[];
  level: number;
  sinceMs: number;
  reason: string | null;
  /** Since when it is calm; null while it is not. */
  calmSinceMs: number | null;
  /** How long it must be calm before it goes back a step. */
  calmMs: number;
  hasGoneBack: boolean;
};

export function createGovernor(options: GovernorOptions): Governor {
  const startMs = options.nowMs();
  const inner: Inner = {
    options,
    startMs,
    measures: [],
    level: 0,
    sinceMs: startMs,
    reason: null,
    calmSinceMs: null,
    calmMs: LEAST_CALM_MS,
    hasGoneBack: false,
  };
  return { measure: () => measure(inner), state: () => stateOf(inner) };
}

function windowOf({ options, level }: Inner): number {
  return (options.windowMs ?? WINDOW_MS) * factorOf(level);
}

function factorOf(level: number): number {
  return INTERVAL_FACTORS[level] ?? 1;
}

function measure(inner: Inner): void {
  const { options, startMs, measures } = inner;
  const atMs = options.nowMs();
  const isFirst = measures.length === 0;
  // The first is where counting begins, so it is not before the first scan is done and the start is over.
  measures.push({ atMs, cpuMicroseconds: options.cpuUsage(), rssBytes: options.rssBytes() });
  if (isFirst) return;
  if (atMs - startMs < START_MS) {
    measures.shift();
    return;
  }
  // The oldest that is kept is the start of the window.
  const windowMs = windowOf(inner);
  while (measures.length > 2 && atMs - (measures[1]?.atMs ?? atMs) >= windowMs) measures.shift();
  const judged = judge(measures);
  if (judged === null || measures.length < LEAST_MEASURES + 1 || judged.spanMs < LEAST_SPAN_MS) return;
  const excess = excessOf(judged, windowMs, options.budget);
  if (excess === null) considerGoingBack(inner, judged, windowMs, atMs);
  else if (inner.level < GOVERNOR_LEVELS.length - 1) goOn(inner, excess, judged, atMs);
  else inner.calmSinceMs = null;
}

function judge(measures: readonly Measure[]): Judged | null {
  const [first] = measures;
  const last = measures.at(-1);
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return null;
  const spanMs = last.atMs - first.atMs;
  const cpuMs = (last.cpuMicroseconds - first.cpuMicroseconds) / 1000;
  return { spanMs, cpuMs, cpuPercent: (cpuMs / spanMs) * 100, rssBytes: medianRss(measures.slice(1)) };
}

/** Not the mean: one spike among three would carry it. */
function medianRss(measures: readonly Measure[]): number {
  const sorted = measures.map(({ rssBytes }) => rssBytes).toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}

/**
 * What is over budget, as a sentence. Of CPU time that is more than the budget of a whole window, however short the time
 * was in which it went: so a scan is not judged by the seconds that it takes, and what is far too much is seen at once.
 */
function excessOf({ cpuMs, spanMs, rssBytes }: Judged, windowMs: number, { cpuPercent, memoryBytes }: Budget): string | null {
  const consideredMs = Math.max(windowMs, spanMs);
  if ((cpuMs / consideredMs) * 100 > cpuPercent) {
    return `${Math.round(cpuMs)} ms of CPU time in ${Math.round(spanMs / 1000)} s, the budget is ${cpuPercent} % of a core`;
  }
  if (rssBytes > memoryBytes) return `${mebibytes(rssBytes)} MiB of resident memory, the budget is ${mebibytes(memoryBytes)} MiB`;
  return null;
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 104_857.6) / 10;
}

function goOn(inner: Inner, reason: string, judged: Judged, atMs: number): void {
  if (inner.hasGoneBack) inner.calmMs = Math.min(inner.calmMs * 2, MOST_CALM_MS);
  inner.hasGoneBack = false;
  step(inner, inner.level + 1, reason, judged, atMs);
}

function considerGoingBack(inner: Inner, judged: Judged, windowMs: number, atMs: number): void {
  const { cpuPercent, memoryBytes } = inner.options.budget;
  if (judged.cpuPercent >= cpuPercent * CALM_SHARE || judged.rssBytes >= memoryBytes * CALM_SHARE) {
    inner.calmSinceMs = null;
    return;
  }
  inner.calmSinceMs ??= atMs;
  if (inner.level === 0) {
    // What was learned of another load is forgotten.
    if (atMs - inner.calmSinceMs >= MOST_CALM_MS) inner.calmMs = LEAST_CALM_MS;
    return;
  }
  if (judged.spanMs < windowMs || atMs - inner.calmSinceMs < inner.calmMs) return;
  inner.hasGoneBack = true;
  step(inner, inner.level - 1, `below ${CALM_SHARE * 100} % of the budget for ${Math.round(inner.calmMs / 1000)} s`, judged, atMs);
}

function step(inner: Inner, level: number, reason: string, judged: Judged, atMs: number): void {
  const from = wordOf(inner.level);
  inner.level = level;
  inner.sinceMs = atMs;
  inner.reason = reason;
  inner.calmSinceMs = null;
  // Each level is judged by what happens at it.
  inner.measures = inner.measures.slice(-1);
  inner.options.onStep({ from, to: wordOf(level), reason, cpuPercent: judged.cpuPercent, rssBytes: judged.rssBytes });
}

function wordOf(level: number): GovernorWord {
  return GOVERNOR_LEVELS[level] ?? 'normal';
}

function stateOf(inner: Inner): GovernorState {
  const { level, measures, sinceMs, reason } = inner;
  const judged = judge(measures);
  return {
    level,
    word: wordOf(level),
    cpuPercent: judged?.cpuPercent ?? null,
    rssBytes: judged?.rssBytes ?? measures[0]?.rssBytes ?? null,
    sinceMs,
    reason,
    intervalFactor: factorOf(level),
    hashingPaused: level >= HASHING_PAUSED_FROM,
    enrichmentTrimmed: level >= ENRICHMENT_TRIMMED_FROM,
  };
}
