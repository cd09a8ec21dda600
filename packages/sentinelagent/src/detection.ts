/**
 * Rules are looked at once procmond has a store for them; from then on each scan that it announces is one cycle. A
 * cycle that cannot be run to its end is an error that health shows; the next one is tried all the same.
 */
import { hostname } from 'node:os';
import { SentinelError, messageOf } from '@sentineld/model/error';
import type { ProcmondReply } from '@sentineld/model/reply';
import type { ScanCompleted } from '@sentineld/model/scan';
import type { ExecutorClient } from '@sentineld/detection/sql/executor-client';
import type { Config } from '@sentineld/runtime/config/config';
import { bootId } from '@sentineld/runtime/lifecycle/process-identity';
import type { Logger } from '@sentineld/runtime/log/logger';
import type { AgentWriter } from '@sentineld/store/agent/writer';
import type { DetectionState } from './health.ts';
import { createTally, type Cycle } from './cycle-tally.ts';
import { concludeApart, runCycle, runOverEvents, type PipelineOptions } from './pipeline.ts';
import type { ProcmondLink } from './procmond-link.ts';
import { ruleSetHash, type RuleBook } from './rule-book.ts';
import { createRulesApart } from './rules-apart.ts';
import { createScanQueue, type CycleKind, type ScanQueue } from './scan-queue.ts';

export type DetectionOptions = {
  readonly config: Config;
  readonly store: Pick<AgentWriter, 'queueAudit' | 'recordFindings' | 'concludeCycle'>;
  readonly book: RuleBook;
  readonly executor: Pick<ExecutorClient, 'run' | 'validate'>;
  readonly log: Logger;
  readonly deliverer: PipelineOptions['deliverer'];
  readonly sinkNames: readonly string[];
  /** Milliseconds of a clock that nobody sets. */
  readonly nowMs: () => number;
};

export type Detection = {
  readonly onConnected: (procmond: ProcmondReply) => Promise<void>;
  readonly onScan: (scan: ScanCompleted) => void;
  /** procmond has stored process events. */
  readonly onEvents: () => void;
  /** The link is made with the two functions above, and needed only once a cycle ends. */
  readonly attach: (link: Pick<ProcmondLink, 'forwardAudit' | 'state'>) => void;
  readonly state: () => DetectionState;
  /** Does one piece of work on the set of rules at a time. */
  readonly exclusively: <Result>(work: () => Promise<Result>) => Promise<Result>;
  /** Does something while no cycle runs. */
  readonly between: ScanQueue['between'];
  /** Takes no more scans and waits for the cycle that runs. */
  readonly stop: ScanQueue['stop'];
};

/** What procmond itself calls overdue is three intervals and this; so is an answer after its deadline. */
const SPARE_MS = 5_000;
const SPARE_ANSWER_MS = 3_000;
/** From one pass over events to the next: an alert is stored within a second of its exec, and a busy host is not looked at all the time. */
const EVENTS_APART_MS = 400;

