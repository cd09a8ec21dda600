/**
 * One field of one row against the values of a Sigma rule, as SQL. Where nothing else is asked for, case does not count:
 * LIKE takes both cases of ASCII letters for the same, and letters beyond ASCII are made small on both sides.
 */
import { DEFAULT_BOUNDS } from '../sql/policy.ts';
import { comparison, type Expression } from './expression.ts';
import { globPattern, likePattern, placed, plainText, type Position, type WildcardText } from './wildcard-text.ts';

export type Compared = { readonly ok: true; readonly comparison: Expression } | { readonly ok: false; readonly message: string };

/** Characters that a statement may not hold as they are, and those that would break its lines. */
export const UNWRITABLE: RegExp = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]|(?! )\p{Zs}/u;
const NOT_ASCII = /[^\x00-\x7f]/gu;

export type TextComparison = { readonly column: string; readonly text: WildcardText; readonly position: Position; readonly cased: boolean };

/** A column held against a text with wildcards. */
export function compareText({ column, text, position, cased }: TextComparison): Compared {
  const plain = plainText(text);
  const pattern = cased ? { pattern: globPattern(placed(text, position)), escape: null } : likePattern(placed(folded(text), position));
  if (plain !== null && (UNWRITABLE.test(plain) || pattern.pattern.length > DEFAULT_BOUNDS.maxPatternLength))
    return { ok: true, comparison: comparePlain({ column, plain, position, cased }) };
  const fault = faultOf(text, pattern.pattern, cased ? '*' : '%');
  if (fault !== null) return { ok: false, message: fault };
  const operand = cased ? column : smallLetters(column, text);
  const escape = pattern.escape === null ? '' : ` ESCAPE ${literal(pattern.escape)}`;
  return { ok: true, comparison: comparison(`${operand} ${cased ? 'GLOB' : 'LIKE'} ${literal(pattern.pattern)}${escape}`) };
}

function faultOf(text: WildcardText, pattern: string, wildcard: string): string | null {
  if (text.some((part) => part.kind === 'text' && UNWRITABLE.test(part.text)))
    return 'the value has a wildcard and a control or invisible character; a pattern cannot hold both';
  const { maxWildcards, maxPatternLength } = DEFAULT_BOUNDS;
  if (pattern.length > maxPatternLength) return `the value has wildcards and more than ${maxPatternLength} characters`;
  const count = pattern.split(wildcard).length - 1;
  return count > maxWildcards ? `the value has ${count} times *, at most ${maxWildcards} are taken in one pattern` : null;
}

type PlainComparison = { readonly column: string; readonly plain: string; readonly position: Position; readonly cased: boolean };

/** The same without a pattern: there is no wildcard, and a text is not bound to what a pattern may hold. */
function comparePlain({ column, plain, position, cased }: PlainComparison): Expression {
  const part: WildcardText = [{ kind: 'text', text: plain }];
  const text = cased ? plain : (plainText(folded(part)) ?? plain).replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  const operand = cased ? column : `lower(${smallLetters(column, part)})`;
  const length = Array.from(plain).length;
  switch (position) {
    case 'whole':
      return comparison(`${operand} = ${literal(text)}`);
    case 'contains':
      return comparison(`instr(${operand}, ${literal(text)}) > 0`);
    case 'startswith':
      return comparison(`substr(${operand}, 1, ${length}) = ${literal(text)}`);
    case 'endswith':
      return comparison(`substr(${operand}, -${length}) = ${literal(text)}`);
  }
}

/** Letters beyond ASCII of the text that have two forms of one character each: the small one and the other. */
function lettersOf(text: WildcardText): ReadonlyMap<string, string> {
  const letters = new Map<string, string>();
  for (const part of text) {
    for (const [letter] of part.kind === 'text' ? part.text.matchAll(NOT_ASCII) : []) {
      const small = letter.toLowerCase();
      const large = small.toUpperCase();
      if (small !== large && Array.from(small).length === 1 && Array.from(large).length === 1) letters.set(large, small);
    }
  }
  return letters;
}

/** The column with those letters of the text small that LIKE and lower() do not know. */
function smallLetters(column: string, text: WildcardText): string {
  return [...lettersOf(text)].reduce((inner, [large, small]) => `replace(${inner}, ${literal(large)}, ${literal(small)})`, column);
}

function folded(text: WildcardText): WildcardText {
  const letters = lettersOf(text);
  return text.map((part) =>
    part.kind === 'text' ? { kind: 'text', text: part.text.replace(NOT_ASCII, (letter) => letters.get(letter) ?? letter) } : part,
  );
}

/** Text as SQL: a literal, or several with the characters between them that a statement may not hold. */
export function literal(text: string): string {
  const parts: string[] = [];
  let plain = '';
  for (const character of text) {
    if (!UNWRITABLE.test(character)) {
      plain += character;
      continue;
    }
    if (plain !== '') parts.push(quoted(plain));
    plain = '';
    parts.push(`char(${character.codePointAt(0) ?? 0})`);
  }
  if (plain !== '' || parts.length === 0) parts.push(quoted(plain));
  return parts.join(' || ');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
