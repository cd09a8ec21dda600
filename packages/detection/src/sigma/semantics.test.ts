/**
 * What converted conditions mean, held against a second reading of the specification that compares texts character by
 * character, over a real SQLite.
 */
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { renderLines, type Expression } from './expression.ts';
import { compileField } from './field.ts';
import type { SigmaTarget } from './target.ts';

const TARGET: SigmaTarget = {
  product: 'linux',
  category: 'process_creation',
  fields: { A: { kind: 'text', column: 'a' }, B: { kind: 'text', column: 'b' }, N: { kind: 'integer', column: 'n' } },
  unanswered: {},
  select: 'SELECT 1 FROM t WHERE 1',
  dedup: ['a'],
};

const database = new DatabaseSync(':memory:');
database.exec('CREATE TABLE t (a TEXT, b TEXT, n INTEGER)');
database.function('regexp', { deterministic: true }, (pattern, value) => {
  if (value === null) return null;
  return new RegExp(String(pattern)).test(String(value)) ? 1 : 0;
});
afterAll(() => database.close());

type Row = { readonly a: string | null; readonly b?: string | null; readonly n?: number | null };

function expressionOf(key: string, value: unknown): Expression {
  const compiled = compileField(key, value, TARGET);
  if (!compiled.ok) throw new Error(compiled.faults.map(({ message }) => message).join('; '));
  return compiled.condition;
}

function holds(expression: Expression, { a, b = null, n = null }: Row): boolean {
  database.exec('DELETE FROM t');
  database.prepare('INSERT INTO t VALUES (?, ?, ?)').run(a, b, n);
  return database.prepare(`SELECT 1 FROM t WHERE ${renderLines(expression).join('\n')}`).get() !== undefined;
}

function matches(key: string, value: unknown, row: string | null | Row): boolean {
  return holds(expressionOf(key, value), typeof row === 'string' || row === null ? { a: row } : row);
}

/** The specification's matching, with no pattern of any database: the text from `at`, the value from `from`. */
function reference(value: readonly string[], text: readonly string[], from = 0, at = 0): boolean {
  const token = value[from];
  if (token === undefined) return at === text.length;
  if (token === 'ANY') return reference(value, text, from + 1, at) || (at < text.length && reference(value, text, from, at + 1));
  const character = text[at];
  return character !== undefined && (token === 'ONE' || token === character) && reference(value, text, from + 1, at + 1);
}

function tokensOf(value: string): readonly string[] {
  const tokens: string[] = [];
  const characters = Array.from(value);
  for (let at = 0; at < characters.length; at++) {
    const [here = '', next = ''] = characters.slice(at, at + 2);
    if (here === '\\' && ['\\', '*', '?'].includes(next)) {
      tokens.push(next);
      at += 1;
    } else tokens.push(here === '*' ? 'ANY' : here === '?' ? 'ONE' : here);
  }
  return tokens;
}

const small = (text: readonly string[]): readonly string[] =>
  text.map((character) => (['ANY', 'ONE'].includes(character) ? character : character.toLowerCase()));

const AROUND = { whole: ['', ''], contains: ['*', '*'], startswith: ['', '*'], endswith: ['*', ''] } as const;
const ALPHABET = ['a', 'A', 'b', 'é', 'É', 'ß', 'ж', 'Ж', '%', '_', '!', '\\', "'", '"', '[', ']', '^', '-', ' ', '\u202e', '\n', '😀'];
const character = fc.constantFrom(...ALPHABET);
const text = fc.string({ unit: character, maxLength: 8 });
/** Few wildcards: a pattern takes eight. */
const value = fc
  .tuple(fc.string({ unit: character, maxLength: 5 }), fc.string({ unit: fc.constantFrom('*', '?', '\\*', 'a', 'É'), maxLength: 3 }), text)
  .map((parts) => parts.join(''));

