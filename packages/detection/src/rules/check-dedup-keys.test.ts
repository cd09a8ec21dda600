import { expect, test } from 'vitest';
import { checkDedupKeys } from './check-dedup-keys.ts';
import { type LoadedRule, parseRule } from './rule-document.ts';

function ruleWith(dedup: string): LoadedRule {
  const text = `id: x\nname: N\ndescription: D\nseverity: low\ncategory: c\nversion: 1\nquery: SELECT 1\n${dedup}`;
  const parsed = parseRule({ path: '/r/x.yaml', text, checksum: '' }, 'file');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.rule;
}

test('keys that the result has', () => {
  expect(checkDedupKeys(ruleWith(''), ['start_time', 'name', 'pid'])).toBeNull();
});

test('the first key that it lacks, with place and nearest column', () => {
  expect(checkDedupKeys(ruleWith('dedup: [pid, exe]\n'), ['pid', 'exe_'])).toEqual({
    file: '/r/x.yaml',
    line: 8,
    column: 1,
    key: 'dedup',
    ruleId: 'x',
    message: 'The dedup key "exe" is not a column of the result',
    hint: 'Did you mean "exe_"?',
  });
  expect(checkDedupKeys(ruleWith('dedup: [PID]\n'), ['pid', 'name'])).toMatchObject({ hint: 'Did you mean "pid"?' });
});

test('the default keys, and a rule that has no file', () => {
  const { places: _, ...rule } = ruleWith('');
  expect(checkDedupKeys(rule, ['count'])).toMatchObject({ line: null, column: null, hint: 'The result has count.' });
});
