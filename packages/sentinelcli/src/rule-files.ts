/**
 * Rules as their files have them: those that the agent would load, or those in files and directories that are named.
 * Files named by hand are read whatever their mode is; a directory is held to what the agent would accept.
 */
import { closeSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { messageOf } from '@sentineld/model/error';
import type { LoadProblem } from '@sentineld/detection/rules/load-problem';
import { loadRules } from '@sentineld/detection/rules/load';
import { parseRule, type LoadedRule } from '@sentineld/detection/rules/rule-document';
import type { Config } from '@sentineld/runtime/config/config';
import { builtinRulesDirectory } from './installation.ts';

export type RuleFiles = { readonly rules: readonly LoadedRule[]; readonly problems: readonly LoadProblem[] };

const MAX_RULE_FILE_BYTES = 64 * 1024;
/** Stands where the loader wants a folder of built-in rules and there shall be none: nothing can be below /dev/null. */
const NO_DIRECTORY = '/dev/null/rules';

/** What the agent loads with this configuration: the built-in rules and the configured directories. */
export function configuredRules(config: Config): RuleFiles {
  const overrides = Object.fromEntries(config.detection.disabled_rules.map((id) => [id, { enabled: false }]));
  return loadRules({ builtinDirectory: builtinRulesDirectory(), directories: config.detection.rules_dirs, overrides });
}

/** The built-in rules where nothing is named, otherwise what the paths hold. */
export function namedRules(paths: readonly string[]): RuleFiles {
  if (paths.length === 0) return loadRules({ builtinDirectory: builtinRulesDirectory(), directories: [] });
  const absolute = paths.map((path) => resolve(path));
  const directories = absolute.filter((path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true);
  const files = absolute.filter((path) => !directories.includes(path));
  const loaded = directories.length === 0 ? { rules: [], problems: [] } : loadRules({ builtinDirectory: NO_DIRECTORY, directories });
  const parsed = files.map(readRule);
  return {
    rules: [...loaded.rules, ...parsed.flatMap(({ rules }) => rules)],
    problems: [...loaded.problems.filter(({ file }) => file !== NO_DIRECTORY), ...parsed.flatMap(({ problems }) => problems)],
  };
}

function readRule(path: string): RuleFiles {
  const text = readText(path);
  if (typeof text !== 'string') return { rules: [], problems: [text] };
  const parsed = parseRule({ path, text, checksum: '' }, 'file');
  return parsed.ok ? { rules: [parsed.rule], problems: [] } : { rules: [], problems: parsed.problems };
}

function readText(path: string): string | LoadProblem {
  const problem = (message: string, hint: string): LoadProblem => ({ file: path, line: null, column: null, message, hint });
  let descriptor: number | null = null;
  try {
    descriptor = openSync(path, 'r');
    const status = fstatSync(descriptor);
    if (!status.isFile()) return problem('This is not a regular file', 'Name a rule file or a directory of them.');
    if (status.size > MAX_RULE_FILE_BYTES) return problem(`The file is larger than ${MAX_RULE_FILE_BYTES} bytes`, 'One file holds one rule.');
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(descriptor));
  } catch (cause) {
    return problem(`The file cannot be read: ${messageOf(cause)}`, 'Check that it exists, is UTF-8 text, and that this user may read it.');
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}
