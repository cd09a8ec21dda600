/**
 * What the agent answers on its socket: its health, its rules, and the keeping of entries for the ledger that the
 * operators' tool could not hand to procmond.
 */
import { SentinelError } from '@sentineld/model/error';
import { ACTIONS_BY_ROLE } from '@sentineld/model/audit';
import { RULES_PAGE, type Request } from '@sentineld/model/request';
import type { RuleResult, Severity } from '@sentineld/model/rule';
import type { Peer } from '@sentineld/runtime/ipc/server';
import { agentHealth, type AgentHealth, type HealthContext } from './health.ts';
import type { ProcmondLink } from './procmond-link.ts';
import { refusalLine, type RuleBook, type RuleEntry, type RuleState } from './rule-book.ts';

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
  /** What the newest evaluation came to, since when every one does, and why where it is incomplete or failed. */
  readonly result: RuleResult | null;
  readonly resultSinceMs: number | null;
  readonly resultReason: string | null;
  /** Evaluations since the start, by what they came to. */
  readonly counts: Readonly<Record<RuleResult, number>>;
};

export type AgentAnswers = HealthContext & { readonly link: ProcmondLink };

/** Answers one permitted request; throws SentinelError for what cannot be done. */
export function answer(context: AgentAnswers, request: Request, _peer: Peer): AgentHealth | RulesPage | Record<string, never> {
  switch (request.request) {
    case 'health':
      return agentHealth(context, Date.now());
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
    case 'ledger.checkpoint':
    case 'ledger.rotate_key':
    case 'ledger.archive':
    case 'ledger.restore':
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
      reason: reasonOf(entry),
      runs: entry.runs,
      hits: entry.hits,
      lastMs: entry.lastMs,
      lastOutcome: entry.lastOutcome,
      result: entry.result,
      resultSinceMs: entry.resultSinceMs,
      resultReason: entry.resultReason,
      counts: entry.counts,
    };
  });
  return {
    total: book.entries.length,
    offset,
    rules,
    problems: book.problems.slice(0, RULES_PAGE).map(({ file, line, message }) => `${file}:${line ?? 1}: ${message}`),
  };
}

/** Why a rule is not run, or why its silence means nothing. */
function reasonOf(entry: RuleEntry): string | null {
  if (entry.refusal !== null) return refusalLine(entry);
  return entry.state === 'active' && entry.resultReason !== null ? `${entry.result}: ${entry.resultReason}` : null;
}