describe('a text', () => {
  it.each(['whole', 'contains', 'startswith', 'endswith'] as const)('is found as the specification says: %s', (position) => {
    for (const cased of [false, true]) {
      const key = ['A', ...(position === 'whole' ? [] : [position]), ...(cased ? ['cased'] : [])].join('|');
      const [before, after] = AROUND[position];
      fc.assert(
        fc.property(value, text, text, (wanted, start, end) => {
          const compiled = compileField(key, wanted, TARGET);
          if (!compiled.ok) {
            expect(compiled.faults[0]?.message).toMatch(/wildcard and a control or invisible character/);
            return;
          }
          const tokens = [...(before === '' ? [] : ['ANY']), ...tokensOf(wanted), ...(after === '' ? [] : ['ANY'])];
          const plain = wanted.replaceAll(/\\([\\*?])|[*?]/g, '$1');
          for (const given of [start, start + plain + end, start + plain.toUpperCase(), plain, plain.toLowerCase()]) {
            const seen = Array.from(given);
            const meant = cased ? reference(tokens, seen) : reference(small(tokens), small(seen));
            expect([wanted, given, holds(compiled.condition, { a: given })]).toEqual([wanted, given, meant]);
          }
        }),
        { numRuns: 200 },
      );
    }
  });

  const cases: readonly (readonly [key: string, value: unknown, found: readonly string[], notFound: readonly (string | null)[]])[] = [
    ['A', 'Abc', ['abc', 'ABC'], ['abcd', ' abc', '', null]],
    ['A|cased', 'Abc', ['Abc'], ['abc', 'ABC']],
    ['A|contains', '50%', ['is 50% of'], ['is 500 of', '50']],
    ['A|contains', 'a_b', ['xa_by'], ['xacby']],
    ['A|contains', 'a!b', ['xa!by'], ['ab']],
    ['A|contains', '!_%', ['x!_%'], ['x!a%', '!!']],
    ['A|endswith', '\\node', ['C:\\node'], ['/node', 'node']],
    ['A|endswith', '\\', ['C:\\'], ['C:']],
    ['A', 'C:\\\\x', ['c:\\x'], ['c:\\\\x']],
    ['A', 'a\\*b', ['a*b'], ['a\\*b', 'axb']],
    ['A', 'a\\\\*b', ['a\\b', 'a\\xxb'], ['a*b']],
    ['A', 'a\\\\\\*b', ['a\\*b'], ['a\\b']],
    ['A', 'a?c', ['abc', 'aéc', 'a😀c'], ['ac', 'abbc']],
    ['A', '*', ['', 'x'], [null]],
    ['A', '', [''], ['x', null]],
    ['A|contains', '', ['', 'x'], [null]],
    ['A|startswith', '/tmp/', ['/tmp/x', '/TMP/x'], ['/opt/tmp/x', null]],
    ['A|contains', 'ÉCOLE', ['xécolex', 'ÉCOLE', 'éColE'], ['ecole']],
    ['A|contains|cased', 'É', ['É'], ['é']],
    ['A|contains', 'straße', ['STRAßE'], ['STRASSE']],
    ['A|contains', '\u202e', ['gpj.\u202eexe'], ['gpj.exe', null]],
    ['A|endswith', 'A\u00a0b', ['xa\u00a0B'], ['xa b']],
    ['A|contains', 'it\'s "x"', ['IT\'S "X"'], ['its x']],
    ['A|contains', 'x'.repeat(1_200), ['-' + 'X'.repeat(1_200)], ['x'.repeat(1_199)]],
    ['A|cased|startswith', '[a-z]*?', ['[a-z]bc'], ['abc', '[A-Z]bc']],
    ['A|contains|all', ['a', 'b'], ['ba', 'axB'], ['a', 'b']],
    ['A|contains', ['a', 'b'], ['a', 'b'], ['c', null]],
    ['A', 4444, ['4444'], ['44440']],
    ['A', null, [], ['', 'x']],
    ['A|exists', true, ['', 'x'], [null]],
    ['A|exists', false, [], ['', 'x']],
    ['A|contains|windash', ' -enc', ['x -enc', 'x /ENC', 'x \u2013enc', 'x \u2014enc', 'x \u2015enc'], ['x enc', 'x +enc']],
    ['A|windash|contains', 'two-words', ['two-words'], ['two/words']],
    ['A|base64|contains', 'foobar', ['x Zm9vYmFy'], ['foobar']],
    ['A|re', '\\s-[FTd]\\s', ['curl -F x', 'curl -d x'], ['curl -f x', null]],
    ['A|re|i', '^CURL\\b', ['curl x'], ['xcurl']],
    ['A|re', '(?i)curl', ['CURL'], ['url']],
    ['A|re', 'a.b$', ['a\rb', 'axb\n', 'axb'], ['a\nb', 'axbc']],
    ['A|re|s', 'a.b', ['a\nb'], ['ab']],
    ['A|re|m', '^b$', ['a\nb\nc', 'b'], ['a\rb', 'ab']],
    ['A|re', "it's \u202e[\"']", ["it's \u202e'"], ["it's '"]],
    ['A|re|m', '\\Ab\\z', ['b'], ['a\nb', 'b\n']],
    ['A|re|m', '\\Ab\\Z', ['b', 'b\n'], ['a\nb', 'b\nc', 'b\n\n']],
    ['A|re', '^😀+$', ['😀', '😀😀'], ['😁', '😀x']],
    ['A|re|all', ['a', 'b'], ['ab'], ['a']],
  ];
  it.each(cases)('%s: %j', (key, wanted, found, notFound) => {
    for (const given of found) expect([given, matches(key, wanted, given)]).toEqual([given, true]);
    for (const given of notFound) expect([given, matches(key, wanted, given)]).toEqual([given, false]);
  });

  it.each([
    ['A|base64offset|contains', (text: string) => Buffer.from(text)],
    ['A|wide|base64offset|contains', (text: string) => Buffer.from(text, 'utf16le')],
    ['A|utf16be|base64offset|contains', (text: string) => Buffer.from(text, 'utf16le').swap16()],
  ] as const)('is found in base64 wherever it begins: %s', (key, encode) => {
    const encoded = (before: string, text: string): string =>
      Buffer.concat([Buffer.from(before), encode(text), Buffer.from('yz')]).toString('base64');
    for (const before of ['', 'x', 'xx', 'xxx']) {
      expect(matches(key, '/bin/bash', encoded(before, '/bin/bash'))).toBe(true);
      expect(matches(key, '/bin/bash', encoded(before, '/bin/dash'))).toBe(false);
    }
  });

  it('that begins with a byte order mark is found in base64', () => {
    expect(matches('A|utf16|base64', 'a', Buffer.from('\uFEFFa', 'utf16le').toString('base64'))).toBe(true);
  });

  it('that is not there is null', () => {
    expect([matches('A', null, null), matches('A|exists', false, null), matches('A', [null, 'x'], 'X')]).toEqual([true, true, true]);
  });

  it('is compared with another field', () => {
    expect(matches('A|fieldref', 'B', { a: 'Root', b: 'rOOT' })).toBe(true);
    expect(matches('A|cased|fieldref', 'B', { a: 'Root', b: 'root' })).toBe(false);
    expect(matches('A|fieldref|contains', 'B', { a: 'xABx', b: 'ab' })).toBe(true);
    expect(matches('A|fieldref|startswith', 'B', { a: 'ABx', b: 'ab' })).toBe(true);
    expect(matches('A|fieldref|startswith', 'B', { a: 'xAB', b: 'ab' })).toBe(false);
    expect(matches('A|fieldref|endswith', 'B', { a: 'xAB', b: 'ab' })).toBe(true);
    expect(matches('A|fieldref|endswith', 'B', { a: 'xAB', b: '' })).toBe(true);
    expect(matches('A|fieldref', 'B', { a: 'x', b: null })).toBe(false);
  });

  it('that is a number is compared as one', () => {
    const row = { a: null, n: 10 };
    const found = (['N', 'N|lt', 'N|lte', 'N|gt', 'N|gte'] as const).map((key) => [9, 10, 11].filter((given) => matches(key, given, row)));
    expect(found).toEqual([[10], [11], [10, 11], [9], [9, 10]]);
    expect(matches('N', '10', row)).toBe(true);
  });
});
