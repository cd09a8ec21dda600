/**
 * Loads every rule there is: built-in first, then the operator's directories. What is broken is reported and left
 * out. The SQL is not looked at here.
 */
import type { Severity } from '@sentineld/model/rule';
import { type LoadProblem, fileProblem } from './load-problem.ts';
import { nearestWord } from '@sentineld/runtime/config/nearest-word';
import { packLeftOut } from './read-pack.ts';
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
  const packs = new Map<string, string>();
  for (const group of groupsOf(loaded.flatMap((source) => source.rules))) problems.push(...takeGroup(group, byId, packs));
  const overrides = new Map(Object.entries(options.overrides ?? {}));
  for (const id of overrides.keys()) if (!byId.has(id)) problems.push(unknownOverride(id, [...byId.keys()]));
  for (const rule of byId.values()) problems.push(...dedupProblems(rule, byId));
  return { rules: [...byId.values()].map((rule) => applyOverride(rule, overrides.get(rule.id))), problems };
}

/** The rule with what was decided about it elsewhere than in its file. */
export function applyOverride(rule: LoadedRule, override: RuleOverride | undefined): LoadedRule {
  return { ...rule, enabled: override?.enabled ?? rule.enabled, severity: override?.severity ?? rule.severity };
}

/** Rules that are taken together or not at all: those of one pack; each of the others by itself. */
function groupsOf(rules: readonly LoadedRule[]): readonly (readonly LoadedRule[])[] {
  const groups: LoadedRule[][] = [];
  for (const rule of rules) {
    const last = groups.at(-1);
    const [first] = last ?? [];
    // A pack whose directory is named twice begins again with its first file.
    const isNext = rule.packManifest !== undefined && rule.packManifest === first?.packManifest && rule.sourcePath !== first.sourcePath;
    if (isNext) last?.push(rule);
    else groups.push([rule]);
  }
  return groups;
}

/** Adds the rules of a group, or none of them; `packs` has the manifests of those that were taken, by their names. */
function takeGroup(group: readonly LoadedRule[], byId: Map<string, LoadedRule>, packs: Map<string, string>): LoadProblem[] {
  const { pack, packManifest = '' } = group[0] ?? {};
  const packName = pack?.split('@')[0];
  const other = packName === undefined ? undefined : packs.get(packName);
  if (other !== undefined) return [packTaken(packManifest, packName ?? '', other)];
  const taken = group.flatMap((rule) => {
    const earlier = byId.get(rule.id);
    return earlier === undefined ? [] : [duplicateOf(earlier, rule)];
  });
  if (taken.length > 0) return pack === undefined ? taken : [...taken, packLeftOut(packManifest, pack, 0)];
  for (const rule of group) byId.set(rule.id, rule);
  if (packName !== undefined) packs.set(packName, packManifest);
  return [];
}

/** Two versions of a pack side by side, or one directory named twice: nobody could say which of them counts. */
function packTaken(manifest: string, name: string, other: string): LoadProblem {
  return fileProblem(manifest, `A pack "${name}" is already loaded, from ${other}; this one is left out`, 'Remove one of the two.');
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
