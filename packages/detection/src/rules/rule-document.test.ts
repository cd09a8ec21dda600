import { describe, expect, test } from 'vitest';
import { formatLoadProblem } from './load-problem.ts';
import { type LoadedRule, parseRule, placeInFile } from './rule-document.ts';

const MINIMAL = {
  id: 'some-rule',
  name: 'Some rule',
  description: 'What it finds.',
  severity: 'low',
  category: 'execution',
  version: 1,
  query: 'SELECT pid, start_time FROM processes',
};

function parse(text: string): ReturnType<typeof parseRule> {
  return parseRule({ path: '/r/x.yaml', text, checksum: 'c0' }, 'file');
}

function write(values: Record<string, unknown>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
    .join('');
}

function ruleOf(text: string): LoadedRule {
  const parsed = parse(text);
  if (!parsed.ok) throw new Error(parsed.problems.map(formatLoadProblem).join('\n'));
  return parsed.rule;
}

test('a minimal rule and its defaults', () => {
  expect(ruleOf(write(MINIMAL))).toEqual({
    id: 'some-rule',
    name: 'Some rule',
    description: 'What it finds.',
    severity: 'low',
    category: 'execution',
    version: 1,
    sql: 'SELECT pid, start_time FROM processes',
    tags: [],
    attack: [],
    author: '',
    dedupKeys: ['pid', 'start_time'],
    enabled: true,
    references: [],
    falsePositives: '',
    source: 'file',
    sourcePath: '/r/x.yaml',
    checksum: 'c0',
    places: { id: { line: 1, column: 1 }, dedup: { line: 1, column: 1 }, query: { line: 7, column: 8 }, sql: null },
  });
});

test('every key', () => {
  const given = {
    ...MINIMAL,
    severity: 'critical',
    tags: ['a.b', 'c-d'],
    attack: ['T1059', 'T1059.004'],
    author: ' A. N. Other ',
    dedup: ['exe_path'],
    dedup_with: 'other-rule',
    enabled: false,
    references: ['https://example.org/'],
    false_positives: 'None.\n\tReally.',
  };
  expect(ruleOf(write(given))).toMatchObject({
    severity: 'critical',
    tags: ['a.b', 'c-d'],
    attack: ['T1059', 'T1059.004'],
    author: 'A. N. Other',
    dedupKeys: ['exe_path'],
    dedupWith: 'other-rule',
    enabled: false,
    references: ['https://example.org/'],
    falsePositives: 'None.\n\tReally.',
  });
});

