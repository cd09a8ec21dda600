/**
 * A kind of place that rules come from. Each kind is one file in sources/ and one line in sources/registry.ts.
 */
import type { LoadedRules } from './read-rule-directory.ts';

export type RuleSettings = {
  /** The folder of rules that is shipped with the program. */
  readonly builtinDirectory: string;
  /** The operator's own. */
  readonly directories: readonly string[];
};

export type RuleSourceKind = {
  readonly name: string;
  /** One line for help texts. */
  readonly summary: string;
  /** Everything that can be loaded, and what cannot. Never throws for what it finds; the same input gives the same order. */
  readonly load: (settings: RuleSettings) => LoadedRules;
};

export function defineRuleSource(kind: RuleSourceKind): RuleSourceKind {
  return kind;
}
