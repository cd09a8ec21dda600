/**
 * A text of a Sigma rule: plain text with wildcards, `*` for any characters and `?` for one, and a backslash before
 * what is meant as it stands.
 */

export type TextPart = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'any' | 'one' };
export type WildcardText = readonly TextPart[];

const ANY: TextPart = { kind: 'any' };
const ONE: TextPart = { kind: 'one' };

/** A backslash escapes a wildcard or another backslash; before anything else it is a backslash. */
export function parseWildcardText(value: string): WildcardText {
  return joined([...value.matchAll(/\\([\\*?])|[^]/gu)].map(([whole, escaped]) => partOf(whole, escaped)));
}

function partOf(whole: string, escaped: string | undefined): TextPart {
  if (escaped !== undefined) return { kind: 'text', text: escaped };
  return whole === '*' ? ANY : whole === '?' ? ONE : { kind: 'text', text: whole };
}

/** Where in a field the text stands. */
export type Position = 'whole' | 'contains' | 'startswith' | 'endswith';

/** The text with the wildcards around it that its position means. */
export function placed(text: WildcardText, position: Position): WildcardText {
  const before = position === 'contains' || position === 'endswith' ? [ANY] : [];
  const after = position === 'contains' || position === 'startswith' ? [ANY] : [];
  return joined([...before, ...text, ...after]);
}

/** The text without wildcards; null where it has one. */
export function plainText(text: WildcardText): string | null {
  const parts = text.map((part) => (part.kind === 'text' ? part.text : null));
  return parts.includes(null) ? null : parts.join('');
}

/** Neighbouring texts are one, and several `*` in a row say what one says. */
function joined(parts: readonly TextPart[]): WildcardText {
  const result: TextPart[] = [];
  for (const part of parts) {
    const last = result.at(-1);
    if (part.kind === 'any' && last?.kind === 'any') continue;
    if (part.kind === 'text' && last?.kind === 'text') result[result.length - 1] = { kind: 'text', text: last.text + part.text };
    else result.push(part);
  }
  return result;
}

export type Pattern = {
  readonly pattern: string;
  /** The character that takes its meaning from a wildcard; null where none is needed. */
  readonly escape: string | null;
};

const LIKE_ESCAPE = '!';

/**
 * A pattern of LIKE. Its escape is not the backslash: that one stands in many values, and other readers of SQL take it
 * for an escape of the quote behind it.
 */
export function likePattern(text: WildcardText): Pattern {
  const needsEscape = text.some((part) => part.kind === 'text' && /[%_]/.test(part.text));
  const write = (part: TextPart): string => {
    if (part.kind !== 'text') return part.kind === 'any' ? '%' : '_';
    return needsEscape ? part.text.replace(/[%_!]/g, `${LIKE_ESCAPE}$&`) : part.text;
  };
  return { pattern: text.map(write).join(''), escape: needsEscape ? LIKE_ESCAPE : null };
}

/** A pattern of GLOB, which heeds case. */
export function globPattern(text: WildcardText): string {
  const write = (part: TextPart): string => {
    if (part.kind !== 'text') return part.kind === 'any' ? '*' : '?';
    return part.text.replace(/[*?[]/g, '[$&]');
  };
  return text.map(write).join('');
}