describe('wrong values name the key, the place and what belongs there', () => {
  const cases: [key: string, value: unknown, message: RegExp][] = [
    ['id', 'Some Rule', /some-rule-id/],
    ['id', '-x', /some-rule-id/],
    ['id', 'x'.repeat(65), /longer than 64/],
    ['id', 7, /not a text/],
    ['dedup_with', 'Some Rule', /some-rule-id/],
    ['id', '../../etc/passwd', /some-rule-id/],
    ['name', '', /empty/],
    ['name', 'a\nb', /line break/],
    ['name', 'a\u202Eb', /invisible/],
    ['name', 'x'.repeat(121), /longer than 120/],
    ['description', '', /empty/],
    ['description', 'a\u001b[2Jb', /control/],
    ['severity', 'hihg', /did you mean high/],
    ['severity', 'urgent', /no such severity$/],
    ['severity', null, /no such severity/],
    ['category', 'Defense Evasion', /word/],
    ['version', 0, /below 1/],
    ['version', 1.5, /whole number/],
    ['version', '1', /whole number/],
    ['query', '  \n', /empty/],
    ['query', ['SELECT 1'], /not a text/],
    ['tags', 'a', /not a list/],
    ['tags', ['A B'], /small letters/],
    ['tags', ['a', 'a'], /twice/],
    ['attack', ['T59'], /technique id/],
    ['attack', ['t1059'], /technique id/],
    ['dedup', [], /empty/],
    ['dedup', ['pid; DROP'], /column name/],
    ['dedup', ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'], /more than 8/],
    ['enabled', 'yes', /neither true nor false/],
    ['references', ['a\nb'], /line break/],
    ['false_positives', ['a'], /not a text/],
  ];
  test.each(cases)('%s: %j', (key, value, message) => {
    const text = write({ ...MINIMAL, [key]: value });
    const line = text.split('\n').findIndex((content) => content.startsWith(`${key}:`)) + 1;
    const parsed = parse(text);
    expect(parsed).toMatchObject({ ok: false, problems: [{ file: '/r/x.yaml', line, key, message: expect.stringMatching(message) }] });
    if (!parsed.ok) expect(parsed.problems[0]?.hint.length).toBeGreaterThan(3);
  });
});

test.each(Object.keys(MINIMAL))('a missing %s is named', (key) => {
  const given = Object.fromEntries(Object.entries(MINIMAL).filter(([name]) => name !== key));
  expect(parse(write(given))).toMatchObject({ ok: false, problems: [{ key, line: 1, message: `The key "${key}" is missing` }] });
});

test('an unknown key gets its line and column and the nearest right one', () => {
  const text = `${write(MINIMAL)}false_positive: x\nsql: y\n`;
  const parsed = parse(text);
  expect(parsed).toEqual({
    ok: false,
    problems: [
      {
        file: '/r/x.yaml',
        line: 8,
        column: 1,
        key: 'false_positive',
        ruleId: 'some-rule',
        message: 'Unknown key "false_positive"',
        hint: 'Did you mean "false_positives"?',
      },
      {
        file: '/r/x.yaml',
        line: 9,
        column: 1,
        key: 'sql',
        ruleId: 'some-rule',
        message: 'Unknown key "sql"',
        hint: expect.stringMatching(/^The keys are id, name/),
      },
    ],
  });
  expect(parsed.ok ? '' : parsed.problems.map(formatLoadProblem)[0]).toBe(
    '/r/x.yaml:8:1: Unknown key "false_positive". Did you mean "false_positives"?',
  );
});

test.each([
  ['', /empty/],
  ['# only a comment\n', /empty/],
  ['- a\n', /does not hold/],
  ['just text\n', /does not hold/],
  ['id: [\n', /Not valid YAML/],
  ['__proto__: { enabled: true }\n', /missing|Unknown key/],
])('%j is no rule', (text, message) => {
  const parsed = parse(text);
  expect(parsed.ok ? [] : parsed.problems.map((problem) => problem.message)).toEqual(
    expect.arrayContaining([expect.stringMatching(message)]),
  );
});

describe('places of the SQL', () => {
  const head = write(Object.fromEntries(Object.entries(MINIMAL).filter(([key]) => key !== 'query')));

  test('in a block they are exact', () => {
    const rule = ruleOf(`${head}query: | # comment 1\n\n   SELECT pid,\n     bad\n   FROM processes\n\n`);
    expect(rule.sql).toBe('\nSELECT pid,\n  bad\nFROM processes');
    expect(placeInFile(rule, { line: 3, column: 3 })).toEqual({ line: 10, column: 6 });
    expect(placeInFile(rule, null)).toEqual({ line: 7, column: 8 });
  });

  test.each(['query: >\n  SELECT pid\n  FROM processes\n', 'query: "SELECT pid FROM processes"\n', 'query: |1\n   SELECT pid\n'])(
    'elsewhere they are where the query begins: %j',
    (query) => {
      expect(placeInFile(ruleOf(head + query), { line: 2, column: 3 })).toEqual({ line: 7, column: 8 });
    },
  );
});

test('what is shown cannot move the cursor', () => {
  const problem = { file: '/r/\u001b[2J.yaml', line: null, column: null, message: 'a\nb', hint: 'c' };
  expect(formatLoadProblem(problem)).toBe('/r/\\x1b[2J.yaml: a\\nb. c');
});
