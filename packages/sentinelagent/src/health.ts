/**
 * What the agent says of itself: whether it hears of scans, runs its rules over them, keeps what they find and hands it
 * on. Each problem is a sentence that says why and, where somebody can do something, what.
 */
import type { AgentWriter } from '@sentineld/store/agent/writer';
import type { Deliverer, DeliveryState } from './deliver/deliver.ts';
import type { Cycle } from './cycle-tally.ts';
import type { ProcmondLink } from './procmond-link.ts';
import type { RuleBook, RuleState } from './rule-book.ts';

export type AgentHealth = {
  readonly component: 'sentinelagent';
  readonly version: string;
  readonly pid: number;
  readonly uid: number;
  readonly startedMs: number;
  readonly state: 'ok' | 'degraded' | 'failing';
  /** What is not as it should be, each in a sentence. */
  readonly problems: readonly string[];
  readonly procmond: { readonly connected: boolean; readonly sinceMs: number; readonly reason: string };
  readonly rules: Readonly<Record<RuleState, number>> & { readonly notLoaded: number };
  readonly lastCycle: Cycle | null;
  /** Rules whose newest evaluation could not see all that they ask for: all are counted, the first are named. */
  readonly incompleteRules: { readonly count: number; readonly rules: readonly IncompleteRule[] };
  /** Scans that were passed over because a cycle was still running. */
  readonly skippedScans: number;
  readonly deliveries: { readonly open: number; readonly failedSinceStart: number };
  /** Entries that wait for the ledger. */
  readonly auditWaiting: number;
  readonly executor: { readonly confinement: string };
};

export type IncompleteRule = {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
  readonly reason: string;
};

/** How the work on scans goes. */
export type DetectionState = {
  readonly lastCycle: Cycle | null;
  /** Why the newest cycle ended before its end, and since when cycles do; null where it did not. */
  readonly failure: { readonly message: string; readonly sinceMs: number } | null;
  readonly skippedScans: number;
  /** Since the newest announcement of a scan, or since procmond was reached; null while it is not. */
  readonly silentMs: number | null;
  /** Longer than this no scan should be awaited. */
  readonly longestSilenceMs: number;
  /** For so long the executor has owed an answer; 0 where it owes none. */
  readonly unansweredMs: number;
  /** Longer than this none should. */
  readonly longestAnswerMs: number;
};

export type HealthContext = {
  readonly version: string;
  readonly startedMs: number;
  readonly book: RuleBook;
  readonly store: AgentWriter;
  readonly link: Pick<ProcmondLink, 'state'>;
  readonly deliverer: Pick<Deliverer, 'state'>;
  readonly detection: () => DetectionState;
  /** Bytes that can still be written where agent.db lies; null where that cannot be told. */
  readonly freeBytes: () => number | null;
  readonly confinement: () => string;
  /** Why this process is not confined, or null. */
  readonly unconfined: string | null;
};

/** So that an answer stays far below what a frame of the socket holds. */
const MOST_NAMED = 50;

/** Less than what a cycle with some alerts writes. */
const LITTLE_SPACE_BYTES = 1024 * 1024;

/** `nowMs` in milliseconds since 1970. */
export function agentHealth(context: HealthContext, nowMs: number): AgentHealth {
  const { book, store, link, deliverer } = context;
  const detection = context.detection();
  const rules = countRules(book);
  const incomplete = incompleteRules(book);
  const delivery = deliverer.state();
  const open = store.openDeliveries();
  const failures = [...linkProblems(link, detection, rules.active), ...storeProblems(store, detection)];
  const degradations = [
    ...ruleProblems(rules, detection.lastCycle),
    ...eventProblems(detection.lastCycle),
    ...incompleteProblems(incomplete),
    ...spaceProblems(context.freeBytes()),
    ...deliveryProblems(delivery, open, nowMs),
    ...(context.unconfined === null ? [] : [`system calls that are not needed stay open: ${context.unconfined}`]),
  ];
  return {
    component: 'sentinelagent',
    version: context.version,
    pid: process.pid,
    uid: process.getuid?.() ?? -1,
    startedMs: context.startedMs,
    state: failures.length > 0 ? 'failing' : degradations.length > 0 ? 'degraded' : 'ok',
    problems: [...failures, ...degradations],
    procmond: link.state(),
    rules,
    lastCycle: detection.lastCycle,
    incompleteRules: { count: incomplete.length, rules: incomplete.slice(0, MOST_NAMED) },
    skippedScans: detection.skippedScans,
    deliveries: { open, failedSinceStart: delivery.failed },
    auditWaiting: store.outboxDepth(),
    executor: { confinement: context.confinement() },
  };
}

