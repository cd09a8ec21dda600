/**
 * The rules with what became of them, as the agent tells; where it is away, as the files have them and as it left
 * them in its database.
 */
import { OperatorOverrideSchema } from '@sentineld/model/reply';
import type { OperatorOverride, SqlValue } from '@sentineld/model/rule';
import { formatLoadProblem } from '@sentineld/detection/rules/load-problem';
import { SentinelError } from '@sentineld/model/error';
import { withAgentReader } from './alert-store.ts';
import type { CommandContext } from './command.ts';
import { askDaemon, type Asked } from './daemons.ts';
import { isRecord, listField, numberField, recordField, textField, textsField, type Fields } from './fields.ts';
import { overrideJson, type OverrideJson } from './rule-decisions.ts';
import { configuredRules } from './rule-files.ts';
import { storedCosts, storedOverrides, type RuleCostJson } from './rule-records.ts';

export type ListedRule = {
  readonly id: string;
  readonly name: string;
  readonly severity: string;
  readonly version: number;
  readonly source: string;
  readonly path: string;
  /** NAME@VERSION of the pack that it is from; null where it is from none. */
  readonly pack: string | null;
  readonly attack: readonly string[];
  /** From the agent: active, disabled, refused, quarantined, unverified. Without it: enabled, disabled, or no_file. */
  readonly state: string;
  /** Why it is refused or quarantined. */
  readonly reason: string | null;
  /** Runs, runs with a match, and time of the last run since the agent started; null where it was not asked. */
  readonly runs: number | null;
  readonly hits: number | null;
  readonly last_ms: number | null;
  readonly last_outcome: string | null;
  readonly schedule: string;
  /** What it has to look at in a scan: new_events, changed_processes or everything; null where the agent was not asked. */
  readonly looks_at: string | null;
  /** When the agent runs it next, in milliseconds since 1970; null where every scan is looked at, or it is not run. */
  readonly next_run_ms: number | null;
  /** What operators decided about it; null where nobody did. */
  readonly override: OverrideJson | null;
  /** What it cost and found since it was first run; null where it never was, or that cannot be read. */
  readonly cost: RuleCostJson | null;
};

export type RuleList = {
  readonly from: 'agent' | 'files';
  /** Why it was not the agent that told. */
  readonly why: string | null;
  readonly rules: readonly ListedRule[];
  /** Files from which no rule could be made, a line each. */
  readonly problems: readonly string[];
  /** What operators decided about rules that are not there now. */
  readonly overrides_without_rule: readonly OverrideJson[];
};

export async function listRules(context: CommandContext): Promise<RuleList> {
  const first = await askDaemon('sentinelagent', context.paths(), { request: 'rules', offset: 0 });
  return first.reached ? listFromAgent(context, first.body) : listFromFiles(context, first);
}

async function listFromAgent(context: CommandContext, first: Readonly<Record<string, unknown>>): Promise<RuleList> {
  const rules = [...rulesIn(first)];
  const total = numberField(first, 'total') ?? rules.length;
  while (rules.length < total) {
    const next = await askDaemon('sentinelagent', context.paths(), { request: 'rules', offset: rules.length });
    const page = next.reached ? rulesIn(next.body) : [];
    if (page.length === 0) break;
    rules.push(...page);
  }
  const without = listField(first, 'overridesWithoutRule').flatMap((override) => overrideIn(override) ?? []);
  return { from: 'agent', why: null, rules, problems: textsField(first, 'problems'), overrides_without_rule: without };
}

function overrideIn(value: unknown): OverrideJson | null {
  const read = OperatorOverrideSchema.safeParse(value);
  return read.success ? overrideJson(read.data) : null;
}

function costIn(body: Fields): RuleCostJson | null {
  const count = (name: string): number => numberField(body, name) ?? 0;
  if (count('runs') === 0) return null;
  return {
    runs: count('runs'),
    rows: count('rows'),
    hits: count('hits'),
    total_ms: count('totalMs'),
    worst_ms: count('worstMs'),
    overruns: count('overruns'),
    last_run_ms: count('lastRunMs'),
  };
}

function rulesIn(body: Readonly<Record<string, unknown>>): readonly ListedRule[] {
  return listField(body, 'rules').flatMap((rule) => {
    if (!isRecord(rule)) return [];
    return {
      id: textField(rule, 'id') ?? '',
      name: textField(rule, 'name') ?? '',
      severity: textField(rule, 'severity') ?? '',
      version: numberField(rule, 'version') ?? 0,
      source: textField(rule, 'source') ?? '',
      path: textField(rule, 'path') ?? '',
      pack: textField(rule, 'pack'),
      attack: textsField(rule, 'attack'),
      state: textField(rule, 'state') ?? 'unknown',
      reason: textField(rule, 'reason'),
      runs: numberField(rule, 'runs'),
      hits: numberField(rule, 'hits'),
      last_ms: numberField(rule, 'lastMs'),
      last_outcome: textField(rule, 'lastOutcome'),
      schedule: textField(rule, 'schedule') ?? 'scan',
      looks_at: textField(rule, 'looksAt'),
      next_run_ms: numberField(rule, 'nextRunMs'),
      override: overrideIn(rule['override']),
      cost: costIn(recordField(rule, 'cost')),
    };
  });
}

const NOT_ASKED = {
  reason: null,
  runs: null,
  hits: null,
  last_ms: null,
  last_outcome: null,
  looks_at: null,
  next_run_ms: null,
  override: null,
  cost: null,
} as const;

function listFromFiles(context: CommandContext, { message }: Extract<Asked, { readonly reached: false }>): RuleList {
  const { rules, problems } = configuredRules(context.config().config);
  const overrides = storedOverrides(context.paths());
  const costs = storedCosts(context.paths());
  const listed = rules.map(
    ({ id, name, severity, version, source, sourcePath, attack, enabled, pack = null, schedule = 'scan' }): ListedRule => {
      const override = overrides.get(id) ?? null;
      return {
        ...NOT_ASKED,
        id,
        name,
        version,
        source,
        path: sourcePath,
        pack,
        attack,
        schedule,
        severity: override?.severity ?? severity,
        state: (override?.enabled ?? enabled) ? 'enabled' : 'disabled',
        override: override === null ? null : overrideJson(override),
        cost: costs.get(id) ?? null,
      };
    },
  );
  const known = new Set(listed.map(({ id }) => id));
  const left = rulesInDatabase(context).filter(({ id }) => !known.has(id));
  const without = [...overrides.values()].filter(({ ruleId }: OperatorOverride) => !known.has(ruleId)).map(overrideJson);
  const loaded = [...listed, ...left];
  return { from: 'files', why: message, rules: loaded, problems: problems.map(formatLoadProblem), overrides_without_rule: without };
}

/** What the agent had loaded when it last ran; nothing where its database cannot be read. */
function rulesInDatabase(context: CommandContext): readonly ListedRule[] {
  try {
    const rows = withAgentReader(context.paths(), (reader) =>
      reader.internal('SELECT * FROM temp.detection_rules WHERE removed_at IS NULL ORDER BY id'),
    );
    return rows.map((row) => ({
      id: textOf(row['id']),
      name: textOf(row['name']),
      severity: textOf(row['severity']),
      version: typeof row['version'] === 'number' ? row['version'] : 0,
      source: textOf(row['source_type']),
      path: textOf(row['source_path']),
      pack: null,
      attack: [],
      state: 'no_file',
      schedule: 'scan',
      ...NOT_ASKED,
    }));
  } catch (cause) {
    if (cause instanceof SentinelError) return [];
    throw cause;
  }
}

function textOf(value: SqlValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
