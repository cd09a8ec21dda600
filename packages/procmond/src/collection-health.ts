/**
 * What procmond says of its collection: where events come from and what was missed of them, what it costs, what the
 * store holds, and what of that is not as it should be.
 */
import type { EventCoverage, EventTier } from '@sentineld/model/process-event';
import { formatSize } from '@sentineld/runtime/config/quantity';
import type { GovernorState, GovernorWord } from './governor.ts';
import type { StoragePause } from './storage-guard.ts';

export type CollectionHealth = {
  readonly events: {
    readonly tier: EventTier;
    /** Why better sources are not to be had, each in a sentence. */
    readonly reasons: readonly string[];
    /** Since the start. */
    readonly total: EventCoverage;
    /** Events that wait to be stored, those in spill files included. */
    readonly queued: number;
    /** Events that were written to spill files. */
    readonly spilled: number;
  };
  readonly budget: {
    readonly level: number;
    readonly word: GovernorWord;
    /** Per cent of one core; null until there is something to go by. */
    readonly cpuPercent: number | null;
    readonly rssBytes: number | null;
    readonly limits: { readonly cpuPercent: number; readonly memoryBytes: number };
  };
  readonly storage: {
    readonly sizeBytes: number;
    readonly walBytes: number;
    readonly paused: StoragePause | null;
    readonly oldestScanMs: number | null;
    readonly newestScanMs: number | null;
  };
  readonly hashing: { readonly pending: number; readonly paused: boolean };
  /** What the source does otherwise than it should, though it misses nothing. */
  readonly notes: readonly string[];
  /** When the event loop last stood still for long. */
  readonly stall: LoopStall | null;
};

export type LoopStall = { readonly durationMs: number; readonly atMs: number };

/** So long a stall is said in health. */
const STALL_REMEMBERED_MS = 300_000;

/** What keeps procmond from its work. */
export function collectionFailures({ storage: { paused } }: CollectionHealth): string[] {
  return paused === null ? [] : [`storing is paused since ${new Date(paused.sinceMs).toISOString()}: ${paused.reason}`];
}

/** What it does less well than it could. `interval` is what the newest scan was told. */
export function collectionDegradations(health: CollectionHealth, interval: EventCoverage | null, nowMs: number): string[] {
  const { events, budget, stall } = health;
  const why = events.reasons.length === 0 ? '' : `: ${events.reasons.join('; ')}`;
  const missed = (interval?.lost ?? 0) + (interval?.dropped ?? 0);
  return [
    ...(events.tier === 'off' && events.reasons.length > 0 ? [`processes that end between two scans are not seen${why}`] : []),
    ...(missed > 0
      ? [`${missed} events of the last interval were missed (${interval?.lost} lost by the kernel, ${interval?.dropped} dropped here)`]
      : []),
    ...(budget.level > 0 ? [overBudget(budget)] : []),
    ...health.notes,
    ...(stall !== null && nowMs - stall.atMs < STALL_REMEMBERED_MS
      ? [`procmond stood still for ${(stall.durationMs / 1000).toFixed(1)} s until ${new Date(stall.atMs).toISOString()}`]
      : []),
  ];
}

/** What is done to keep within the budget, by the governor's word for it. */
const MEASURES: Readonly<Record<GovernorWord, string>> = {
  normal: 'nothing is left out',
  interval_doubled: 'scans come half as often',
  interval_quadrupled: 'scans come a quarter as often',
  hashing_paused: 'scans come a quarter as often and executables are not hashed',
  enrichment_trimmed:
    'scans come a quarter as often, executables are not hashed, and directories, control groups and namespaces are left out',
};

function overBudget({ word, cpuPercent, rssBytes, limits }: CollectionHealth['budget']): string {
  const used = `${cpuPercent?.toFixed(1) ?? '-'} % and ${rssBytes === null ? '-' : formatSize(Math.round(rssBytes / 2 ** 20) * 2 ** 20)}`;
  return `${MEASURES[word]}, to keep within ${limits.cpuPercent} % of a core and ${formatSize(limits.memoryBytes)} (now ${used})`;
}

/** The budget as the governor sees it. */
export function budgetHealth(state: GovernorState, limits: CollectionHealth['budget']['limits']): CollectionHealth['budget'] {
  const { level, word, cpuPercent, rssBytes } = state;
  return { level, word, cpuPercent, rssBytes, limits };
}
