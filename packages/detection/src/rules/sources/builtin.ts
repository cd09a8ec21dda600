/**
 * The rules that are shipped: one folder per tactic beside the program.
 */
import { readRuleDirectory } from '../read-rule-directory.ts';
import { type RuleSourceKind, defineRuleSource } from '../rule-source.ts';

export const builtin: RuleSourceKind = defineRuleSource({
  name: 'builtin',
  summary: 'Rules shipped with SentinelD',
  load: ({ builtinDirectory }) => readRuleDirectory(builtinDirectory, 'builtin', 'installed'),
});
