import { NO_EVENTS } from '@sentineld/model/process-event';
import { describe, expect, it } from 'vitest';
import { budgetHealth, collectionDegradations, collectionFailures, type CollectionHealth } from './collection-health.ts';
import { GOVERNOR_LEVELS, type GovernorState } from './governor.ts';

const LIMITS = { cpuPercent: 5, memoryBytes: 104_857_600 };
const WELL: CollectionHealth = {
  events: { tier: 'kernel', reasons: [], total: NO_EVENTS, queued: 0, spilled: 0 },
  budget: { level: 0, word: 'normal', cpuPercent: 1, rssBytes: 1, limits: LIMITS },
  storage: { sizeBytes: 4096, walBytes: 0, paused: null, oldestScanMs: 1000, newestScanMs: 1000 },
  hashing: { pending: 0, paused: false },
  notes: [],
  stall: null,
};

describe('what is wrong with the collection', () => {
  it('is nothing where all is well, and where events are off because somebody wanted that', () => {
    expect(collectionFailures(WELL)).toEqual([]);
    expect(collectionDegradations(WELL, NO_EVENTS, 0)).toEqual([]);
    expect(collectionDegradations({ ...WELL, events: { ...WELL.events, tier: 'off' } }, null, 0)).toEqual([]);
  });

  it('is a failure while nothing is stored, with since when and why', () => {
    const paused = { kind: 'no_room', reason: 'the disk is full', sinceMs: 0 } as const;
    expect(collectionFailures({ ...WELL, storage: { ...WELL.storage, paused } })).toEqual([
      'storing is paused since 1970-01-01T00:00:00.000Z: the disk is full',
    ]);
  });

  it('is that short lives are not seen, and why not', () => {
    const events = { ...WELL.events, tier: 'off', reasons: ['no connector', 'no tracefs'] } as const;
    expect(collectionDegradations({ ...WELL, events }, null, 0)).toEqual([
      'processes that end between two scans are not seen: no connector; no tracefs',
    ]);
  });

  it('is what the last interval missed, by who lost it', () => {
    expect(collectionDegradations(WELL, { ...NO_EVENTS, tier: 'kernel', lost: 3, dropped: 4 }, 0)).toEqual([
      '7 events of the last interval were missed (3 lost by the kernel, 4 dropped here)',
    ]);
  });

  it('is what is left out to keep within the budget, at each level but the first', () => {
    const sentences = GOVERNOR_LEVELS.map((word, level) =>
      collectionDegradations({ ...WELL, budget: { ...WELL.budget, level, word, cpuPercent: 7.25, rssBytes: 100 * 2 ** 20 } }, null, 0),
    );
    expect(sentences[0]).toEqual([]);
    expect(sentences[1]).toEqual(['scans come half as often, to keep within 5 % of a core and 100MiB (now 7.3 % and 100MiB)']);
    expect(new Set(sentences.flat()).size).toBe(GOVERNOR_LEVELS.length - 1);
  });

  it('is what the source says of itself', () => {
    expect(collectionDegradations({ ...WELL, notes: ['too few descriptors'] }, null, 0)).toEqual(['too few descriptors']);
  });

  it('is a stall, for five minutes', () => {
    const stalled = { ...WELL, stall: { durationMs: 10_040, atMs: 0 } };
    expect(collectionDegradations(stalled, null, 299_999)).toEqual(['procmond stood still for 10.0 s until 1970-01-01T00:00:00.000Z']);
    expect(collectionDegradations(stalled, null, 300_000)).toEqual([]);
  });
});

describe('the budget', () => {
  it('is what the governor measured, beside its limits', () => {
    const state: GovernorState = {
      level: 1,
      word: 'interval_doubled',
      cpuPercent: 6,
      rssBytes: 7,
      sinceMs: 0,
      reason: 'CPU',
      intervalFactor: 2,
      hashingPaused: false,
      enrichmentTrimmed: false,
    };
    expect(budgetHealth(state, LIMITS)).toEqual({ level: 1, word: 'interval_doubled', cpuPercent: 6, rssBytes: 7, limits: LIMITS });
  });
});
