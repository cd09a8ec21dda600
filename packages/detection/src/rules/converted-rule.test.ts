import { expect, test } from 'vitest';
import { parseRule } from './rule-document.ts';

const parse = (id: string, more: string) =>
  parseRule(
    {
      path: '/r/x.yaml',
      text: `id: ${id}\nname: n\ndescription: d\nseverity: low\ncategory: process\nversion: 1\nquery: SELECT pid FROM processes\n${more}`,
      checksum: '',
    },
    'file',
  );
const UUID = '0a1c1a6e-1c9e-4b0e-9b0a-0123456789ab';

test('a rule from elsewhere keeps its id and its licence', () => {
  expect(parse(UUID, 'license: DRL 1.1\n')).toMatchObject({ ok: true, rule: { id: UUID, license: 'DRL 1.1' } });
  const parsed = parse(UUID, '');
  expect(parsed.ok && 'license' in parsed.rule).toBe(false);
});

test.each([UUID.toUpperCase(), `0${UUID}`, `${UUID}0`, '0a1c1a6e'])('%s is no id', (id) => {
  expect(parse(id, '')).toMatchObject({
    ok: false,
    problems: [{ key: 'id', line: 1, column: 5, hint: expect.stringContaining('or a UUID') }],
  });
});

test.each(['""', '"a\\nb"', 'x'.repeat(121), '[MIT]'])('%s is no licence', (license) => {
  expect(parse(UUID, `license: ${license}\n`)).toMatchObject({ ok: false, problems: [{ key: 'license', line: 8, column: 10 }] });
});

test('the authors of a rule may be many', () => {
  expect(parse(UUID, `author: ${'a'.repeat(500)}\n`).ok).toBe(true);
  expect(parse(UUID, `author: ${'a'.repeat(501)}\n`)).toMatchObject({ ok: false, problems: [{ key: 'author' }] });
});
