import { describe, expect, it } from 'vitest';
import { agentHealth, type DetectionState, type HealthContext } from './health.ts';

const WELL: DetectionState = {
  lastCycle: null,
  failure: null,
  skippedScans: 0,
  silentMs: 400,
  longestSilenceMs: 6_500,
  unansweredMs: 0,
  longestAnswerMs: 5_000,
};
const AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

type Changes = {
  readonly detection?: Partial<DetectionState>;
  readonly freeBytes?: number | null;
  readonly writeFailure?: ReturnType<HealthContext['store']['writeFailure']>;
  readonly delivery?: Partial<ReturnType<HealthContext['deliverer']['state']>>;
  readonly connected?: boolean;
  readonly entries?: readonly unknown[];
};

function health(changes: Changes = {}) {
  const store: Pick<HealthContext['store'], 'writeFailure' | 'openDeliveries' | 'outboxDepth'> = {
    writeFailure: () => changes.writeFailure ?? null,
    openDeliveries: () => 7,
    outboxDepth: () => 2,
  };
  const context: HealthContext = {
    version: '1',
    startedMs: 0,
    book: { entries: changes.entries ?? [{ state: 'active' }], problems: [] } as unknown as HealthContext['book'],
    store: store as HealthContext['store'],
    link: { state: () => ({ connected: changes.connected ?? true, sinceMs: AT_MS, reason: 'no such socket' }) },
    deliverer: { state: () => ({ failed: 0, newestFailure: '', refusing: [], ...changes.delivery }) },
    detection: () => ({ ...WELL, ...changes.detection }),
    freeBytes: () => (changes.freeBytes === undefined ? 1e9 : changes.freeBytes),
    confinement: () => 'confined',
    unconfined: null,
  };
  const { state, problems, deliveries, incompleteRules } = agentHealth(context, AT_MS + 60_000);
  return { state, problems, deliveries, incompleteRules };
}

describe('agentHealth', () => {
  it('is ok where everything works', () => {
    expect(health()).toEqual({
      state: 'ok',
      problems: [],
      deliveries: { open: 7, failedSinceStart: 0 },
      incompleteRules: { count: 0, rules: [] },
    });
  });

  it('says that it cannot write its file, since when, why and what to do', () => {
    const writeFailure = { message: '/s/agent.db: database or disk is full.', hint: 'Make space on its file system.', sinceMs: AT_MS };
    expect(health({ writeFailure })).toMatchObject({
      state: 'failing',
      problems: [
        'alerts cannot be kept since 2026-01-02T03:04:05.000Z: /s/agent.db: database or disk is full. Make space on its file system.',
      ],
    });
  });

  it('says that there is hardly any space before a write fails, and nothing where that cannot be told', () => {
    const { state, problems } = health({ freeBytes: 5_000 });
    expect([state, problems]).toEqual(['degraded', [expect.stringMatching(/full or nearly so, with 4 KiB left: make space/)]]);
    expect(health({ freeBytes: null }).state).toBe('ok');
  });

  it('says that a cycle failed', () => {
    const failure = { message: 'no such table', sinceMs: AT_MS };
    expect(health({ detection: { failure } })).toMatchObject({ state: 'failing', problems: [expect.stringContaining('no such table')] });
  });

  it('says that procmond is silent, and of one that cannot be reached only that', () => {
    expect(health({ detection: { silentMs: 9_000 } })).toMatchObject({
      state: 'failing',
      problems: [expect.stringContaining('told of no scan for 9 s')],
    });
    expect(health({ connected: false, detection: { silentMs: null } })).toMatchObject({
      state: 'failing',
      problems: [expect.stringContaining('cannot be reached')],
    });
  });

  it('says that the executor owes an answer for too long', () => {
    expect(health({ detection: { unansweredMs: 5_001 } })).toMatchObject({
      state: 'failing',
      problems: [expect.stringContaining('has not answered for 5 s')],
    });
  });

  it('says which sink waits for space and for how long, and what was given up', () => {
    const refusing = [{ sink: 'file', error: 'ENOSPC', isFull: true, forMs: 60_000 }];
    expect(health({ delivery: { refusing } })).toMatchObject({
      state: 'degraded',
      problems: [
        'sink file takes no alerts since 2026-01-02T03:04:05.000Z, 7 deliveries wait: ENOSPC. Make space; they are tried again every minute, for a day',
      ],
    });
    expect(health({ delivery: { failed: 2, newestFailure: 'alert 4 to hook: refused' } })).toMatchObject({
      state: 'degraded',
      problems: ['2 deliveries were given up since the start, the newest: alert 4 to hook: refused'],
    });
  });

  it('says how many events were lost before the newest scan', () => {
    const cycle = { rules: 1, matched: 0, noMatch: 1, incomplete: 0, failed: 0, eventsLost: 12, eventOverruns: 1 };
    const problemsOf = (changes: object) => {
      const lastCycle = { ...cycle, ...changes } as unknown as NonNullable<DetectionState['lastCycle']>;
      const { state, problems } = health({ detection: { lastCycle } });
      return [state, problems];
    };
    expect(problemsOf({})).toEqual(['degraded', ['12 events were lost in the last interval']]);
    expect(problemsOf({ eventsLost: 1 })).toEqual(['degraded', ['1 event was lost in the last interval']]);
    expect(problemsOf({ eventsLost: 0 })).toEqual(['degraded', ['an unknown number of events was lost in the last interval']]);
    expect(problemsOf({ eventsLost: 0, eventOverruns: 0 })).toEqual(['ok', []]);
    expect(problemsOf({ eventsLost: 0, eventOverruns: 0, failed: 2 })).toEqual([
      'degraded',
      ['2 rules could not be evaluated in the newest cycle'],
    ]);
  });

  it('names the rules that cannot see all that they ask for, since when and why, a sentence per reason', () => {
    const entry = (id: string, changes: object = {}) => ({
      rule: { id },
      state: 'active',
      result: 'incomplete',
      resultSinceMs: AT_MS,
      resultReason: 'no event source',
      ...changes,
    });
    const entries = [
      entry('a', { resultSinceMs: AT_MS + 1_000 }),
      entry('b'),
      entry('c', { resultReason: '3 events were lost' }),
      entry('d', { result: 'matched' }),
      entry('e', { state: 'quarantined' }),
    ];
    expect(health({ entries })).toMatchObject({
      state: 'degraded',
      problems: [
        '1 rules are set aside because they overran',
        '2 rules are incomplete since 2026-01-02T03:04:05.000Z: no event source (a, b)',
        '1 rule is incomplete since 2026-01-02T03:04:05.000Z: 3 events were lost (c)',
      ],
      incompleteRules: { count: 3, rules: [{ id: 'a', sinceMs: AT_MS + 1_000, reason: 'no event source' }, { id: 'b' }, { id: 'c' }] },
    });
    const many = health({ entries: Array.from({ length: 60 }, (_, at) => entry(`rule-${at}`)) });
    expect(many.incompleteRules).toMatchObject({ count: 60, rules: { length: 50 } });
    expect(many.problems).toEqual([expect.stringMatching(/^60 rules .*\(rule-0, rule-1, rule-2, rule-3, rule-4 and 55 more\)$/)]);
  });
});
