/**
 * What was found in one text: the places of its secrets, and how many steps it took to find them. Every scanner of this
 * folder counts its steps, so that a test can hold them against the length of the text.
 */

/** What stands in the place of a secret. */
export const REDACTED = '[redacted]';

export type Span = { readonly start: number; readonly end: number };
export type Found = { readonly text: string; readonly spans: Span[]; steps: number };

/** Notes one secret, unless there is nothing there or it was taken out before. */
export function note(found: Found, start: number, end: number): void {
  if (end <= start) return;
  if (end - start === REDACTED.length && found.text.startsWith(REDACTED, start)) return;
  found.spans.push({ start, end });
}

/** The text without its secrets. Places that touch or overlap are one secret. */
export function withoutSpans({ text, spans }: Found): string {
  const sorted = spans.toSorted((a, b) => a.start - b.start);
  const parts: string[] = [];
  let at = 0;
  for (const { start, end } of sorted) {
    if (start > at || parts.length === 0) parts.push(text.slice(at, start), REDACTED);
    at = Math.max(at, end);
  }
  parts.push(text.slice(at));
  return parts.join('');
}

/** Space and control characters: what parts words. */
export function isSpace(code: number): boolean {
  return code <= 32;
}

const DOUBLE_QUOTE = 34;
const SINGLE_QUOTE = 39;
export const BACKSLASH = 92;

export function isQuote(code: number): boolean {
  return code === DOUBLE_QUOTE || code === SINGLE_QUOTE;
}

/** Letters and digits of ASCII. */
export function isAlphanumeric(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57);
}

/** What names of options, variables and headers are made of. */
export function isNameCharacter(code: number): boolean {
  return isAlphanumeric(code) || code === 95 || code === 45 || code === 46;
}

/** Where the first character from `from` on stands for which `ends` holds, or the length of the text. */
export function endOf(found: Found, from: number, ends: (code: number) => boolean): number {
  const { text } = found;
  let at = from;
  while (at < text.length && !ends(text.charCodeAt(at))) at++;
  found.steps += at - from + 1;
  return at;
}

/** Which two characters the names of a list end in, whatever their case: rules out most others without a look-up. */
export type Endings = Uint8Array;

export function endingsOf(names: Iterable<string>): Endings {
  const endings = new Uint8Array(1024);
  for (const name of names) {
    endings[endingAt(name, name.length)] = 1;
    // Of one letter, whatever stands before it.
    if (name.length === 1) for (let before = 0; before < 32; before++) endings[(before << 5) | (name.charCodeAt(0) & 31)] = 1;
  }
  return endings;
}

/** Whether a name of the list may end in `text` before `end`. */
export function mayEnd(endings: Endings, text: string, end: number): boolean {
  return endings[endingAt(text, end)] === 1;
}

function endingAt(text: string, end: number): number {
  return end < 2 ? 0 : ((text.charCodeAt(end - 2) & 31) << 5) | (text.charCodeAt(end - 1) & 31);
}
