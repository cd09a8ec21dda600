/**
 * Rules as their files have them: those that the agent would load, or those in files and directories that are named.
 * A directory is held to what the agent would accept; a file named by hand to what could harm whoever reads it.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { SentinelError, reasonOf } from '@sentineld/model/error';
import type { LoadProblem } from '@sentineld/detection/rules/load-problem';
import { loadRules } from '@sentineld/detection/rules/load';
import { readRuleDirectory } from '@sentineld/detection/rules/read-rule-directory';
import { readRule } from '@sentineld/detection/rules/read-rule';
import type { LoadedRule } from '@sentineld/detection/rules/rule-document';
import type { Config } from '@sentineld/runtime/config/config';
import { builtinRulesDirectory } from './installation.ts';

export type RuleFiles = { readonly rules: readonly LoadedRule[]; readonly problems: readonly LoadProblem[] };

/** What the agent loads with this configuration: the built-in rules and the configured directories. */
export function configuredRules(config: Config): RuleFiles {
  const overrides = Object.fromEntries(config.detection.disabled_rules.map((id) => [id, { enabled: false }]));
  return loadRules({ builtinDirectory: builtinRulesDirectory(), directories: config.detection.rules_dirs, overrides });
}

/** What the paths hold; where none is given, the rules of a folder that is shipped. */
export function namedRules(paths: readonly string[], builtinDirectory: string = builtinRulesDirectory()): RuleFiles {
  if (paths.length === 0) return loadRules({ builtinDirectory, directories: [] });
  const read = paths.map((path) =>
    isDirectory(path) ? readRuleDirectory(resolve(path), 'file', 'configured') : readNamedRule(resolve(path)),
  );
  return { rules: read.flatMap(({ rules }) => rules), problems: read.flatMap(({ problems }) => problems) };
}

/** Throws 'usage.invalid' for what is not there or may not be read: what was named is then not what was meant. */
export function isDirectory(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isDirectory();
  } catch (cause) {
    throw new SentinelError('usage.invalid', {
      message: `${path} cannot be read`,
      why: reasonOf(cause),
      hint: 'give rule files, or directories of them',
      cause,
    });
  }
}

function readNamedRule(path: string): RuleFiles {
  const parsed = readRule(path, 'file', 'installed');
  return parsed.ok ? { rules: [parsed.rule], problems: [] } : { rules: [], problems: parsed.problems };
}
