/**
 * Statements by changing others: words replaced, left out, doubled, put in another order or quoting, two statements run
 * together, and the bytes that parsers are known to read differently put between words.
 */
import fc from 'fast-check';
import { CLOSED_NAMES } from './product-database.ts';

const WORDS =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|\[[^\]]*\]|`[^`]*`|--[^\n]*|\/\*[\s\S]*?\*\/|[\p{L}_][\p{L}\p{N}_$]*|\d[\w.]*|\s+|<>|\|\||->>?|[<>=!]=|./gsu;

const PUT_IN: readonly string[] = [
  '/**/', '/* ; */', '-- x\n', '--\r', '\n', '\t', '\f', '\v', '\r', '\u00a0', '\ufeff', '\u2028', '\u0000', '\u200b', '/*', '*/', '--', ';', "'", '"', '`', '[', ']', '(', ')', ',', '.', '*', '\\', '#', '$',
  ' UNION SELECT v FROM secrets ', ' UNION ALL SELECT sql FROM sqlite_schema ', ' OR 1 ', ' NOT ', ' AS ', ' IN secrets ', ' FROM secrets ', ' JOIN v_secrets ', ' , secrets ', 'AND EXISTS (SELECT v FROM secrets)',
  ' OVER () ', ' FILTER (WHERE 1) ', ' COLLATE nocase ', ' ESCAPE ', ' INDEXED BY x ', " || load_extension('x') ", ' RETURNING v ', ' LIMIT 1 ', ' ORDER BY v ', ' GROUP BY 1 ', ' WINDOW w AS () ', 'DISTINCT ', 'é', "x'",
  ...CLOSED_NAMES,
]; // prettier-ignore

const QUOTE: readonly ((word: string) => string)[] = [
  (word) => `"${word}"`,
  (word) => `[${word}]`,
  (word) => `\`${word}\``,
  (word) => `'${word}'`,
  (word) => word.toUpperCase(),
  (word) => `(${word})`,
  (word) => `main.${word}`,
  (word) => `${word}/**/`,
  (word) => word.replaceAll(/^["'`[]|["'`\]]$/g, ''),
  (word) => `${word} AS ${word}`,
];

type Change = { readonly kind: 'put' | 'replace' | 'drop' | 'double' | 'swap' | 'quote'; readonly at: number; readonly what: number };

/** The kind that shrinking comes to is the first. */
const CHANGE: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('drop', 'replace', 'put', 'quote', 'quote', 'double', 'swap'),
  at: fc.nat({ max: 10_000 }),
  what: fc.nat({ max: 10_000 }),
});

/** Changed statements of a corpus. */
export function mutationsOf(corpus: readonly string[]): fc.Arbitrary<string> {
  const one = fc
    .tuple(fc.constantFrom(...corpus), fc.array(CHANGE, { minLength: 0, maxLength: 2 }))
    .map(([sql, changes]) => change(sql, changes, corpus));
  const two = fc
    .tuple(one, one, fc.nat({ max: 1_000 }))
    .map(([left, right, at]) => left.slice(0, (left.length * at) / 1_000) + right.slice((right.length * at) / 1_000));
  return fc.oneof({ weight: 12, arbitrary: one }, { weight: 1, arbitrary: two });
}

function change(sql: string, changes: readonly Change[], corpus: readonly string[]): string {
  const words = sql.match(WORDS) ?? [];
  for (const { kind, at, what } of changes) {
    const index = at % Math.max(1, words.length);
    const word = words[index] ?? '';
    const other = at % 3 === 0 ? (PUT_IN[what % PUT_IN.length] ?? '') : otherWord(corpus, what);
    if (kind === 'drop') words.splice(index, 1);
    else if (kind === 'replace') words[index] = other;
    else if (kind === 'put') words.splice(index, 0, other);
    else if (kind === 'double') words.splice(index, 0, word);
    else if (kind === 'quote') words[index] = QUOTE[what % QUOTE.length]?.(word) ?? word;
    else [words[index], words[(index + what) % words.length]] = [words[(index + what) % words.length] ?? '', word];
  }
  return words.join('');
}

function otherWord(corpus: readonly string[], what: number): string {
  const words = corpus[what % corpus.length]?.match(WORDS) ?? [];
  return words[(what * 7) % Math.max(1, words.length)] ?? '';
}