function countRules(book: RuleBook): AgentHealth['rules'] {
  const count = (state: RuleState): number => book.entries.filter((entry) => entry.state === state).length;
  return {
    unverified: count('unverified'),
    active: count('active'),
    disabled: count('disabled'),
    refused: count('refused'),
    quarantined: count('quarantined'),
    notLoaded: book.problems.length,
  };
}

function linkProblems(link: HealthContext['link'], detection: DetectionState, active: number): string[] {
  const { connected, sinceMs, reason } = link.state();
  if (!connected) return [`procmond cannot be reached since ${timeText(sinceMs)}: ${reason}`];
  const { silentMs, longestSilenceMs, unansweredMs, longestAnswerMs } = detection;
  return [
    ...(active === 0 ? ['no rule is active'] : []),
    ...(silentMs !== null && silentMs > longestSilenceMs
      ? [`procmond has told of no scan for ${seconds(silentMs)}, so nothing is watched: see what it says of itself`]
      : []),
    ...(unansweredMs > longestAnswerMs
      ? [`the executor of rules has not answered for ${seconds(unansweredMs)}: where this stays, restart sentinelagent`]
      : []),
  ];
}

function storeProblems(store: HealthContext['store'], { failure }: DetectionState): string[] {
  const unwritten = store.writeFailure();
  if (unwritten !== null)
    return [`alerts cannot be kept since ${timeText(unwritten.sinceMs)}: ${unwritten.message} ${unwritten.hint}`.trim()];
  return failure === null ? [] : [`rules cannot be run to their end since ${timeText(failure.sinceMs)}: ${failure.message}`];
}

function ruleProblems(rules: AgentHealth['rules'], cycle: Cycle | null): string[] {
  return [
    ...(rules.refused > 0 ? [`${rules.refused} rules are refused`] : []),
    ...(rules.quarantined > 0 ? [`${rules.quarantined} rules are set aside because they overran`] : []),
    ...(rules.notLoaded > 0 ? [`${rules.notLoaded} rule files have errors`] : []),
    ...(cycle !== null && cycle.failed > 0 ? [`${cycle.failed} rules could not be evaluated in the newest cycle`] : []),
  ];
}

/** Events of which procmond knows that it did not see them, in the interval before the newest scan that was looked at. */
function eventProblems(cycle: Cycle | null): string[] {
  if (cycle === null || (cycle.eventsLost === 0 && cycle.eventOverruns === 0)) return [];
  const { eventsLost } = cycle;
  const what = eventsLost === 0 ? 'an unknown number of events was' : eventsLost === 1 ? '1 event was' : `${eventsLost} events were`;
  return [`${what} lost in the last interval`];
}

function incompleteRules(book: RuleBook): readonly IncompleteRule[] {
  return book.entries.flatMap(({ rule, state, result, resultSinceMs, resultReason }) =>
    state === 'active' && result === 'incomplete' ? [{ id: rule.id, sinceMs: resultSinceMs ?? 0, reason: resultReason ?? '' }] : [],
  );
}

/** One sentence per reason, however many rules it holds for. */
function incompleteProblems(incomplete: readonly IncompleteRule[]): string[] {
  return [...Map.groupBy(incomplete, ({ reason }) => reason)].map(([reason, rules]) => {
    const named = rules.slice(0, 5).map(({ id }) => id);
    const more = rules.length > named.length ? `${named.join(', ')} and ${rules.length - named.length} more` : named.join(', ');
    const since = timeText(Math.min(...rules.map(({ sinceMs }) => sinceMs)));
    return `${rules.length} ${rules.length === 1 ? 'rule is' : 'rules are'} incomplete since ${since}: ${reason} (${more})`;
  });
}

function spaceProblems(freeBytes: number | null): string[] {
  if (freeBytes === null || freeBytes >= LITTLE_SPACE_BYTES) return [];
  return [
    `the disk of the agent's directory is full or nearly so, with ${Math.floor(freeBytes / 1024)} KiB left: make space, or alerts cannot be kept`,
  ];
}

function deliveryProblems({ refusing, failed, newestFailure }: DeliveryState, open: number, nowMs: number): string[] {
  return [
    ...refusing.map(({ sink, error, isFull, forMs }) => {
      const what = `sink ${sink} takes no alerts since ${timeText(nowMs - forMs)}, ${open} deliveries wait: ${error}`;
      return isFull ? `${what}. Make space; they are tried again every minute, for a day` : what;
    }),
    ...(failed > 0 ? [`${failed} deliveries were given up since the start, the newest: ${newestFailure}`] : []),
  ];
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
