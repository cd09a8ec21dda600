/**
 * What the agent answers on its socket: its health, its rules, and the keeping of entries for the ledger that the
 * operators' tool could not hand to procmond.
 */
import type { Suppression } from '@sentineld/model/alert-decision';
import { SentinelError } from '@sentineld/model/error';
import { ACTIONS_BY_ROLE } from '@sentineld/model/audit';
import type { AlertsAckReply, RulesOverrideReply, RulesReloadReply } from '@sentineld/model/reply';
import { MAX_FRAME_BYTES, RULES_PAGE, type PeerCredentials, type Request } from '@sentineld/model/request';
import type { OperatorOverride, RuleResult, RuleScope, Severity } from '@sentineld/model/rule';
import type { Peer } from '@sentineld/runtime/ipc/server';
import type { AlertDecisions } from './alert-decisions.ts';
import { agentHealth, type AgentHealth, type HealthContext } from './health.ts';
import type { ProcmondLink } from './procmond-link.ts';
import { overridesWithoutRule, refusalLine, type RuleBook, type RuleEntry, type RuleState } from './rule-book.ts';
import type { RuleKeeper } from './rule-keeper.ts';

export type RulesPage = {
  readonly total: number;
  readonly offset: number;
  readonly rules: readonly RuleSummary[];
  /** Files from which no rule could be made, a line each. */
  readonly problems: readonly string[];
  /** What operators decided about rules that are not there now. */
  readonly overridesWithoutRule: readonly OperatorOverride[];
};

export type RuleSummary = {
  readonly id: string;
  readonly name: string;
  readonly severity: Severity;
  readonly version: number;
  readonly source: string;
  readonly path: string;
  /** NAME@VERSION of the pack that it is from. */
  readonly pack: string | null;
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
  readonly checksum: string;
  /** When it is run, as its file has it; 'scan' where it says nothing. */
  readonly schedule: string;
  /** What it has to look at in a scan; null of a rule that is not run. */
  readonly looksAt: RuleScope | null;
  /** When it is due next, in milliseconds since 1970: it is run with the first scan from then on. Null where it is not waited for. */
  readonly nextRunMs: number | null;
  /** What operators decided about it; null where nobody did. */
  readonly override: OperatorOverride | null;
  /** What its file and the configuration say where operators decided otherwise. */
  readonly loaded: { readonly enabled: boolean; readonly severity: Severity };
  /** What it cost and found since it was first run, also before this start. */
  readonly cost: Omit<RuleEntry['cost'], 'ruleId'>;
};

export type AgentAnswers = HealthContext & { readonly link: ProcmondLink; readonly keeper: RuleKeeper; readonly decisions: AlertDecisions };

type Answer = AgentHealth | RulesPage | RulesReloadReply | RulesOverrideReply | AlertsAckReply | Suppression | Record<string, never>;

/** Answers one permitted request; throws SentinelError for what cannot be done. */
export function answer(context: AgentAnswers, request: Request, peer: Peer): Answer | Promise<Answer> {
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
      context.store.queueAudit({ ...request.event, data: { ...request.event.data, told_by: peer } });
      void context.link.forwardAudit();
      return {};
    }
    case 'rules.reload':
      return context.keeper.reload(knownPeer(peer));
    case 'rules.override':
      return context.keeper.override(request.ruleId, request.decision, request.reason, knownPeer(peer));
    case 'alerts.ack':
      return context.decisions.acknowledge(request, knownPeer(peer));
    case 'alerts.suppress':
      return context.decisions.suppress(request, knownPeer(peer));
    case 'alerts.unsuppress':
      return context.decisions.unsuppress(request.id, request.reason, knownPeer(peer));
    case 'audit.append':
    case 'subscribe':
    case 'ledger.checkpoint':
    case 'ledger.rotate_key':
    case 'ledger.archive':
    case 'ledger.restore':
      throw new SentinelError('ipc.refused', { message: `request ${request.request} is for procmond` });
  }
}

/** A decision about rules or alerts is somebody's; where nobody can say whose, there is none. */
function knownPeer({ credentials }: Peer): PeerCredentials {
  if (credentials !== null) return credentials;
  throw new SentinelError('native.unavailable', {
    message: 'who asks cannot be told on this platform, so nothing is decided for others',
  });
}

/** Bytes of a page at most, which leaves room for the rest of the frame. */
const PAGE_BYTES = (MAX_FRAME_BYTES * 3) / 4;
/** Of what stands on the first page beside the rules. */
const MOST_BESIDE = 25;
const MOST_CHARACTERS = 300;

/** As many rules as fit one frame, one at least. */
function rulesPage(book: RuleBook, offset: number): RulesPage {
  const isFirst = offset === 0;
  const beside = {
    problems: isFirst ? book.problems.slice(0, MOST_BESIDE).map(problemLine) : [],
    overridesWithoutRule: isFirst ? overridesWithoutRule(book).slice(0, MOST_BESIDE).map(shortened) : [],
  };
  let left = PAGE_BYTES - Buffer.byteLength(JSON.stringify(beside));
  const rules: RuleSummary[] = [];
  for (const entry of book.entries.slice(offset, offset + RULES_PAGE)) {
    const summary = summaryOf(entry);
    left -= Buffer.byteLength(JSON.stringify(summary));
    if (left < 0 && rules.length > 0) break;
    rules.push(summary);
  }
  return { total: book.entries.length, offset, rules, ...beside };
}

function problemLine({ file, line, message }: RuleBook['problems'][number]): string {
  return cut(`${file}:${line ?? 1}: ${message}`);
}

function shortened(override: OperatorOverride): OperatorOverride {
  return { ...override, reason: cut(override.reason) };
}

function cut(text: string): string {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}

function summaryOf(entry: RuleEntry): RuleSummary {
  const { rule, loaded } = entry;
  const { ruleId: _, ...cost } = entry.cost;
  return {
    id: rule.id,
    name: rule.name,
    severity: rule.severity,
    version: rule.version,
    source: rule.source,
    path: rule.sourcePath,
    pack: loaded.pack ?? null,
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
    checksum: rule.checksum,
    schedule: entry.timetable.schedule,
    looksAt: entry.state === 'active' ? entry.scope : null,
    nextRunMs: entry.state === 'active' ? entry.timetable.nextMs({ monotonicMs: performance.now(), wallMs: Date.now() }) : null,
    override: entry.override,
    loaded: { enabled: loaded.enabled, severity: loaded.severity },
    cost,
  };
}

/** Why a rule is not run, or why its silence means nothing. */
function reasonOf(entry: RuleEntry): string | null {
  if (entry.refusal !== null) return refusalLine(entry);
  return entry.state === 'active' && entry.resultReason !== null ? `${entry.result}: ${entry.resultReason}` : null;
}
