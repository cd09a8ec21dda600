/**
 * One rule from where it lies: its file, and the file with its query where that is a file of its own.
 */
import type { RuleSource } from '@sentineld/model/rule';
import { MAX_RULE_FILE_BYTES, readRuleFile, readSqlBeside, type Trust } from './read-rule-file.ts';
import { parseRule, type ParsedRule } from './rule-document.ts';

/** Nothing is thrown for what the files hold. */
export function readRule(path: string, source: RuleSource, trust: Trust): ParsedRule {
  const read = readRuleFile(path, { maxBytes: MAX_RULE_FILE_BYTES, trust });
  if (!read.ok) return { ok: false, problems: [read.problem] };
  return parseRule(read.file, source, () => readSqlBeside(path, trust));
}
