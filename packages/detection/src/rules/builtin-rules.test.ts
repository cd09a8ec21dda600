import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { RuleOutcome } from '@sentineld/model/rule';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { openReader } from '@sentineld/store/reader';
import { describe, expect, test } from 'vitest';
import { AUTHORIZED_FUNCTIONS, OFFERED_FUNCTIONS } from '../sql/functions.ts';
import { RULE_PARAMETERS } from '../sql/policy.ts';
import { validateSql } from '../sql/validate.ts';
import { runCases } from './case.ts';
import { caseFileOf, CASE_KEYS, parseCases, readCaseFile } from './case-file.ts';
import { checkDedupKeys } from './check-dedup-keys.ts';
import { loadRules } from './load.ts';
import { parseRule, RULE_KEYS } from './rule-document.ts';

const BUILTIN = join(import.meta.dirname, '../../rules');
const DOCUMENT = readFileSync(join(import.meta.dirname, '../../../../docs/rules.md'), 'utf8');
const { rules, problems } = loadRules({ builtinDirectory: BUILTIN, directories: [] });

/** The connection that executors use, without the process around it. */
function execute(path: string, sql: string): Promise<RuleOutcome> {
  const reader = openReader({ databases: [{ schema: 'main', path }], schema: EVENTS_SCHEMA, functions: AUTHORIZED_FUNCTIONS });
  try {
    const { rows, truncated } = reader.prepare(sql).rows({}, { maxRows: 1_000, maxBytes: 1_000_000 });
    return Promise.resolve({ outcome: 'ok', scanId: 1, rows, processes: [], truncated, durationMs: 0 });
  } finally {
    reader.close();
  }
}

test('there are eight, all of them sound', () => {
  expect(problems).toEqual([]);
  expect(rules).toHaveLength(8);
});

describe.each(rules.map((rule) => [rule.id, rule] as const))('%s', (id, rule) => {
  const file = readCaseFile(caseFileOf(rule.sourcePath), { trust: 'installed' });

  test('is in a file of its name, in the folder of its category, enabled, and says what an analyst needs', () => {
    expect(basename(rule.sourcePath)).toBe(`${id}.yaml`);
    expect(basename(dirname(rule.sourcePath))).toBe(rule.category);
    expect(rule).toMatchObject({
      enabled: true,
      source: 'builtin',
      attack: expect.arrayContaining([expect.any(String)]),
      references: expect.arrayContaining([expect.any(String)]),
    });
    expect(rule.description).toMatch(/What to do:/);
    expect(rule.falsePositives).not.toBe('');
  });

  test('is a statement that may be run', () => {
    expect(validateSql(rule.sql, { schema: EVENTS_SCHEMA, parameters: RULE_PARAMETERS })).toMatchObject({ ok: true });
  });

  test('has cases that match and cases that do not', () => {
    if (!file.ok) throw new Error(JSON.stringify(file.problems));
    expect(file.cases.filter(({ matches }) => matches.length > 0).length).toBeGreaterThan(0);
    expect(file.cases.filter(({ matches }) => matches.length === 0).length).toBeGreaterThan(0);
  });

  test.each(file.ok ? file.cases.map((ruleCase) => [ruleCase.name, ruleCase] as const) : [])('%s', async (_, ruleCase) => {
    expect(await runCases(rule, [ruleCase], execute)).toEqual([
      { name: ruleCase.name, passed: true, missing: [], unexpected: [], error: null },
    ]);
  });

  test('returns what identifies a process, and its dedup keys', async () => {
    const first = file.ok ? file.cases.find(({ matches }) => matches.length > 0) : undefined;
    let columns: string[] = [];
    await runCases(rule, first === undefined ? [] : [first], async (path, sql) => {
      const outcome = await execute(path, sql);
      if (outcome.outcome === 'ok') columns = Object.keys(outcome.rows[0] ?? {});
      return outcome;
    });
    expect(columns).toEqual(
      expect.arrayContaining(['pid', 'start_time', 'name', 'exe_path', 'cmdline', 'user_name', 'ppid', 'parent_name', 'reason']),
    );
    expect(checkDedupKeys(rule, columns)).toBeNull();
  });
});

describe('docs/rules.md', () => {
  test('has an example that loads, and cases that it passes', async () => {
    const [rule = '', cases = ''] = [...DOCUMENT.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text]) => text ?? '');
    const parsed = parseRule({ path: 'example', text: rule, checksum: '' }, 'file');
    const parsedCases = parseCases(cases, 'example', EVENTS_SCHEMA);
    expect([parsed, parsedCases]).toMatchObject([{ ok: true }, { ok: true }]);
    if (!parsed.ok || !parsedCases.ok) return;
    expect(await runCases(parsed.rule, parsedCases.cases, execute)).toMatchObject([{ passed: true }, { passed: true }]);
  });

  test.each(OFFERED_FUNCTIONS)('lists the functions for $why', ({ why, names }) => {
    expect(DOCUMENT).toContain(`- ${why}: ${names.map((name) => `\`${name}\``).join(', ')}\n`);
  });

  test('lists the built-in rules with their severities', () => {
    const listed = [...DOCUMENT.matchAll(/^\| `([a-z0-9-]+)` +\| (low|medium|high|critical) +\|/gm)].map(
      ([, id, severity]) => `${id} ${severity}`,
    );
    expect(listed.toSorted()).toEqual(rules.map(({ id, severity }) => `${id} ${severity}`).toSorted());
  });

  test.each([
    ['rule', RULE_KEYS],
    ['case', CASE_KEYS],
  ])('describes every key of a %s file as the program does', (_, keys) => {
    const lines = DOCUMENT.replaceAll('\\|', '|').split('\n');
    for (const [key, summary] of Object.entries(keys))
      expect(lines.filter((line) => line.startsWith(`| \`${key}\` `) && line.endsWith(`| ${summary} |`))).toHaveLength(1);
  });
});
