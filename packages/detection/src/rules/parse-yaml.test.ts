import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseYaml } from './parse-yaml.ts';

const LIMITS = { maxNodes: 200, maxDepth: 8 };
const parse = (text: string): ReturnType<typeof parseYaml> => parseYaml(text, 'x.yaml', LIMITS);

describe('what is refused, with its place', () => {
  const cases: [what: string, text: string, line: number, column: number, message: RegExp][] = [
    ['broken flow', 'a: [1\nb: 2\n', 2, 1, /Not valid YAML/],
    ['a tab', 'a:\n\tb: 1\n', 2, 1, /Not valid YAML/],
    ['an unclosed quote', 'a: 1\nb: "x\n', 3, 1, /Not valid YAML/],
    ['a repeated key', 'a: 1\nb: 2\na: 3\n', 3, 1, /same key/],
    ['a repeated key further down', 'a:\n  - { b: 1, c: 2, b: 3 }\n', 2, 19, /same key/],
    ['a second document', 'a: 1\n---\nb: 2\n', 2, 1, /second document/],
    ['an anchor', 'a: 1\nb: &x 1\n', 2, 4, /anchor/],
    ['an alias', 'a: *x\n', 1, 4, /alias/],
    ['an anchor in a flow', 'a: [1, &x 2]\n', 1, 8, /anchor/],
    ['a tag', 'a: !!binary AAAA\n', 1, 4, /tag/],
    ['a tag of its own', 'a: !x 1\n', 1, 4, /tag/],
    ['a tag on the document', '!x\na: 1\n', 1, 1, /tag/],
    ['an alias as a key', '*x : 1\n', 1, 1, /alias/],
    ['a directive', '%YAML 1.1\n---\na: yes\n', 1, 1, /directive/],
    ['a control character', 'a: 1\nb: x\u001b[2J\n', 2, 5, /control character/],
    ['NUL', 'a: \u0000\n', 1, 4, /control character/],
    ['a list as a key', '? [1, 2]\n: 3\n', 1, 3, /key is not a plain word/],
    ['an empty key', ': 3\n', 1, 1, /key is not a plain word/],
    ['brackets without end', '['.repeat(60_000), 1, 9, /deeper than 8/],
    ['dashes without end', '- '.repeat(30_000), 1, 17, /deeper than 8/],
    ['too much', Array.from({ length: 300 }, (_, at) => `k${at}: 1\n`).join(''), 200, 1, /more than 200 parts/],
  ];
  test.each(cases)('%s', (_, text, line, column, message) => {
    const parsed = parse(text);
    expect(parsed).toMatchObject({
      ok: false,
      problems: expect.arrayContaining([expect.objectContaining({ file: 'x.yaml', message: expect.stringMatching(message) })]),
    });
    const [problem] = parsed.ok ? [] : parsed.problems;
    expect(problem?.hint).not.toBe('');
    if (!/deeper|more than/.test(String(message))) expect(problem).toMatchObject({ line, column });
  });

  test('aliases that would unfold to gigabytes are refused before anything is unfolded', () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x]', ...Array.from({ length: 20 }, (_, at) => `b${at}: &b${at} [*a, *a, *a, *a, *a]`)].join(
      '\n',
    );
    expect(parse(bomb)).toMatchObject({ ok: false, problems: [{ message: expect.stringMatching(/anchor|alias/) }] });
  });
});

describe('what is read', () => {
  test.each([
    ['', null],
    ['a: yes\nb: 0o17\nc: 1.0\nd: true\ne: ~\n', { a: 'yes', b: 15, c: 1, d: true, e: null }],
    ['"a b": "x\\ny\\u001b"\n', { 'a b': 'x\ny\u001b' }],
    ['a: |\n  b\n   c\n', { a: 'b\n c\n' }],
    ['a: "*x"\nb: "&x"\nc: "!x"\n', { a: '*x', b: '&x', c: '!x' }],
    ['\uFEFFa: 1\r\nb: 2\r\n', { a: 1, b: 2 }],
    ['<<: { a: 1 }\n', { '<<': { a: 1 } }],
  ])('%j', (text, value) => {
    const parsed = parse(text);
    expect(parsed.ok && parsed.yaml.value).toEqual(value);
  });

  test('__proto__ is a key like any other', () => {
    const parsed = parse('__proto__: { polluted: 1 }\n');
    expect(parsed.ok && JSON.stringify(parsed.yaml.value)).toBe('{"__proto__":{"polluted":1}}');
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });

  test('places of values, keys and what is not there', () => {
    const parsed = parse('# comment\na:\n  - { b: 1 }\n  - c: 2\n7: x\n');
    if (!parsed.ok) throw new Error('not parsed');
    const { placeOf, placeOfKey } = parsed.yaml;
    expect(placeOf(['a', 0, 'b'])).toEqual({ line: 3, column: 10 });
    expect(placeOfKey(['a', 0, 'b'])).toEqual({ line: 3, column: 7 });
    expect(placeOfKey(['a', 1, 'c'])).toEqual({ line: 4, column: 5 });
    expect(placeOf(['a', 1])).toEqual({ line: 4, column: 5 });
    expect(placeOf(['a', 1, 'absent', 5])).toEqual({ line: 4, column: 5 });
    expect(placeOfKey(['absent'])).toEqual({ line: 2, column: 1 });
    expect(placeOfKey(['7'])).toEqual({ line: 5, column: 1 });
  });
});

test('any text gives a value or problems with places, never an exception', () => {
  const pieces = fc
    .array(
      fc.constantFrom(
        'a',
        ': ',
        '\n',
        '  ',
        '- ',
        '[',
        ']',
        '{',
        '}',
        '"',
        "'",
        '|',
        '>',
        '&x',
        '*x',
        '!t',
        '%Y',
        '---',
        '...',
        '?',
        ',',
        '#',
        '\t',
        '\u0001',
        'é',
        '\uFEFF',
      ),
      { maxLength: 60 },
    )
    .map((parts) => parts.join(''));
  const outcomes = new Set<boolean>();
  fc.assert(
    fc.property(pieces, (text) => {
      const parsed = parse(text);
      outcomes.add(parsed.ok);
      return parsed.ok || parsed.problems.every(({ line, column }) => Number(line) >= 1 && Number(column) >= 1);
    }),
    { numRuns: 1_500 },
  );
  expect(outcomes).toEqual(new Set([false, true]));
});
