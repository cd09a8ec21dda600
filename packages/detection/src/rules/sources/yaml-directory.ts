/**
 * The operator's own rules: YAML files in the directories that the configuration names, in that order.
 */
import { readRuleDirectory } from '../read-rule-directory.ts';
import { type RuleSourceKind, defineRuleSource } from '../rule-source.ts';

export const yamlDirectory: RuleSourceKind = defineRuleSource({
  name: 'yaml-directory',
  summary: 'Rule files (*.yaml, *.yml) in configured directories',
  load: ({ directories }) => {
    const loaded = directories.map((directory) => readRuleDirectory(directory, 'file', 'configured'));
    return { rules: loaded.flatMap(({ rules }) => rules), problems: loaded.flatMap(({ problems }) => problems) };
  },
});