export function createDetection(options: DetectionOptions): Detection {
  const { book, log, nowMs } = options;
  const executor = watchAnswers(options.executor, nowMs);
  const told = { hostId: '', intervalMs: 0, heardMs: nowMs() };
  let lastCycle: Cycle | null = null;
  let failure: DetectionState['failure'] = null;
  let link: Pick<ProcmondLink, 'forwardAudit' | 'state'> | null = null;
  const tally = createTally();
  const apart = createRulesApart(() => void queue.between(() => concludeApart(pipeline())).catch(fail));
  const { deadline: deadlineMs } = options.config.detection;
  const pipeline = (): PipelineOptions => {
    const context = findingContext(options, told.hostId);
    return { ...options, executor, context, tally, apart, deadlineMs, clock: Date.now };
  };
  const fail = (cause: unknown): void => {
    failure = { message: adviceOn(cause), sinceMs: failure?.sinceMs ?? Date.now() };
    log.error({ error: messageOf(cause) }, 'cycle.failed');
  };
  const cycle = async (scan: ScanCompleted, kind: CycleKind): Promise<void> => {
    if (kind === 'events') return runOverEvents(pipeline(), scan);
    lastCycle = await runCycle(pipeline(), scan);
    failure = null;
    await options.deliverer.drain();
    await link?.forwardAudit();
    return undefined;
  };
  const queue = createScanQueue((scan, kind) => cycle(scan, kind).catch(fail));
  const events = createPace(EVENTS_APART_MS, nowMs, queue.offerEvents);
  const exclusively = oneAtATime();
  const onScan = (scan: ScanCompleted): void => {
    told.heardMs = nowMs();
    // Before procmond has said whose scans these are nothing is known to compare them with; it then names the newest.
    if (told.hostId !== '') queue.offer(scan);
  };
  return {
    onScan,
    onEvents: events.ask,
    onConnected: async ({ hostId, intervalMs, lastScan }) => {
      Object.assign(told, { hostId, intervalMs, heardMs: nowMs() });
      await exclusively(async () => {
        if (book.entries.some((entry) => entry.state === 'unverified')) await validateRules(options);
      });
      if (lastScan !== null) queue.offer(lastScan);
    },
    attach: (to) => {
      link = to;
    },
    state: () => ({
      lastCycle,
      failure,
      skippedScans: queue.skipped(),
      silentMs: link?.state().connected === true ? nowMs() - told.heardMs : null,
      longestSilenceMs: 3 * told.intervalMs + SPARE_MS,
      unansweredMs: executor.unansweredMs(),
      longestAnswerMs: options.config.detection.deadline + SPARE_ANSWER_MS,
    }),
    exclusively,
    between: queue.between,
    stop: () => {
      apart.stop();
      events.stop();
      return queue.stop();
    },
  };
}

/** Does something when it is asked for, at most once in so many milliseconds: late rather than not. */
function createPace(leastMs: number, nowMs: () => number, work: () => void): { readonly ask: () => void; readonly stop: () => void } {
  let lastMs = -Infinity;
  let timer: NodeJS.Timeout | undefined;
  const begin = (): void => {
    timer = undefined;
    lastMs = nowMs();
    work();
  };
  return {
    ask: () => {
      timer ??= setTimeout(begin, Math.max(0, lastMs + leastMs - nowMs()));
    },
    stop: () => clearTimeout(timer),
  };
}

/** Each piece of work begins when the one before has ended, well or not. */
function oneAtATime(): Detection['exclusively'] {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
}

function adviceOn(cause: unknown): string {
  const hint = cause instanceof SentinelError ? cause.hint : undefined;
  return hint === undefined ? messageOf(cause) : `${messageOf(cause)} ${hint}`;
}

function findingContext({ config, sinkNames }: DetectionOptions, hostId: string): PipelineOptions['context'] {
  return {
    hostName: hostname(),
    hostId,
    bootId: bootId(),
    windowMs: config.alerting.dedup_window,
    sinks: sinkNames.map((name) => ({ name, type: name })),
  };
}

/** In each lane rules are run one after the other, so at most two answers are owed. */
function watchAnswers(executor: Pick<ExecutorClient, 'run'>, nowMs: () => number) {
  const askedMs = new Set<number>();
  return {
    run: async (request: Parameters<ExecutorClient['run']>[0]) => {
      const since = nowMs();
      askedMs.add(since);
      try {
        return await executor.run(request);
      } finally {
        askedMs.delete(since);
      }
    },
    unansweredMs: () => (askedMs.size === 0 ? 0 : nowMs() - Math.min(...askedMs)),
  };
}

async function validateRules({ store, book, executor, log }: DetectionOptions): Promise<void> {
  const rejections = await book.validate(executor);
  for (const event of rejections) {
    store.queueAudit(event);
    log.warn({ ...event.data }, 'rule.rejected');
  }
  const active = book.active().length;
  const summary = {
    active,
    refused: rejections.length,
    not_loaded: book.problems.length,
    disabled: book.entries.filter((entry) => entry.state === 'disabled').length,
  };
  const rules = book.active().map(({ rule }) => `${rule.id}@${rule.version}`);
  const packs = [...new Set(book.active().flatMap(({ rule }) => rule.pack ?? []))].toSorted();
  store.queueAudit({ action: 'rules_loaded', data: { ...summary, rule_set_sha256: ruleSetHash(book), rules, packs } });
  log.info(summary, 'rules.loaded');
}
