/**
 * Loads every rule there is: built-in first, then the operator's directories. What is broken is reported and left
 * out. The SQL is not looked at here.
 */
import type { Severity } from '@sentineld/model/rule';
import type { LoadProblem } from './load-problem.ts';
import { nearestWord } from '@sentineld/runtime/config/nearest-word';
import type { LoadedRule } from './rule-document.ts';
import type { RuleSettings } from './rule-source.ts';
import { RULE_SOURCE_KINDS } from './sources/registry.ts';

/** What is changed about a rule outside of its file, by id; null and undefined leave the file's own. It survives upgrades of the rule. */
export type RuleOverride = { readonly enabled?: boolean | null | undefined; readonly severity?: Severity | null | undefined };

/** Stands for a file where a problem is about an override of the configuration, which keeps no rule from being loaded. */
export const OVERRIDES_PLACE = 'overrides';

export type LoadOptions = RuleSettings & { readonly overrides?: Readonly<Record<string, RuleOverride>> };

export type LoadResult = { readonly rules: LoadedRule[]; readonly problems: LoadProblem[] };

/** Rules with unique ids in a stable order (disabled ones too), and everything that kept others from being among them. */
export function loadRules(options: LoadOptions): LoadResult {
  const loaded = RULE_SOURCE_KINDS.map((kind) => kind.load(options));
  const problems = loaded.flatMap((source) => source.problems);
  const byId = new Map<string, LoadedRule>();
  for (const rule of loaded.flatMap((source) => source.rules)) {
    const earlier = byId.get(rule.id);
    if (earlier === undefined) byId.set(rule.id, rule);
    else problems.push(duplicateOf(earlier, rule));
  }
  const overrides = new Map(Object.entries(options.overrides ?? {}));
  for (const id of overrides.keys()) if (!byId.has(id)) problems.push(unknownOverride(id, [...byId.keys()]));
  for (const rule of byId.values()) problems.push(...dedupProblems(rule, byId));
  return { rules: [...byId.values()].map((rule) => applyOverride(rule, overrides.get(rule.id))), problems };
}

/** The rule with what was decided about it elsewhere than in its file. */
export function applyOverride(rule: LoadedRule, override: RuleOverride | undefined): LoadedRule {
  return { ...rule, enabled: override?.enabled ?? rule.enabled, severity: override?.severity ?? rule.severity };
}

function duplicateOf(earlier: LoadedRule, later: LoadedRule): LoadProblem {
  return {
    file: later.sourcePath,
    ...later.places.id,
    key: 'id',
    ruleId: later.id,
    message: `The rule id "${later.id}" is already taken by ${earlier.sourcePath}`,
    hint:
      earlier.source === 'builtin'
        ? 'Give it another id; to replace a built-in rule, disable that one by an override.'
        : 'Give it another id, or remove one of the two files.',
  };
}

function unknownOverride(id: string, known: readonly string[]): LoadProblem {
  const nearest = nearestWord(id, known);
  const hint = nearest === null ? 'The rule may not have been loaded, or have been removed.' : `Did you mean "${nearest}"?`;
  return { file: OVERRIDES_PLACE, line: null, column: null, key: id, ruleId: id, message: `There is no rule "${id}" to override`, hint };
}

/** The rule is loaded all the same, and its findings are its own. */
function dedupProblems(rule: LoadedRule, byId: ReadonlyMap<string, LoadedRule>): LoadProblem[] {
  const { dedupWith } = rule;
  if (dedupWith === undefined) return [];
  const other = byId.get(dedupWith);
  if (other !== undefined && other.dedupKeys.length === rule.dedupKeys.length) return [];
  const nearest = nearestWord(dedupWith, [...byId.keys()]);
  const missing = nearest === null ? 'Name a rule that is loaded.' : `Did you mean "${nearest}"?`;
  return [
    {
      file: rule.sourcePath,
      ...rule.places.id,
      key: 'dedup_with',
      ruleId: rule.id,
      message:
        other === undefined
          ? `There is no rule "${dedupWith}" to share findings with`
          : `The rule "${dedupWith}" has ${other.dedupKeys.length} dedup columns, this one ${rule.dedupKeys.length}`,
      hint: other === undefined ? missing : 'Give both as many columns, in the same order.',
    },
  ];
}
