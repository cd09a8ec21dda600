/**
 * What the agent answers on its socket: its health, its rules, and the keeping of entries for the ledger that the
 * operators' tool could not hand to procmond.
 */
import { SentinelError } from '@sentineld/model/error';
import { ACTIONS_BY_ROLE } from '@sentineld/model/audit';
import { RULES_PAGE, type Request } from '@sentineld/model/request';
import type { Severity } from '@sentineld/model/rule';
import type { Peer } from '@sentineld/runtime/ipc/server';
import type { AgentWriter } from '@sentineld/store/agent/writer';
import type { Deliverer } from './deliver/deliver.ts';
import type { Cycle } from './pipeline.ts';
import type { ProcmondLink } from './procmond-link.ts';
import { refusalLine, type RuleBook, type RuleState } from './rule-book.ts';

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
  /** Scans that were passed over because a cycle was still running. */
  readonly skippedScans: number;
  readonly deliveries: { readonly open: number; readonly failedSinceStart: number };
  /** Entries that wait for the ledger. */
  readonly auditWaiting: number;
  readonly executor: { readonly confinement: string };
};

export type RulesPage = {
  readonly total: number;
  readonly offset: number;
  readonly rules: readonly RuleSummary[];
  /** Files from which no rule could be made, a line each. */
  readonly problems: readonly string[];
};

export type RuleSummary = {
  readonly id: string;
  readonly name: string;
  readonly severity: Severity;
  readonly version: number;
  readonly source: string;
  readonly path: string;
  readonly attack: readonly string[];
  readonly state: RuleState;
  readonly reason: string | null;
  readonly runs: number;
  readonly hits: number;
  readonly lastMs: number | null;
  readonly lastOutcome: string | null;
};

export type AgentAnswers = {
  readonly version: string;
  readonly startedMs: number;
  readonly book: RuleBook;
  readonly store: AgentWriter;
  readonly link: ProcmondLink;
  readonly deliverer: Deliverer;
  readonly lastCycle: () => Cycle | null;
  readonly skippedScans: () => number;
  readonly confinement: () => string;
  /** Why this process is not confined, or null. */
  readonly unconfined: string | null;
};

/** Answers one permitted request; throws SentinelError for what cannot be done. */
export function answer(context: AgentAnswers, request: Request, _peer: Peer): AgentHealth | RulesPage | Record<string, never> {
  switch (request.request) {
    case 'health':
      return health(context);
    case 'rules':
      return rulesPage(context.book, request.offset);
    case 'audit.queue': {
      if (!ACTIONS_BY_ROLE.sentinelcli.includes(request.event.action)) {
        throw new SentinelError('ipc.refused', { message: `action ${request.event.action} is not for the operators' tool to record` });
      }
      // Kept for the ledger as the agent's word on what it was told, with who told it.
      context.store.queueAudit({ ...request.event, data: { ...request.event.data, told_by: _peer } });
      void context.link.forwardAudit();
      return {};
    }
    case 'audit.append':
    case 'subscribe':
      throw new SentinelError('ipc.refused', { message: `request ${request.request} is for procmond` });
  }
}

function rulesPage(book: RuleBook, offset: number): RulesPage {
  const rules = book.entries.slice(offset, offset + RULES_PAGE).map((entry): RuleSummary => {
    const { rule } = entry;
    return {
      id: rule.id,
      name: rule.name,
      severity: rule.severity,
      version: rule.version,
      source: rule.source,
      path: rule.sourcePath,
      attack: rule.attack,
      state: entry.state,
      reason: entry.refusal === null ? null : refusalLine(entry),
      runs: entry.runs,
      hits: entry.hits,
      lastMs: entry.lastMs,
      lastOutcome: entry.lastOutcome,
    };
  });
  return {
    total: book.entries.length,
    offset,
    rules,
    problems: book.problems.slice(0, RULES_PAGE).map(({ file, line, message }) => `${file}:${line ?? 1}: ${message}`),
  };
}

function health(context: AgentAnswers): AgentHealth {
  const { book, store, link, deliverer } = context;
  const count = (state: RuleState): number => book.entries.filter((entry) => entry.state === state).length;
  const rules = {
    unverified: count('unverified'),
    active: count('active'),
    disabled: count('disabled'),
    refused: count('refused'),
    quarantined: count('quarantined'),
    notLoaded: book.problems.length,
  };
  const connection = link.state();
  const open = store.pendingDeliveries({ limit: 500 }).length;
  const cycle = context.lastCycle();
  const failures = [
    ...(connection.connected
      ? []
      : [`procmond cannot be reached since ${new Date(connection.sinceMs).toISOString()}: ${connection.reason}`]),
    ...(rules.active === 0 && connection.connected ? ['no rule is active'] : []),
  ];
  const degradations = [
    ...(rules.refused > 0 ? [`${rules.refused} rules are refused`] : []),
    ...(rules.quarantined > 0 ? [`${rules.quarantined} rules are set aside because they overran`] : []),
    ...(rules.notLoaded > 0 ? [`${rules.notLoaded} rule files have errors`] : []),
    ...(cycle !== null && cycle.incomplete > 0 ? [`${cycle.incomplete} rules could not be evaluated in the newest cycle`] : []),
    ...(deliverer.failed() > 0 ? [`${deliverer.failed()} deliveries were given up since the start`] : []),
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
    procmond: connection,
    rules,
    lastCycle: cycle,
    skippedScans: context.skippedScans(),
    deliveries: { open, failedSinceStart: deliverer.failed() },
    auditWaiting: store.outboxDepth(),
    executor: { confinement: context.confinement() },
  };
}
