/**
 * What the daemons say of themselves, asked over their sockets. Answers are taken for what the product documents; a
 * daemon that does not answer gives null.
 */
import { SentinelError } from '@sentineld/model/error';
import type { StatePaths } from '@sentineld/runtime/config/state-dir';
import { askOnce } from '@sentineld/runtime/ipc/client';

export type State = 'ok' | 'degraded' | 'failing';

export type Head = { readonly sequence: number; readonly entryHash: string };

/** What became of the events of one interval, or of all since the start. */
export type EventFigures = {
  readonly tier: string;
  readonly execs: number;
  readonly exits: number;
  readonly lost: number;
  readonly overruns: number;
  readonly dropped: number;
  readonly stored: number;
};

export type Collection = {
  readonly events: {
    readonly tier: string;
    readonly reasons: readonly string[];
    readonly total: EventFigures;
    readonly queued: number;
    readonly spilled: number;
  };
  readonly storage: { readonly walBytes: number; readonly paused: { readonly kind: string; readonly reason: string } | null };
  readonly stall: { readonly durationMs: number } | null;
};

export type ProcmondHealth = {
  readonly pid: number;
  readonly state: State;
  readonly problems: readonly string[];
  readonly scans: number;
  readonly lastScan: { readonly scanId: number; readonly timestampMs: number } | null;
  readonly ledger: Head;
  readonly collection: Collection;
};

export type Cycle = {
  readonly scanId: number;
  readonly rules: number;
  /** Rules that could not see all that they ask for. */
  readonly incomplete: number;
  /** Rules that could not be evaluated. */
  readonly failed: number;
  readonly alerts: number;
};

export type AgentHealth = {
  readonly pid: number;
  readonly state: State;
  readonly problems: readonly string[];
  readonly procmond: { readonly connected: boolean };
  readonly rules: Readonly<Record<string, number>>;
  readonly lastCycle: Cycle | null;
  readonly incompleteRules: { readonly count: number; readonly rules: readonly { readonly id: string; readonly reason: string }[] };
  readonly skippedScans: number;
  readonly deliveries: { readonly open: number; readonly failedSinceStart: number };
  readonly auditWaiting: number;
};

export type RuleSummary = {
  readonly id: string;
  readonly state: string;
  readonly reason: string | null;
  readonly runs: number;
  readonly hits: number;
  readonly lastOutcome: string | null;
};

const PATIENCE_MS = 1_500;
/** Not everybody may hear of process events, and in a pid namespace nobody does. */
const NO_EVENTS = /no event source|processes that end between two scans are not seen/;

/** What a daemon says is wrong, but for the want of process events that the campaign's surroundings do not have. */
export function problemsOf(health: { readonly problems: readonly string[] } | null): readonly string[] {
  return health === null ? ['no answer'] : health.problems.filter((problem) => !NO_EVENTS.test(problem));
}

/** Whether a daemon works and has nothing to complain of that the campaign could have done. */
export function isWell(health: { readonly problems: readonly string[] } | null): boolean {
  return problemsOf(health).length === 0;
}

export function askProcmond(paths: StatePaths, patienceMs = PATIENCE_MS): Promise<ProcmondHealth | null> {
  return answerOf<ProcmondHealth>(paths.procmondSocket, { request: 'health' }, patienceMs);
}

export function askAgent(paths: StatePaths): Promise<AgentHealth | null> {
  return answerOf<AgentHealth>(paths.agentSocket, { request: 'health' });
}

export async function askRules(paths: StatePaths): Promise<readonly RuleSummary[]> {
  const rules: RuleSummary[] = [];
  for (let total = 1; rules.length < total;) {
    const page = await answerOf<{ readonly rules: readonly RuleSummary[]; readonly total: number }>(paths.agentSocket, {
      request: 'rules',
      offset: rules.length,
    });
    if (page === null || page.rules.length === 0) return [];
    rules.push(...page.rules);
    total = page.total;
  }
  return rules;
}

async function answerOf<Answer>(
  path: string,
  request: Parameters<typeof askOnce>[1],
  patienceMs: number = PATIENCE_MS,
): Promise<Answer | null> {
  try {
    return (await askOnce(path, request, patienceMs)) as Answer;
  } catch (cause) {
    if (cause instanceof SentinelError) return null;
    throw cause;
  }
}
